//! Clients that registered themselves and were never used are removed after a while.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;

use super::logins::PendingLogins;
use super::{ClientCache, Upkeep};

/// How often it is looked for them: each time the clients are read.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How many go at once.
const BATCH: usize = 100;

/// A store that knows who was never used.
#[async_trait]
pub trait UnusedClients: Send + Sync {
    /// Removes clients that registered themselves before `before`, are `PUBLIC`, hold no permission
    /// and never got a token; `limit` at the most. Who was removed. A client of which any of that is
    /// no longer true when it would be removed stays.
    async fn remove_unused(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError>;
}

/// Removes them, if an age is set.
pub struct UnusedSweep {
    /// After how long; `None`: never.
    pub age: Option<Duration>,
    /// Where they are.
    pub store: Arc<dyn UnusedClients>,
    /// Where logins are written.
    pub upkeep: Arc<dyn Upkeep>,
    /// Logins that the store does not know yet.
    pub logins: Arc<PendingLogins>,
    /// Where clients are remembered.
    pub remembered: Arc<dyn ClientCache>,
}

impl UnusedSweep {
    /// Removes all that there are now. How many there were.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let Some(age) = self.age else { return Ok(0) };
        let mut removed = 0;
        loop {
            // Whoever has just got its first token is used.
            self.logins.flush(&*self.upkeep).await;
            let gone = self.store.remove_unused(now - age, BATCH).await?;
            for client_id in &gone {
                self.remembered.forget(client_id);
                tracing::info!(%client_id, "removed a client that was never used");
            }
            removed += gone.len();
            if gone.len() < BATCH {
                return Ok(removed);
            }
            tokio::task::yield_now().await; // there may be more; let others write first
        }
    }
}

/// Sweeps again and again, until the task is dropped.
pub async fn run(sweep: Arc<UnusedSweep>, clock: Arc<dyn Clock>) {
    let mut interval = tokio::time::interval(INTERVAL);
    while sweep.age.is_some() {
        interval.tick().await;
        if let Err(error) = sweep.sweep(clock.now()).await {
            tracing::warn!(%error, cause = ?std::error::Error::source(&error), "unused clients stay");
        }
    }
}
