//! News from other replicas: which clients changed, what was revoked, which keys are published.
//!
//! Every replica looks each half second, by date, with an overlap for clocks that differ. It works
//! on any database, and it also sees what other tools wrote.

mod reading;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::clients::ClientCache;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::News;
use crate::signing::key_exchange::KeyExchange;

use reading::Reading;

use super::client_status::ClientStatuses;
use super::{ChangeLog, ClientStatus};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How far back each look reaches beyond the last: the clocks of two writers may differ by this.
const OVERLAP_MS: i64 = 10_000;
/// After how long without news everything is loaded again, as at start: the database that comes
/// back may be another one than the one that went, restored from a backup.
const TOO_LONG: Duration = Duration::from_secs(300);
/// How often it is looked for what leaves no trace.
const BACKGROUND: Duration = Duration::from_secs(10);
/// How many requests may wait for news of an unknown key at once; the others are refused.
const WAITERS: usize = 64;

/// Which changes were seen, and up to when.
#[derive(Debug, Default)]
struct Seen {
    mark_ms: i64,
    statuses: HashMap<ClientId, ClientStatus>,
    reading: Option<Reading>,
}

/// Looks for news, and says when it last did.
pub struct Feed {
    keys: Arc<KeyExchange>,
    log: Arc<dyn ChangeLog>,
    clients: Arc<dyn ClientCache>,
    statuses: ClientStatuses,
    // A store of our own has no other writers: what we change there we know already.
    shared: bool,
    seen: Mutex<Seen>,
    turn: tokio::sync::Mutex<()>,
    looked: Notify,
    unsettled: Notify,
    waiters: Semaphore,
    answers: AtomicBool,
    understands: AtomicBool,
    heard: Mutex<Instant>,
}

impl Feed {
    /// A feed that has not looked yet. `shared` says whether others write to the store too.
    #[must_use]
    pub fn new(
        keys: Arc<KeyExchange>,
        log: Arc<dyn ChangeLog>,
        clients: Arc<dyn ClientCache>,
        statuses: ClientStatuses,
        shared: bool,
    ) -> Self {
        Self {
            keys,
            log,
            clients,
            statuses,
            shared,
            seen: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            looked: Notify::new(),
            unsettled: Notify::new(),
            waiters: Semaphore::new(WAITERS),
            answers: AtomicBool::new(false),
            understands: AtomicBool::new(true),
            heard: Mutex::new(Instant::now()),
        }
    }

    /// Looks once.
    pub async fn look(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let looked = self.look_at_everything().await;
        self.answers.store(looked.is_ok(), Ordering::Relaxed);
        if looked.is_ok() {
            *self.heard.lock() = began;
            self.looked.notify_waiters();
        }
        looked
    }

    async fn look_at_everything(&self) -> Result<(), StoreError> {
        // One after the other: a look that began before a key was revoked must not bring it back.
        let _turn = self.turn.lock().await;
        let mark = self.seen().mark_ms;
        let too_old = self.shared && self.heard_ago() > TOO_LONG;
        if mark == 0 || too_old {
            self.clients.forget_all();
            self.load().await?;
        } else if self.shared {
            self.look_at_changes().await?;
        }
        // Behind the revocations, some of which may be of keys.
        self.keys.exchange().await
    }

    async fn repairs(&self) {
        loop {
            tokio::time::sleep(BACKGROUND).await;
            if let Err(error) = self.look_for_repairs().await {
                tracing::debug!(%error, "cannot check for repaired revocations");
            }
        }
    }

    /// Looks for what leaves no trace, beside the polls: with many clients it takes a while, and
    /// the news of others must not wait for it.
    async fn watch(&self) {
        loop {
            tokio::time::sleep(BACKGROUND).await;
            match self.statuses.look_again(&*self.log).await {
                Ok(gone) => gone.iter().for_each(|id| self.clients.forget(id)),
                Err(error) => tracing::debug!(%error, "cannot check for deleted clients"),
            }
        }
    }

    /// Whether the store answered when it was last looked at.
    #[must_use]
    pub fn store_answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    /// Whether every revocation can be read, or its name says what it is.
    #[must_use]
    pub fn understands(&self) -> bool {
        self.understands.load(Ordering::Relaxed)
    }

    /// Looks again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        if self.shared {
            tokio::join!(self.poll(), self.watch(), self.settle(), self.repairs());
        } else {
            tokio::join!(self.poll(), self.repairs());
        }
    }

    /// Makes what was seen last, beside the polls for the same reason.
    async fn settle(&self) {
        loop {
            let _ = tokio::time::timeout(INTERVAL, self.unsettled.notified()).await;
            self.statuses.settle().await;
        }
    }

    async fn poll(&self) {
        let mut failing = false;
        loop {
            match self.look().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the store answers again");
                }
                Ok(()) => {}
                // It answers; that there is no room is said elsewhere.
                Err(error) if error.is_unwritable() => {}
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

    fn heard_ago(&self) -> Duration {
        self.heard.lock().elapsed()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock()
    }
}

#[async_trait]
impl News for Feed {
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

    fn staleness(&self) -> Duration {
        if !self.shared {
            return Duration::ZERO;
        }
        self.heard_ago()
    }
}
