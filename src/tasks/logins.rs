//! Last logins, written behind in batches: the path of a token does no write for them.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
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
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Most logins are of clients that have one pending: no copy of the id for those.
        match pending.get_mut(client) {
            Some(last) => *last = at.max(*last),
            None => drop(pending.insert(client.clone(), at)),
        }
    }
}

impl PendingLogins {
    /// Writes all of them; those that could not be written stay for the next time.
    pub async fn flush(&self, store: &dyn Upkeep) {
        let taken = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let logins: Vec<_> = taken.into_iter().collect();
        let mut failed = false;
        for batch in logins.chunks(BATCH) {
            failed = failed || store.write_logins(batch).await.is_err();
            if failed {
                for (client, at) in batch {
                    self.note(client, *at);
                }
            }
        }
        if failed {
            tracing::warn!("last logins could not be written; they are kept for later");
        }
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
