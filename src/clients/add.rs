//! A new client is stored, with a secret and a registration access token.

use std::sync::Arc;

use crate::audit::{Action, Author, Recorder};
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::Client;
use crate::domain::registration_token::{RegistrationToken, StoredRegistrationToken};
use crate::domain::secret::ClientSecret;
use crate::oauth::logins::PendingLogins;
use crate::revocation::revoker::Revoker;

use super::credential_watch::CredentialWatch;
use super::error::ClientsError;
use super::key_admission::{KeyAdmission, SharedKey};
use super::limits::ClientLimits;
use super::public_key::{KeySet, LeftOut, SentKeys};
use super::registration_mode::RegistrationMode;
use super::secrets::Secrets;
use super::{ClientRepository, Inserted};

/// A client as it was added; the secret is shown this once.
#[derive(Debug)]
pub struct Registered {
    /// The client.
    pub client: Client,
    /// Its secret, if it authenticates with one.
    pub secret: Option<ClientSecret>,
    /// Its registration access token, unless it has power over this server.
    pub registration_token: Option<RegistrationToken>,
    /// Its keys that other clients have too; for administrators only.
    pub shared_keys: Vec<SharedKey>,
    /// Keys that came with others and were not taken.
    pub left_out: Vec<LeftOut>,
}

/// Creates, changes and removes clients, with their audit records.
pub struct Clients {
    /// The store.
    pub repository: Arc<dyn ClientRepository>,
    /// Generates and hashes secrets.
    pub secrets: Secrets,
    /// The rules for new keys.
    pub keys: KeyAdmission,
    /// The registration mode.
    pub registration: RegistrationMode,
    /// Creates audit records.
    pub recorder: Arc<Recorder>,
    /// Revokes tokens.
    pub revoker: Arc<Revoker>,
    /// Uses of credentials that are not written yet.
    pub logins: Arc<PendingLogins>,
    /// Watches credentials that are about to expire.
    pub watch: Arc<CredentialWatch>,
    /// How much a client may have.
    pub limits: ClientLimits,
}

impl Clients {
    /// Validates keys in the queue of slow hashes, so that token requests are not delayed.
    pub(super) async fn judge(&self, keys: SentKeys) -> Result<KeySet, ClientsError> {
        match keys.is_empty() {
            true => Ok(KeySet::default()),
            false => Ok(self.secrets.hashes.turn().await?.run(move || keys.judge()).await??),
        }
    }

    /// Adds the client, with a secret if its method asks for one.
    pub async fn add(
        &self,
        mut client: Client,
        author: &Author,
        action: Action,
    ) -> Result<Registered, ClientsError> {
        let secret = match client.auth_method {
            AuthMethod::PrivateKeyJwt => None,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
                let (secret, stored) = self.secrets.make(&client.id, client.created)?;
                client.secrets = vec![stored];
                Some(secret)
            }
        };
        self.limits.check(&client)?;
        let now = client.created;
        let registration_token = match client.has_power() {
            true => None,
            false => Some(RegistrationToken::random()?),
        };
        // After the token that its owner already has: the answer with this one may be lost.
        let kept = registration_token.as_ref().map(RegistrationToken::digest);
        let kept = kept.map(|digest| StoredRegistrationToken::new(digest, now));
        client.registration_tokens.extend(kept);
        let record = self.recorder.change(author, action, (None, Some(&client)), now)?;
        match self.repository.insert(&client, &record).await? {
            Inserted::Yes => {
                let (shared_keys, left_out) = (Vec::new(), Vec::new());
                Ok(Registered { client, secret, registration_token, shared_keys, left_out })
            }
            Inserted::Duplicate => Err(ClientsError::Duplicate),
        }
    }
}
