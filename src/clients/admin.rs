//! The first admin: without one, nobody could make the next.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit::{Action, AuditRecord, Author, Recorder};
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, Provenance};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId, FORMER_SERVER};
use crate::domain::permission::{ADMIN, Permission};
use crate::domain::revocation::Revoked;
use crate::domain::secret::{ClientSecret, Form, Pepper};
use crate::domain::state::State;
use crate::revocation::revoker::Revoker;

use super::error::ClientsError;
use super::revoke::LATEST;
use super::secrets::Secrets;
use super::{ClientRepository, Inserted};

/// What an admin client is called where nobody named it.
const NAME: &str = "Latchkey administrator";

/// Why a secret can be nobody's: it would be refused at every use.
const UNUSABLE: &str = "its secret has a control character in it, or begins with `lk_` and was not \
                        made for this client on this store; choose another, or remove the file \
                        that it is kept in";

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
    pub fn random(pepper: &Pepper) -> Result<Self, ClientsError> {
        Self::random_for(ClientId::random()?, pepper)
    }

    /// A fresh secret for an administrator of this name.
    pub fn random_for(client_id: ClientId, pepper: &Pepper) -> Result<Self, ClientsError> {
        let id = CredentialId::random()?;
        let secret = ClientSecret::generate(&client_id, &id, pepper)?;
        Ok(Self { client_id, secret })
    }
}

/// Creates and removes the administrators of the configuration and of the credentials file.
pub struct Administrators {
    /// The store.
    pub repository: Arc<dyn ClientRepository>,
    /// Hashes secrets.
    pub secrets: Secrets,
    /// Creates audit records.
    pub recorder: Arc<Recorder>,
    /// Revokes tokens.
    pub revoker: Arc<Revoker>,
}

impl Administrators {
    /// Whether any client is an administrator.
    pub async fn exist(&self) -> Result<bool, ClientsError> {
        Ok(!self.repository.holders(&admin()?).await?.is_empty())
    }

    /// Makes `credentials` those of an admin: the client is created or changed as needed, and
    /// whatever secret it had before ends. Does nothing where all of that is so already.
    pub async fn install(
        &self,
        credentials: &AdminCredentials,
        author: &Author,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        if credentials.client_id.is_reserved() {
            let why = format!("`{}` is reserved; choose another id", credentials.client_id);
            return Err(ClientsError::Metadata(why));
        }
        if let Form::Forged = credentials.secret.form(&credentials.client_id, &self.secrets.pepper)
        {
            return Err(ClientsError::Metadata(UNUSABLE.to_owned()));
        }
        // A replica that starts at the same moment may win any of these races; then look again.
        for _ in 0..8 {
            let Some(found) = self.repository.read(&credentials.client_id).await? else {
                let id = credentials.client_id.clone();
                let mut client = Client::new(id, NAME.to_owned(), AuthMethod::default(), now);
                client.provenance = Some(Provenance::Installed);
                client.creator = author.actor.to_string();
                let client = self.promoted(&client, credentials, now).await?;
                let pair = (None, Some(&client));
                let record = self.recorder.change(author, Action::AdminInstalled, pair, now)?;
                match self.repository.insert(&client, &record).await? {
                    Inserted::Yes => return Ok(()),
                    Inserted::Duplicate => continue,
                }
            };
            if found.is_damaged() {
                return Err(ClientsError::of_damaged(&found));
            }
            if self.is_installed(&found, &credentials.secret).await? {
                return Ok(());
            }
            let changed = self.promoted(&found, credentials, now).await?;
            let pair = (Some(&found), Some(&changed));
            let record = self.recorder.change(author, Action::AdminInstalled, pair, now)?;
            if self.repository.replace(&found, &changed, &record).await? {
                return Ok(());
            }
        }
        Err(ClientsError::Duplicate)
    }

    /// Removes the client of this id, and ends its tokens, if its document is damaged: `install`
    /// can then create it anew.
    pub async fn remove_damaged(
        &self,
        id: &ClientId,
        author: &Author,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        let found = self.repository.read(id).await?;
        let Some(old) = found.filter(Client::is_damaged) else { return Ok(()) };
        if old.is_on_damaged_page() {
            return Err(ClientsError::DamagedPage);
        }
        // Of which epoch its tokens are nobody knows. It gets none any more, and the new one may at
        // once: so before this second.
        let before = now - Duration::from_secs(1);
        let revoked = Revoked::ClientBefore { client_id: id.clone(), before };
        let about = Map::from_iter([("revoked".to_owned(), Value::from(revoked.name()))]);
        let record = self.recorder.record(author, Action::TokensRevoked, about, now)?;
        let record = AuditRecord { client_id: Some(id.clone()), ..record };
        self.revoker.revoke(revoked, LATEST, &record).await?;
        let record =
            self.recorder.change(author, Action::ClientDeleted, (Some(&old), None), now)?;
        if self.repository.remove(&old, &record).await? { Ok(()) } else { Err(ClientsError::Raced) }
    }

    /// Ends every other admin that a start made: the configured one stands instead of them. Admins
    /// that a person made are left alone. Who was ended.
    pub async fn end_former(
        &self,
        current: &ClientId,
        now: Timestamp,
    ) -> Result<Vec<ClientId>, ClientsError> {
        let permission = admin()?;
        let mut ended = Vec::new();
        for former in self.repository.holders(&permission).await? {
            if former.id == *current {
                continue;
            }
            if !former.was_installed() {
                if former.provenance.is_none() && former.creator == FORMER_SERVER {
                    let (client_id, why) =
                        (&former.id, "it may be of a former start, and was changed since");
                    tracing::warn!(%client_id, why, "kept an administrator that an earlier start may have made; delete it if it is not needed");
                }
                continue;
            }
            let mut without = former.clone();
            without.permissions.retain(|held| *held != permission);
            without.secrets.clear();
            let epoch = self.revoker.revocations.next_epoch(&former.id, former.token_epoch);
            without.move_to(State::Draft, epoch);
            let pair = (Some(&former), Some(&without));
            let record = self.recorder.change(&Author::server(), Action::AdminEnded, pair, now)?;
            // Another replica that starts now may have done it.
            if self.repository.replace(&former, &without, &record).await? {
                ended.push(former.id);
            }
        }
        Ok(ended)
    }

    async fn is_installed(
        &self,
        found: &Client,
        secret: &ClientSecret,
    ) -> Result<bool, ClientsError> {
        // One from before that was noted is written once more, with it.
        let is_noted = found.provenance.is_some() || !found.was_installed();
        let is_admin = is_noted
            && found.permissions.contains(&admin()?)
            && found.state == State::Public
            && found.may_use_client_credentials()
            && found.auth_method != AuthMethod::PrivateKeyJwt;
        match &found.secrets[..] {
            [only] if is_admin && only.expires.is_none() => {
                Ok(self.secrets.hashes.matches(&only.verifier.hash, secret).await?)
            }
            _ => Ok(false),
        }
    }

    async fn promoted(
        &self,
        client: &Client,
        credentials: &AdminCredentials,
        now: Timestamp,
    ) -> Result<Client, ClientsError> {
        let mut client = client.clone();
        let permission = admin()?;
        if !client.permissions.contains(&permission) {
            client.permissions.push(permission);
        }
        client.registration_tokens.clear();
        let epoch = self.revoker.revocations.next_epoch(&client.id, client.token_epoch);
        client.move_to(State::Public, epoch);
        if client.was_installed() {
            client.provenance = Some(Provenance::Installed);
        }
        client.grant_types = None;
        client.auth_method = AuthMethod::default();
        client.secrets = vec![self.secrets.kept(&credentials.secret, &client.id, now).await?];
        Ok(client)
    }
}

fn admin() -> Result<Permission, ClientsError> {
    ADMIN.parse().map_err(|_| ClientsError::NotPermitted(ADMIN))
}
