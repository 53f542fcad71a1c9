//! Last logins, written behind in batches: the path of a token does no write for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::oauth::LoginLog;

use super::Upkeep;

/// How often they are written.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How many go into one write.
const BATCH: usize = 500;

/// The logins that are not written yet: per client the last one.
#[derive(Debug, Default)]
pub struct PendingLogins(Mutex<HashMap<ClientId, Timestamp>>);

impl LoginLog for PendingLogins {
    fn note(&self, client: &ClientId, at: Timestamp) {
        let mut pending = self.lock();
        // Most logins are of clients that have one pending: no copy of the id for those.
        match pending.get_mut(client) {
            Some(last) => *last = at.max(*last),
            None => drop(pending.insert(client.clone(), at)),
        }
    }
}

impl PendingLogins {
    /// Writes all of them. Each stays until it is written, so none is lost if the store does not
    /// answer, or if whoever flushes is stopped half-way.
    pub async fn flush(&self, store: &dyn Upkeep) {
        let logins: Vec<_> = self.lock().iter().map(|(id, at)| (id.clone(), *at)).collect();
        for batch in logins.chunks(BATCH) {
            if store.write_logins(batch).await.is_err() {
                tracing::warn!("last logins could not be written; they are kept for later");
                continue;
            }
            let mut pending = self.lock();
            for (client, at) in batch {
                // There may be a later one by now.
                if pending.get(client) == Some(at) {
                    pending.remove(client);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes them again and again, until the task is dropped.
pub async fn run(pending: Arc<PendingLogins>, store: Arc<dyn Upkeep>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        pending.flush(&*store).await;
    }
}
