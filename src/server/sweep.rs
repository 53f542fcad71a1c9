//! What expired is removed by us, in small batches: not every store can do it by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::Upkeep;
use crate::domain::clock::Clock;
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
    let mut failing = false;
    loop {
        interval.tick().await;
        let now = clock.now();
        revocations.forget_expired(now);
        // One that fails must not hold the other up.
        let expired = all(|| store.sweep(now, BATCH)).await;
        let records = match retention {
            Some(retention) => all(|| store.sweep_audit(now - retention, BATCH)).await,
            None => Ok(()),
        };
        match expired.and(records) {
            Err(error) if !failing => {
                failing = true;
                let cause = std::error::Error::source(&error);
                tracing::warn!(%error, ?cause, "cannot remove expired records; trying again");
            }
            swept => failing = swept.is_err(),
        }
    }
}

async fn all<F: Future<Output = Result<usize, StoreError>>>(
    sweep: impl Fn() -> F,
) -> Result<(), StoreError> {
    while sweep().await? >= BATCH {
        tokio::task::yield_now().await; // there is more; let others write first
    }
    Ok(())
}
