//! Client secrets: generated, hashed and compared.

use crate::domain::client::{Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::secret::{ClientSecret, Form, Pepper};
use crate::domain::secret_hash::{Profile, SecretHash};
use crate::hashing::SlowHashes;

use super::error::ClientsError;

/// Generates and hashes secrets.
#[derive(Clone)]
pub struct Secrets {
    /// The server's part of the checksums.
    pub pepper: Pepper,
    /// The queue of slow hashes.
    pub hashes: SlowHashes,
}

impl Secrets {
    /// Generates a secret, with the credential to store.
    pub fn make(
        &self,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<(ClientSecret, Credential<StoredSecret>), ClientsError> {
        let id = CredentialId::random()?;
        let secret = ClientSecret::generate(client, &id, &self.pepper)?;
        let hash = SecretHash::of(&secret, Profile::Light)?;
        Ok((secret, Credential::new(id, StoredSecret { hash, checksummed: true }, now)))
    }

    /// The credential to store for a secret that an operator chose, or that this server generated before.
    pub(super) async fn kept(
        &self,
        secret: &ClientSecret,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Credential<StoredSecret>, ClientsError> {
        let (id, checksummed) = match secret.form(client, &self.pepper) {
            Form::Ours(id) => (id, true),
            Form::Forged | Form::Foreign => (CredentialId::random()?, false),
        };
        let profile = Profile::of_secret(checksummed);
        let hash = self.hashes.hash(secret, profile).await??;
        Ok(Credential::new(id, StoredSecret { hash, checksummed }, now))
    }

    /// Whether it is a live secret of the client.
    pub(super) async fn has(
        &self,
        client: &Client,
        secret: &ClientSecret,
        now: Timestamp,
    ) -> Result<bool, ClientsError> {
        let form = secret.form(&client.id, &self.pepper);
        let live = client.secrets.iter().filter(|held| held.is_live_at(now));
        let candidates = live.filter(|held| match &form {
            Form::Ours(id) => held.verifier.checksummed && held.id == *id,
            Form::Forged => false,
            Form::Foreign => !held.verifier.checksummed,
        });
        for held in candidates {
            if self.hashes.matches(&held.verifier.hash, secret).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
