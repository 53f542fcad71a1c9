//! Hashes that are not what we would store today, imported ones say, are replaced when their secret
//! is first used.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::audit::{Action, Author, Recorder};
use crate::domain::client::StoredSecret;
use crate::domain::clock::Clock;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::secret::ClientSecret;
use crate::domain::secret_hash::SecretHash;
use crate::domain::store_error::StoreError;
use crate::hashing::SlowHashes;
use crate::oauth::HashUpgrade;

use super::ClientRepository;

/// Replaces hashes in the background, each once at a time: a busy client uses its secret again
/// before the hash is replaced.
#[derive(Clone)]
pub struct Rehash {
    repository: Arc<dyn ClientRepository>,
    hashes: SlowHashes,
    recorder: Arc<Recorder>,
    clock: Arc<dyn Clock>,
    under_way: Arc<Mutex<HashSet<(ClientId, CredentialId)>>>,
    /// Whether the last one could not be written, which is said once.
    failing: Arc<AtomicBool>,
    /// Clients on damaged pages of the database; of each it is said once.
    damaged: Arc<Mutex<HashSet<ClientId>>>,
}

impl Rehash {
    /// With nothing under way.
    #[must_use]
    pub fn new(
        repository: Arc<dyn ClientRepository>,
        hashes: SlowHashes,
        recorder: Arc<Recorder>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (under_way, failing, damaged) = (Arc::default(), Arc::default(), Arc::default());
        Self { repository, hashes, recorder, clock, under_way, failing, damaged }
    }

    fn under_way(&self) -> MutexGuard<'_, HashSet<(ClientId, CredentialId)>> {
        self.under_way.lock()
    }

    async fn replace(
        &self,
        client: &ClientId,
        secret: &Credential<StoredSecret>,
        presented: &ClientSecret,
    ) {
        let hash = self.hashes.hash(presented, secret.verifier.profile()).await;
        let Ok(Ok(hash)) = hash else { return };
        let put = self.put(client, &secret.id, hash).await;
        if put.as_ref().is_err_and(StoreError::is_damaged) {
            if self.damaged.lock().insert(client.clone()) {
                tracing::warn!(
                    client_id = %client,
                    "a secret hash cannot be replaced: the client is on a damaged page of the database"
                );
            }
            return;
        }
        let was_failing = self.failing.swap(put.is_err(), Ordering::Relaxed);
        match put {
            Ok(true) => tracing::info!(client_id = %client, "the hash of a secret was replaced"),
            // Somebody else changed the client; the next use tries again.
            Ok(false) => {}
            Err(_) if was_failing => {}
            Err(error) => tracing::warn!(
                client_id = %client,
                %error,
                "a secret hash was not replaced; each use of such a secret tries again"
            ),
        }
    }

    async fn put(
        &self,
        client: &ClientId,
        secret: &CredentialId,
        hash: SecretHash,
    ) -> Result<bool, StoreError> {
        let Some(old) = self.repository.read(client).await? else { return Ok(false) };
        let mut new = old.clone();
        let outdated = |kept: &&mut Credential<StoredSecret>| {
            kept.id == *secret && kept.verifier.hash.is_outdated(kept.verifier.profile())
        };
        let Some(kept) = new.secrets.iter_mut().find(outdated) else { return Ok(false) };
        kept.verifier.hash = hash;
        let (author, now) = (Author::server(), self.clock.now());
        let pair = (Some(&old), Some(&new));
        let record = self.recorder.change(&author, Action::SecretRehashed, pair, now);
        self.repository.replace(&old, &new, &record.map_err(StoreError::new)?).await
    }
}

impl HashUpgrade for Rehash {
    fn upgrade(
        &self,
        client: &ClientId,
        secret: &Credential<StoredSecret>,
        presented: &ClientSecret,
    ) {
        let this = (client.clone(), secret.id.clone());
        if !self.under_way().insert(this.clone()) {
            return;
        }
        let (rehash, secret, presented) = (self.clone(), secret.clone(), presented.clone());
        tokio::spawn(async move {
            rehash.replace(&this.0, &secret, &presented).await;
            rehash.under_way().remove(&this);
        });
    }
}
