//! Whether there is room to write: a store on a disk that is full is served as far as it can be read,
//! and has room again one day.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::Upkeep;

/// How often it is tried to write while that fails.
const INTERVAL: Duration = Duration::from_secs(2);

/// Looks again and again, until the task is dropped; says once what it finds.
pub(super) async fn run(store: Arc<dyn Upkeep>) {
    // What was killed on a full disk may have nothing to write for a while.
    let mut is_known = false;
    let mut had_room = true;
    let mut cause = None;
    loop {
        if !is_known || !store.takes_writes() {
            let pinged = store.ping().await;
            is_known = pinged.is_ok() || !store.takes_writes();
            cause = pinged.err();
        }
        match (had_room, store.takes_writes()) {
            (true, false) => tracing::error!(
                cause = ?cause.as_ref().and_then(std::error::Error::source),
                "the store cannot be written: make room on its disk, or see to the cause; what needs no write is served, \
                 and the server goes on by itself"
            ),
            (false, true) => tracing::info!("the store can be written again"),
            (true, true) | (false, false) => {}
        }
        had_room = store.takes_writes();
        tokio::time::sleep(INTERVAL).await;
    }
}
