//! How the signing keys of all replicas come together: each shows its public halves in the store,
//! and takes in those of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::signing_key::{PublishedKey, SIGNING_PROMISE};
use crate::domain::store_error::StoreError;
use crate::registry::SharedFacts;

use super::{Ring, SigningKeyStore};

/// Under this name the key that may sign at once is agreed on.
pub const FIRST_KEY: &str = "first_signing_key";

/// Publishes, looks and forgets.
pub struct KeyExchange {
    /// Our keys, and what is known of the others.
    pub ring: Arc<dyn Ring>,
    /// Where public halves are shared.
    pub store: Arc<dyn SigningKeyStore>,
    /// Where the first key is agreed on.
    pub facts: Arc<dyn SharedFacts>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The longest that any token lives.
    pub longest_life: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// When our promise to sign was last renewed, in seconds since the epoch; 0 if never.
    pub promised: AtomicU64,
}

impl KeyExchange {
    /// Shows our keys, looks at those of the others, and takes back what nobody needs.
    pub async fn exchange(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.promised.load(Ordering::Relaxed) + SIGNING_PROMISE.as_secs() / 2 <= now.0 {
            self.publish(now).await?;
            self.promised.store(now.0, Ordering::Relaxed);
        }
        let first = self.first().await?;
        let mut published = self.store.published().await?;
        for gone in published.iter().filter(|key| !self.is_needed(key, now)) {
            self.store.forget(&gone.jwk.kid).await?;
        }
        published.retain(|key| self.is_needed(key, now));
        self.ring.update(&published, &first, now);
        Ok(())
    }

    async fn publish(&self, now: Timestamp) -> Result<(), StoreError> {
        let published = self.store.published().await?;
        for own in self.ring.own() {
            let known = published.iter().find(|key| key.jwk.kid == own.jwk.kid);
            let key = PublishedKey {
                published: known.map_or(now, |known| known.published),
                signs_until: now + SIGNING_PROMISE,
                imported: known.map_or(own.imported.then_some(now), |known| known.imported),
                jwk: own.jwk,
            };
            self.store.publish(&key).await?;
        }
        Ok(())
    }

    /// Of all replicas that start on an empty store, the first one's key may sign at once.
    async fn first(&self) -> Result<String, StoreError> {
        let preferred = self.ring.own().into_iter().max_by_key(|own| own.preferred);
        let proposal = preferred.map(|own| own.jwk.kid).unwrap_or_default();
        let agreed = self.facts.agree(FIRST_KEY, proposal.as_bytes()).await?;
        Ok(String::from_utf8_lossy(&agreed).into_owned())
    }

    fn is_needed(&self, key: &PublishedKey, now: Timestamp) -> bool {
        key.is_needed_at(now, self.longest_life, self.skew)
    }
}
