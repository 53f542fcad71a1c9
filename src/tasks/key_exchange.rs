//! How the signing keys of all replicas come together: each shows its public halves in the store,
//! and takes in those of the others.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
    /// Our own keys as they were last shown.
    pub shown: Mutex<Vec<PublishedKey>>,
    /// The key that may sign at once, when it is agreed on.
    pub first: OnceLock<String>,
}

impl KeyExchange {
    /// Shows our keys, looks at those of the others, and takes back what nobody needs.
    pub async fn exchange(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut published = self.store.published().await?;
        if self.show(&published, now).await? {
            published = self.store.published().await?;
        }
        for gone in published.iter().filter(|key| !self.is_needed(key, now)) {
            self.store.forget(&gone.jwk.kid).await?;
        }
        published.retain(|key| self.is_needed(key, now));
        self.ring.update(&published, self.first().await?, now);
        Ok(())
    }

    /// Renews the promise of each of our keys when half of it is over, and shows again what is
    /// gone from the store, as if it had never been gone. Whether anything was shown.
    async fn show(&self, published: &[PublishedKey], now: Timestamp) -> Result<bool, StoreError> {
        let before = self.shown().clone();
        let (mut shown, mut wrote) = (Vec::new(), false);
        for own in self.ring.own() {
            let is_this = |key: &&PublishedKey| key.jwk.kid == own.jwk.kid;
            let there = published.iter().find(is_this);
            if there.is_some_and(|key| key.jwk.material != own.jwk.material) {
                let kid = &own.jwk.kid;
                let why = format!("another signing key is published under the kid `{kid}`");
                return Err(StoreError::new(why));
            }
            let known = there.or_else(|| before.iter().find(is_this)).cloned();
            let fresh = PublishedKey {
                published: known.as_ref().map_or(now, |known| known.published),
                signs_until: now + SIGNING_PROMISE,
                imported: known.as_ref().map_or(own.imported.then_some(now), |key| key.imported),
                jwk: own.jwk,
            };
            match there {
                Some(there) if now + SIGNING_PROMISE / 2 < there.signs_until => {
                    shown.push(there.clone());
                }
                _ => {
                    self.store.publish(&fresh).await?;
                    shown.push(fresh);
                    wrote = true;
                }
            }
        }
        *self.shown() = shown;
        Ok(wrote)
    }

    fn shown(&self) -> MutexGuard<'_, Vec<PublishedKey>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of all replicas that start on an empty store, the first one's key may sign at once.
    async fn first(&self) -> Result<&str, StoreError> {
        if let Some(first) = self.first.get() {
            return Ok(first);
        }
        let best = self.ring.own().into_iter().next();
        let proposal = best.map(|own| own.jwk.kid).unwrap_or_default();
        let agreed = self.facts.agree(FIRST_KEY, proposal.as_bytes()).await?;
        Ok(self.first.get_or_init(|| String::from_utf8_lossy(&agreed).into_owned()))
    }

    fn is_needed(&self, key: &PublishedKey, now: Timestamp) -> bool {
        key.is_needed_at(now, self.longest_life, self.skew)
    }
}
