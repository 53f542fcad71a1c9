//! A signing key that is about to be revoked makes way for another.

use std::time::Duration;

use crate::clients::authority::Authority;
use crate::clients::change::By;
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::signing_key::KeyState;

use super::key_exchange::KeyExchange;

/// How long a key that is revoked may keep signing until another can.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the exchange is asked whether another can.
const INTERVAL: Duration = Duration::from_millis(100);

impl KeyExchange {
    /// Retires the key, and waits until another signs: no token that is issued meanwhile is lost. If
    /// none comes in time the key goes all the same.
    pub async fn make_way(&self, authority: &Authority, kid: &str) {
        let retired = self.clock.now();
        let is_ours = || self.ring.active_kid().as_deref() == Some(kid);
        match self.changes.retire(By { authority, now: retired }, kid).await {
            Ok(true) => {}
            Ok(false) if is_ours() => {}
            Ok(false) | Err(ClientsError::NoSigningKey) => return, // it signs no more
            Err(reason) => {
                tracing::warn!(%reason, kid, "the key is revoked before another can sign");
                return;
            }
        }
        let another_signs = async {
            let was_ours = is_ours();
            loop {
                let _ = self.exchange().await;
                let waits = if was_ours { is_ours() } else { !self.has_successor(retired).await };
                if !waits {
                    return;
                }
                tokio::time::sleep(INTERVAL).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, another_signs).await;
    }

    /// Whether a key signs that a replica made when one was retired.
    async fn has_successor(&self, retired: Timestamp) -> bool {
        let shared = self.store.published().await.unwrap_or_default();
        let now = self.clock.now();
        let signs = |state| state == KeyState::Active;
        shared.keys.iter().any(|key| key.published >= retired && signs(key.state_at(now)))
    }
}
