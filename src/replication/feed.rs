//! News from other replicas: which clients changed, what was revoked, which keys are published.
//!
//! Every replica looks each half second, by date, with an overlap for clocks that differ. It works
//! on any database, and it also sees what other tools wrote.

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

/// How many clients are looked at in one question: with a million that were changed today, none
/// takes long.
const AT_ONCE: usize = 1000;
/// How many changes, or revocations, are read at once: after a change of a million clients, say, no
/// question takes long.
const PAGE: usize = 5000;
/// How often it is said how far everything is loaded.
const TOLD_EVERY: Duration = Duration::from_secs(3);

/// How far everything is loaded.
#[derive(Debug)]
struct Progress {
    revocations: usize,
    clients: usize,
    told: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self { revocations: 0, clients: 0, told: Instant::now() }
    }
}

impl Progress {
    fn tell(&mut self) {
        if self.told.elapsed() >= TOLD_EVERY {
            let Self { revocations, clients, .. } = self;
            tracing::info!(revocations, clients, "loading revocations and clients");
            self.told = Instant::now();
        }
    }
}

/// Which changes were seen, and up to when.
#[derive(Debug, Default)]
struct Seen {
    mark_ms: i64,
    statuses: HashMap<ClientId, ClientStatus>,
    reading: Option<Reading>,
}

/// Changes that are read page by page, which goes on after a failure where it was.
#[derive(Clone, Debug)]
struct Reading {
    since_ms: i64,
    now_ms: i64,
    latest_ms: i64,
    after: Option<String>,
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

    /// Everything that may matter to a living token. What happens meanwhile is seen by the next
    /// look, which begins where this one did.
    async fn load(&self) -> Result<(), StoreError> {
        let now_ms = self.log.now_ms().await?;
        let mut progress = Progress::default();
        self.load_revocations(&mut progress).await?;
        let mut after = None;
        let memory = i64::try_from(self.statuses.memory().as_millis()).unwrap_or(i64::MAX);
        let since_ms = now_ms.saturating_sub(memory);
        loop {
            let page = self.log.ended_since(since_ms, after.as_deref(), AT_ONCE).await?;
            progress.clients += page.looked_at;
            progress.tell();
            for status in &page.statuses {
                self.statuses.see(status);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut seen = self.seen();
        seen.mark_ms = now_ms.max(1);
        seen.reading = None;
        Ok(())
    }

    async fn look_at_revocations(
        &self,
        since_ms: Option<i64>,
        progress: &mut Progress,
    ) -> Result<usize, StoreError> {
        let (mut after, mut unknown) = (None, 0);
        loop {
            let page = self.log.revocations(since_ms, after.as_deref(), PAGE).await?;
            self.misunderstood(page.unknown);
            unknown += page.unknown;
            progress.revocations += page.revocations.len();
            progress.tell();
            self.statuses.revoked(&page.revocations);
            after = page.next;
            if after.is_none() {
                return Ok(unknown);
            }
        }
    }

    async fn load_revocations(&self, progress: &mut Progress) -> Result<(), StoreError> {
        let unknown = self.look_at_revocations(None, progress).await?;
        if unknown == 0 && !self.understands.swap(true, Ordering::Relaxed) {
            tracing::info!("all revocations can be read again");
        }
        Ok(())
    }

    /// Reads the revocations again while one of them is not understood: it may have been repaired or
    /// removed.
    pub async fn look_for_repairs(&self) -> Result<(), StoreError> {
        if self.understands() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.load_revocations(&mut Progress::default()).await
    }

    async fn repairs(&self) {
        loop {
            tokio::time::sleep(BACKGROUND).await;
            if let Err(error) = self.look_for_repairs().await {
                tracing::debug!(%error, "cannot check for repaired revocations");
            }
        }
    }

    async fn look_at_changes(&self) -> Result<(), StoreError> {
        let unfinished = self.seen().reading.clone();
        if let Some(reading) = unfinished {
            // What was changed behind its place meanwhile is seen below.
            self.read_on(reading).await?;
        }
        let since_ms = self.seen().mark_ms - OVERLAP_MS;
        // Before the changes: what happens in between is seen the next time again.
        let now_ms = self.log.now_ms().await?;
        self.look_at_revocations(Some(since_ms), &mut Progress::default()).await?;
        self.read_on(Reading { since_ms, now_ms, latest_ms: since_ms, after: None }).await
    }

    /// The mark advances when all is read: pages are not in the order of dates.
    async fn read_on(&self, mut reading: Reading) -> Result<(), StoreError> {
        loop {
            let Reading { since_ms, after, .. } = &reading;
            let page = self.log.changed_since(*since_ms, after.as_deref(), PAGE).await?;
            let mut seen = self.seen();
            for status in page.statuses {
                // The whole status, not its date alone: two changes may have the same date.
                if seen.statuses.get(&status.id) != Some(&status) {
                    self.clients.forget(&status.id);
                    self.statuses.see(&status);
                    self.unsettled.notify_one();
                    reading.latest_ms = reading.latest_ms.max(status.updated_at_ms);
                    seen.statuses.insert(status.id.clone(), status);
                }
            }
            reading.after = page.next;
            if reading.after.is_none() {
                let Reading { now_ms, latest_ms, .. } = reading;
                seen.mark_ms = seen.mark_ms.max(latest_ms.min(now_ms)).max(now_ms - OVERLAP_MS);
                let keep_from = seen.mark_ms - OVERLAP_MS;
                seen.statuses.retain(|_, status| status.updated_at_ms >= keep_from);
                seen.reading = None;
                return Ok(());
            }
            seen.reading = Some(reading.clone());
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

    fn misunderstood(&self, count: usize) {
        if count > 0 && self.understands.swap(false, Ordering::Relaxed) {
            tracing::error!(
                count,
                "there are revocations that this version cannot read, and the server is not ready: \
                 run `latchkey store check`"
            );
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
