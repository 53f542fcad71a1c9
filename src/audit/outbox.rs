//! Audit records are moved from the documents they were written with to where they are read.

use std::sync::Arc;
use std::time::Duration;

use super::Outbox;

/// How often it is looked for some.
const INTERVAL: Duration = Duration::from_millis(500);
/// How many documents are emptied at once.
const BATCH: usize = 200;

/// Moves them again and again, until the task is dropped.
pub async fn run(outbox: Arc<dyn Outbox>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        flush(&*outbox).await;
    }
}

/// Moves all that there are. What cannot be moved now stays where it is, for later.
pub async fn flush(outbox: &dyn Outbox) {
    while let Ok(moved) = outbox.move_on(BATCH).await
        && moved >= BATCH
    {
        tokio::task::yield_now().await; // there is more; let others write first
    }
}
