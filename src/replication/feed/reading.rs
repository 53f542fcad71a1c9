//! Reads what changed, page by page: everything at a start, and afterwards what is new.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Feed, OVERLAP_MS};
use crate::domain::store_error::StoreError;

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

/// Changes that are read page by page, which goes on after a failure where it was.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    since_ms: i64,
    now_ms: i64,
    latest_ms: i64,
    after: Option<String>,
}

impl Feed {
    /// Everything that may matter to a living token. What happens meanwhile is seen by the next
    /// look, which begins where this one did.
    pub(super) async fn load(&self) -> Result<(), StoreError> {
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

    pub(super) async fn look_at_changes(&self) -> Result<(), StoreError> {
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

    fn misunderstood(&self, count: usize) {
        if count > 0 && self.understands.swap(false, Ordering::Relaxed) {
            tracing::error!(
                count,
                "there are revocations that this version cannot read, and the server is not ready: \
                 run `latchkey store check`"
            );
        }
    }
}
