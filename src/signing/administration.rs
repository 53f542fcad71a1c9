//! What an administrator does with the server's signing keys.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::change::By;
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::signing_key::{PublishedKey, Rotation};

use super::Ring;
use super::key_exchange::KeyExchange;
use super::keys::{RotationRequest, SigningKeys};

/// Lists the signing keys of all replicas, rotates and retires them.
pub struct KeyAdministration {
    /// What is changed about them.
    pub keys: SigningKeys,
    /// The keys of this replica.
    pub ring: Arc<dyn Ring>,
    /// What carries a change out on this replica.
    pub exchange: Arc<KeyExchange>,
    /// The longest life of a token.
    pub longest_life: Duration,
    /// How far the clocks of two replicas may be apart.
    pub skew: Duration,
}

/// A key as an administrator is shown it.
#[derive(Debug)]
pub struct ListedKey {
    /// The key.
    pub key: PublishedKey,
    /// Whether this replica has its private half.
    pub is_here: bool,
    /// Since when it signs no more, if it does not.
    pub retired: Option<Timestamp>,
    /// When the last token it signed has ended, and it leaves the key set.
    pub drops: Timestamp,
}

impl KeyAdministration {
    /// Every key that is published, the newest first.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<ListedKey>, ClientsError> {
        let mut keys = self.keys.store.published().await?.keys;
        keys.sort_by(|a, b| (b.published, &b.jwk.kid).cmp(&(a.published, &a.jwk.kid)));
        let own = self.ring.own();
        let listed = keys.into_iter().map(|key| ListedKey {
            is_here: own.iter().any(|own| own.jwk.kid == key.jwk.kid),
            retired: key.retired.or((key.signs_until <= now).then_some(key.signs_until)),
            drops: key.drops_at(self.longest_life, self.skew),
            key,
        });
        Ok(listed.collect())
    }

    /// Requests a new key from every replica; this one makes its own before it returns.
    pub async fn rotate(
        &self,
        by: By<'_>,
        request: RotationRequest,
    ) -> Result<Rotation, ClientsError> {
        let rotation = self.keys.rotate(by, request).await?;
        self.carry_out().await;
        Ok(rotation)
    }

    /// Retires a key: its replica switches to another, and never signs with it again.
    pub async fn retire(&self, by: By<'_>, kid: &str) -> Result<(), ClientsError> {
        self.keys.retire(by, kid).await?;
        self.carry_out().await;
        Ok(())
    }

    /// Carries a change out here at once. It is durable: what fails now is done at the next poll.
    async fn carry_out(&self) {
        if let Err(reason) = self.exchange.exchange().await {
            tracing::warn!(%reason, "cannot apply the change of signing keys now; trying again");
        }
    }
}
