//! The first admin: without one, nobody could make the next.

use std::sync::Arc;

use crate::domain::client::{AuthMethod, Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::entropy::Entropy;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::permission::{ADMIN, Permission};
use crate::domain::secret::{ClientSecret, Form, Pepper, SecretHash};
use crate::domain::state::State;
use crate::domain::store_error::StoreError;

use super::error::RegistryError;
use super::{Inserted, Registry};

/// What an admin client is called where nobody named it.
const NAME: &str = "Latchkey administrator";

/// A client id and its secret.
#[derive(Clone, Debug)]
pub struct AdminCredentials {
    /// The name.
    pub client_id: ClientId,
    /// The secret.
    pub secret: ClientSecret,
}

impl AdminCredentials {
    /// Fresh ones.
    pub fn random(pepper: &Pepper, entropy: &dyn Entropy) -> Result<Self, RegistryError> {
        Self::random_for(ClientId::random(entropy)?, pepper, entropy)
    }

    /// A fresh secret for an administrator of this name.
    pub fn random_for(
        client_id: ClientId,
        pepper: &Pepper,
        entropy: &dyn Entropy,
    ) -> Result<Self, RegistryError> {
        let id = CredentialId::random(entropy)?;
        let secret = ClientSecret::generate(&client_id, &id, pepper, entropy)?;
        Ok(Self { client_id, secret })
    }
}

/// Whether any client is an admin.
pub async fn exists(registry: &dyn Registry) -> Result<bool, RegistryError> {
    Ok(registry.is_held(&admin()?).await?)
}

/// Makes `credentials` those of an admin: the client is created or changed as needed, and whatever
/// secret it had before ends. Does nothing where all of that is so already.
pub async fn install(
    registry: &dyn Registry,
    credentials: &AdminCredentials,
    pepper: &Pepper,
    entropy: Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<(), RegistryError> {
    // A replica that starts at the same moment may win any of these races; then look again.
    for _ in 0..8 {
        let Some(found) = registry.read(&credentials.client_id).await? else {
            let client = new_admin(credentials, pepper, entropy.clone(), now).await?;
            match registry.insert(&client).await? {
                Inserted::Yes => return Ok(()),
                Inserted::Duplicate => continue,
            }
        };
        let is_admin = found.permissions.contains(&admin()?)
            && found.state == State::Public
            && found.auth_method != AuthMethod::PrivateKeyJwt;
        let only_secret = matches!(&found.secrets[..], [one] if one.expires.is_none());
        if is_admin && only_secret && has_secret(&found, &credentials.secret).await? {
            return Ok(());
        }
        let changed = promoted(&found, credentials, pepper, entropy.clone(), now).await?;
        if registry.replace(&found, &changed).await? {
            return Ok(());
        }
    }
    Err(RegistryError::Duplicate)
}

fn admin() -> Result<Permission, RegistryError> {
    ADMIN.parse().map_err(|_| RegistryError::NotPermitted(ADMIN))
}

async fn new_admin(
    credentials: &AdminCredentials,
    pepper: &Pepper,
    entropy: Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<Client, RegistryError> {
    let id = credentials.client_id.clone();
    let client = Client::new(id, NAME.to_owned(), AuthMethod::default(), now);
    promoted(&client, credentials, pepper, entropy, now).await
}

async fn promoted(
    client: &Client,
    credentials: &AdminCredentials,
    pepper: &Pepper,
    entropy: Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<Client, RegistryError> {
    let mut client = client.clone();
    let permission = admin()?;
    if !client.permissions.contains(&permission) {
        client.permissions.push(permission);
    }
    client.state = State::Public;
    client.auth_method = AuthMethod::default();
    let (id, checksummed) = match credentials.secret.form(&client.id, pepper) {
        Form::Ours(id) => (id, true),
        Form::Forged | Form::Foreign => (CredentialId::random(&*entropy)?, false),
    };
    let secret = credentials.secret.clone();
    let hash = off_thread(move || SecretHash::of(&secret, &*entropy)).await??;
    client.secrets = vec![StoredSecret { id, hash, checksummed, created: now, expires: None }];
    Ok(client)
}

async fn has_secret(client: &Client, secret: &ClientSecret) -> Result<bool, RegistryError> {
    let (stored, secret) = (client.secrets.clone(), secret.clone());
    off_thread(move || stored.iter().any(|kept| kept.hash.matches(&secret))).await
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RegistryError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|lost| RegistryError::Store(StoreError::new(lost)))
}
