//! News from other replicas: which clients changed, and which keys are published.
//!
//! Every replica looks each half second, by date, with an overlap for clocks that differ. It works
//! on any database, and it also sees what other tools wrote.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};

use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::KeyNews;

use super::key_exchange::KeyExchange;
use super::{ClientCache, Upkeep};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How far back each look reaches beyond the last: the clocks of two writers may differ by this.
const OVERLAP_MS: i64 = 10_000;
/// How many requests may wait for news of an unknown key at once; the others are refused.
const WAITERS: usize = 64;

/// Which changes were seen, and up to when.
#[derive(Debug, Default)]
struct Seen {
    mark_ms: i64,
    dates: HashMap<ClientId, i64>,
}

/// Looks for news, and says when it last did.
pub struct Feed {
    /// The keys.
    keys: KeyExchange,
    store: Arc<dyn Upkeep>,
    clients: Arc<dyn ClientCache>,
    // A store of our own has no other writers: what we change there we know already.
    shared: bool,
    seen: Mutex<Seen>,
    looked: Notify,
    waiters: Semaphore,
    answers: AtomicBool,
}

impl Feed {
    /// A feed that has not looked yet. `shared` says whether others write to the store too.
    #[must_use]
    pub fn new(
        keys: KeyExchange,
        store: Arc<dyn Upkeep>,
        clients: Arc<dyn ClientCache>,
        shared: bool,
    ) -> Self {
        Self {
            keys,
            store,
            clients,
            shared,
            seen: Mutex::default(),
            looked: Notify::new(),
            waiters: Semaphore::new(WAITERS),
            answers: AtomicBool::new(false),
        }
    }

    /// Looks once.
    pub async fn look(&self) -> Result<(), StoreError> {
        let looked = self.look_at_everything().await;
        self.answers.store(looked.is_ok(), Ordering::Relaxed);
        if looked.is_ok() {
            self.looked.notify_waiters();
        }
        looked
    }

    async fn look_at_everything(&self) -> Result<(), StoreError> {
        self.keys.exchange().await?;
        if self.shared {
            self.look_at_clients().await?;
        }
        Ok(())
    }

    async fn look_at_clients(&self) -> Result<(), StoreError> {
        let mark = self.seen.lock().unwrap_or_else(PoisonError::into_inner).mark_ms;
        // At first nothing is remembered, so nothing that changed before can be out of date.
        let since = if mark == 0 { i64::MAX } else { mark - OVERLAP_MS };
        let changes = self.store.changes(since).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if mark == 0 {
            seen.mark_ms = changes.now_ms;
        }
        for (id, at) in changes.clients {
            if seen.dates.get(&id) != Some(&at) {
                self.clients.forget(&id);
                seen.mark_ms = seen.mark_ms.max(at.min(changes.now_ms));
                seen.dates.insert(id, at);
            }
        }
        let keep_from = seen.mark_ms - OVERLAP_MS;
        seen.dates.retain(|_, at| *at >= keep_from);
        Ok(())
    }

    /// Whether the store answered when it was last looked at.
    #[must_use]
    pub fn store_answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    /// Looks again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut failing = false;
        loop {
            match self.look().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the store answers again");
                }
                Ok(()) => {}
                Err(error) if !failing => {
                    failing = true;
                    let cause = std::error::Error::source(&error);
                    tracing::error!(%error, ?cause, "the store does not answer; trying again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

#[async_trait]
impl KeyNews for Feed {
    async fn next(&self) -> Result<bool, StoreError> {
        if !self.shared {
            return Ok(false);
        }
        let Ok(_place) = self.waiters.try_acquire() else {
            let away = || StoreError::new("the signing keys of other replicas are not known");
            return if self.store_answers() { Ok(false) } else { Err(away()) };
        };
        let news = tokio::time::timeout(2 * INTERVAL, self.looked.notified()).await;
        news.map(|()| true).map_err(|_| StoreError::new("no news of the signing keys"))
    }
}
