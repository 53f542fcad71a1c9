//! Clients that registered themselves and were never used are removed after a while.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::audit::{Action, AuditRecord, Author, Recorder, audit_log};
use crate::domain::client::Client;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::ClientId;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::oauth::logins::PendingLogins;
use crate::revocation::list::Revocations;

use super::{ClientCache, Upkeep, logins};

/// How often it is looked for them: each time the clients are read.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How many go at once.
const BATCH: usize = 100;

/// A store that knows who was never used.
#[async_trait]
pub trait UnusedClients: Send + Sync {
    /// Clients that registered themselves before `before`, are `PUBLIC`, hold no permission and
    /// never got a token; at most `limit`.
    async fn unused(&self, before: Timestamp, limit: usize) -> Result<Vec<Client>, StoreError>;

    /// Removes such a client, with the record of it in the same write, unless it was changed or
    /// used since. Whether it was removed.
    async fn remove_unused(
        &self,
        client: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError>;
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
    /// Where it is seen that they are gone.
    pub revocations: Arc<Revocations>,
    /// What makes records.
    pub recorder: Arc<Recorder>,
    /// Unused clients that cannot be removed; of each it is said once.
    pub damaged: Mutex<HashSet<ClientId>>,
}

impl UnusedSweep {
    /// Removes all that there are now. How many there were.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let Some(age) = self.age else { return Ok(0) };
        let mut removed = 0;
        loop {
            // Whoever has just got its first token is used.
            logins::flush(&self.logins, &*self.upkeep).await?;
            let unused = self.store.unused(now - age, BATCH).await?;
            let mut gone = 0;
            for client in &unused {
                match self.remove(client, now).await {
                    Err(error) if error.is_damaged() => {
                        if self.damaged.lock().insert(client.id.clone()) {
                            tracing::warn!(client_id = %client.id, "an unused client is on a damaged page of the database, and stays");
                        }
                    }
                    removed => gone += usize::from(removed?),
                }
            }
            removed += gone;
            if unused.len() < BATCH || gone == 0 {
                return Ok(removed);
            }
            tokio::task::yield_now().await; // there may be more; let others write first
        }
    }
}

impl UnusedSweep {
    async fn remove(&self, client: &Client, now: Timestamp) -> Result<bool, StoreError> {
        let (author, pair) = (Author::server(), (Some(client), None));
        let record = self.recorder.change(&author, Action::ClientDeleted, pair, now);
        let record = record.map_err(StoreError::new)?;
        let removed = self.store.remove_unused(client, &record).await?;
        if removed {
            self.remembered.forget(&client.id);
            self.revocations.see_client(&client.id, State::Deleted, client.token_epoch, now);
            audit_log::log(&record);
        }
        Ok(removed)
    }
}

/// Sweeps again and again, until the task is dropped.
pub async fn run(sweep: Arc<UnusedSweep>, clock: Arc<dyn Clock>) {
    let mut interval = tokio::time::interval(INTERVAL);
    while sweep.age.is_some() {
        interval.tick().await;
        if let Err(error) = sweep.sweep(clock.now()).await {
            tracing::warn!(%error, cause = ?std::error::Error::source(&error), "cannot remove unused clients");
        }
    }
}
