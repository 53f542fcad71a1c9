//! Hashes that came from elsewhere are replaced by ours when their secret is first used.

use std::sync::Arc;

use crate::domain::entropy::Entropy;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::secret::{ClientSecret, SecretHash};
use crate::hashing::SlowHashes;
use crate::oauth::HashUpgrade;
use crate::registry::Registry;

/// Replaces hashes in the background.
pub struct Rehash {
    /// Where the clients are.
    pub registry: Arc<dyn Registry>,
    /// What computes hashes.
    pub hashes: Arc<SlowHashes>,
    /// What makes salts.
    pub entropy: Arc<dyn Entropy>,
}

impl HashUpgrade for Rehash {
    fn upgrade(&self, client: &ClientId, secret: &CredentialId, presented: &ClientSecret) {
        let (registry, entropy) = (self.registry.clone(), self.entropy.clone());
        let hashes = self.hashes.clone();
        let (client, secret, presented) = (client.clone(), secret.clone(), presented.clone());
        tokio::spawn(async move {
            let Ok(Ok(hash)) = hashes.hash(&presented, &entropy).await else { return };
            match replace(&*registry, &client, &secret, hash).await {
                Ok(true) => tracing::info!(client_id = %client, "imported secret hash replaced"),
                // Somebody else changed the client; the next use tries again.
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(client_id = %client, %error, "secret hash not replaced");
                }
            }
        });
    }
}

async fn replace(
    registry: &dyn Registry,
    client: &ClientId,
    secret: &CredentialId,
    hash: SecretHash,
) -> Result<bool, crate::domain::store_error::StoreError> {
    let Some(old) = registry.read(client).await? else { return Ok(false) };
    let mut new = old.clone();
    let kept = new.secrets.iter_mut().find(|kept| kept.id == *secret && kept.hash.is_outdated());
    let Some(kept) = kept else { return Ok(false) };
    kept.hash = hash;
    registry.replace(&old, &new).await
}
