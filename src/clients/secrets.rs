//! Secrets of clients are made, kept and compared.

use crate::domain::client::{Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::secret::{ClientSecret, Form, Pepper};
use crate::domain::secret_hash::{Profile, SecretHash};
use crate::hashing::SlowHashes;

use super::error::ClientsError;

/// Makes secrets, and what is kept of them.
#[derive(Clone)]
pub struct Secrets {
    /// The server's part of the checksums.
    pub pepper: Pepper,
    /// What computes slow hashes.
    pub hashes: SlowHashes,
}

impl Secrets {
    /// Makes a secret, and what is kept of it.
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

    /// What is kept of a secret that somebody chose, or that we made before.
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

    /// Whether it is a secret that the client has now.
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
