//! What expired is removed by us, in small batches: not every store can do it by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::Upkeep;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::store_error::StoreError;
use crate::revocation::list::Revocations;

/// How often it is looked for.
const INTERVAL: Duration = Duration::from_secs(30);
/// How many records go at once.
const BATCH: usize = 1000;

/// Sweeps again and again, until the task is dropped. Audit records are kept for `retention`;
/// `None`: for ever.
pub(super) async fn run(
    store: Arc<dyn Upkeep>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    retention: Option<Duration>,
) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let now = clock.now();
        revocations.forget_expired(now);
        loop {
            match sweep(&*store, now, retention).await {
                Ok(swept) if swept < BATCH => break,
                Ok(_) => tokio::task::yield_now().await, // there is more; let others write first
                Err(error) => {
                    tracing::debug!(%error, cause = ?std::error::Error::source(&error), "cannot remove expired records");
                    break;
                }
            }
        }
    }
}

async fn sweep(
    store: &dyn Upkeep,
    now: Timestamp,
    retention: Option<Duration>,
) -> Result<usize, StoreError> {
    let expired = store.sweep(now, BATCH).await?;
    let Some(retention) = retention else { return Ok(expired) };
    Ok(expired.max(store.sweep_audit(now - retention, BATCH).await?))
}
