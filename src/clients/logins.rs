//! Writes last logins, in batches.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::store_error::StoreError;
use crate::oauth::logins::PendingLogins;

use super::Upkeep;

/// How often they are written.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How many go into one write.
const BATCH: usize = 500;

/// Writes all of them. Each stays until it is written, so none is lost if the store does not
/// answer, or if whoever flushes is stopped half-way.
pub async fn flush(logins: &PendingLogins, store: &dyn Upkeep) -> Result<(), StoreError> {
    let mut done = Ok(());
    for batch in logins.pending().chunks(BATCH) {
        match store.write_logins(batch).await {
            Ok(()) => logins.written(batch),
            Err(error) => done = Err(error),
        }
    }
    done
}

/// Writes them again and again, until the task is dropped.
pub async fn run(logins: Arc<PendingLogins>, store: Arc<dyn Upkeep>) {
    let mut interval = tokio::time::interval(INTERVAL);
    let mut failing = false;
    loop {
        interval.tick().await;
        match flush(&logins, &*store).await {
            Err(error) if !failing => {
                failing = true;
                let cause = std::error::Error::source(&error);
                tracing::warn!(%error, ?cause, "last logins could not be written; trying again");
            }
            flushed => failing = flushed.is_err(),
        }
    }
}
