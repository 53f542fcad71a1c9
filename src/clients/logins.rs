//! Writes last logins, in batches.

use std::sync::Arc;
use std::time::Duration;

use crate::oauth::logins::PendingLogins;

use super::Upkeep;

/// How often they are written.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How many go into one write.
const BATCH: usize = 500;

/// Writes all of them. Each stays until it is written, so none is lost if the store does not
/// answer, or if whoever flushes is stopped half-way.
pub async fn flush(logins: &PendingLogins, store: &dyn Upkeep) {
    for batch in logins.pending().chunks(BATCH) {
        if store.write_logins(batch).await.is_ok() {
            logins.written(batch);
        } else {
            tracing::warn!("last logins could not be written; they are kept for later");
        }
    }
}

/// Writes them again and again, until the task is dropped.
pub async fn run(logins: Arc<PendingLogins>, store: Arc<dyn Upkeep>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        flush(&logins, &*store).await;
    }
}
