//! What expired is removed by us, in small batches: not every store can do it by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::Clock;

use super::Upkeep;

/// How often it is looked for.
const INTERVAL: Duration = Duration::from_secs(30);
/// How many records go at once.
const BATCH: usize = 1000;

/// Sweeps again and again, until the task is dropped.
pub async fn run(store: Arc<dyn Upkeep>, clock: Arc<dyn Clock>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        loop {
            match store.sweep(clock.now(), BATCH).await {
                Ok(swept) if swept < BATCH => break,
                Ok(_) => tokio::task::yield_now().await, // there is more; let others write first
                Err(error) => {
                    tracing::debug!(%error, cause = ?std::error::Error::source(&error), "not swept");
                    break;
                }
            }
        }
    }
}
