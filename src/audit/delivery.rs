//! Delivers audit events to a webhook: each at least once, the oldest first, by one replica at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::domain::clock::{Clock, DAY, Timestamp};
use crate::domain::store_error::StoreError;
use crate::random;

use super::lease::Lease;
use super::message::{Message, Topic, WebhookKey};
use super::{Action, AuditRecord, Messenger, Outbox, Undelivered};

/// The name of the lease.
pub const LEASE: &str = "webhook";
/// How long it is: more than two attempts may take, each as long as a messenger's patience.
pub const LEASE_LENGTH: Duration = Duration::from_secs(60);
/// How often it is looked for something to tell.
const INTERVAL: Duration = Duration::from_millis(500);
/// How many records are looked at in one go.
const BATCH: usize = 100;
/// For how long the delivery of an event is tried.
const PATIENCE: Duration = Duration::from_secs(3 * DAY.as_secs());
/// How many records that were refused may wait while those behind them go on.
const MOST_REFUSED: usize = 100;
/// The longest pause between two attempts, in seconds; the first is a second long.
const LONGEST_PAUSE: u64 = 300;

/// Delivers events.
pub struct Delivery {
    /// Where the records are.
    pub outbox: Arc<dyn Outbox>,
    /// What brings them there.
    pub messenger: Arc<dyn Messenger>,
    /// What they are signed with.
    pub key: WebhookKey,
    /// Which of them.
    pub topics: Vec<Topic>,
    /// What makes it one replica at a time.
    pub lease: Lease,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What came of it so far.
    pub tally: Tally,
    /// What it waits for.
    pub backlog: Mutex<Backlog>,
}

/// What came of the attempts of this process.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that arrived.
    pub delivered: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    oldest: AtomicU64,
    stopping: AtomicBool,
}

impl Tally {
    /// How old the oldest record is that should have been told of; zero if there is none, or if
    /// another replica does the telling.
    #[must_use]
    pub fn oldest_age(&self, now: Timestamp) -> u64 {
        match self.oldest.load(Ordering::Relaxed) {
            0 => 0,
            oldest => now.0.saturating_sub(oldest),
        }
    }
}

/// What failed, and when to try again.
#[derive(Debug, Default)]
pub struct Backlog {
    // Nobody answers: everything waits.
    away: Pause,
    // These were not taken: the others go on.
    refused: HashMap<String, Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    failures: u32,
    over: Timestamp,
}

impl Pause {
    /// Twice as long each time; somewhere in its second half, so that not all come at once.
    fn lengthen(&mut self, now: Timestamp) {
        let longest = 1_u64.checked_shl(self.failures).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let random = random::bytes().map_or(0, u32::from_be_bytes);
        let pause = longest - u64::from(random) % (longest / 2 + 1);
        self.over = now + Duration::from_secs(pause);
    }
}

impl Delivery {
    /// Tells again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            while self.look().await {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Lets what is being sent arrive, then leaves the rest to others.
    pub async fn stop(&self) {
        self.tally.stopping.store(true, Ordering::Relaxed);
        let _at_rest = self.backlog.lock().await;
        self.lease.give_back(self.clock.now()).await;
    }

    /// Tells what there is to tell now. True if there may be more.
    pub async fn look(&self) -> bool {
        let mut backlog = self.backlog.lock().await;
        match self.tell(&mut backlog).await {
            Ok(more) => more,
            Err(error) => {
                tracing::debug!(%error, cause = ?std::error::Error::source(&error), "cannot read webhook events from the store");
                false
            }
        }
    }

    async fn tell(&self, backlog: &mut Backlog) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if self.is_stopping() || now < backlog.away.over {
            return Ok(false);
        }
        if !self.lease.hold(now).await? {
            self.tally.oldest.store(0, Ordering::Relaxed);
            return Ok(false);
        }
        let limit = BATCH + backlog.refused.len();
        let records = self.outbox.untold(now - PATIENCE, limit).await?;
        let full = records.len() >= limit;
        backlog.refused.retain(|id, _| records.iter().any(|record| record.id == *id));
        let (wanted, unwanted): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| self.wants(record));
        let oldest = wanted.first().map_or(0, |record| record.at.0);
        self.tally.oldest.store(oldest, Ordering::Relaxed);
        if !unwanted.is_empty() {
            let ids: Vec<String> = unwanted.iter().map(|record| record.id.clone()).collect();
            self.outbox.told(&ids).await?;
        }
        let arrived = self.tell_each(&wanted, backlog).await?;
        Ok(full && (arrived || !unwanted.is_empty()))
    }

    /// True if any of them arrived.
    async fn tell_each(
        &self,
        records: &[AuditRecord],
        backlog: &mut Backlog,
    ) -> Result<bool, StoreError> {
        let mut arrived = false;
        for record in records {
            let now = self.clock.now();
            if backlog.refused.get(&record.id).is_some_and(|pause| now < pause.over) {
                continue;
            }
            if self.is_stopping() || !self.lease.hold(now).await? {
                break;
            }
            let message = Message::about(record, &self.key, now);
            match self.messenger.send(&message).await {
                Ok(()) => {
                    self.outbox.told(std::slice::from_ref(&record.id)).await?;
                    self.tally.delivered.fetch_add(1, Ordering::Relaxed);
                    backlog.refused.remove(&record.id);
                    backlog.away = Pause::default();
                    arrived = true;
                }
                Err(undelivered) => {
                    self.tally.failed.fetch_add(1, Ordering::Relaxed);
                    if self.is_away(record, &undelivered, backlog) {
                        break;
                    }
                }
            }
        }
        Ok(arrived)
    }

    /// Notes the failure; true if it is of no use to go on with the next.
    fn is_away(&self, record: &AuditRecord, why: &Undelivered, backlog: &mut Backlog) -> bool {
        tracing::warn!(audit = record.action.name(), id = record.id, reason = %why, "webhook delivery failed");
        let now = self.clock.now();
        let known = backlog.refused.contains_key(&record.id);
        let room = known || backlog.refused.len() < MOST_REFUSED;
        match why {
            Undelivered::Refused(_) if room => {
                let pause = backlog.refused.entry(record.id.clone()).or_default();
                pause.lengthen(now);
                false
            }
            Undelivered::Refused(_) | Undelivered::Away(_) => {
                backlog.away.lengthen(now);
                true
            }
        }
    }

    /// What was done by a record that cannot be read may be any of them.
    fn wants(&self, record: &AuditRecord) -> bool {
        record.action == Action::Unreadable
            || self.topics.iter().any(|topic| topic.covers(record.action))
    }

    fn is_stopping(&self) -> bool {
        self.tally.stopping.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let (mut pause, now) = (Pause::default(), Timestamp(1000));
        for longest in [1_u64, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            pause.lengthen(now);
            let length = pause.over.0 - now.0;
            assert!((longest.div_ceil(2)..=longest).contains(&length), "{length} of {longest}");
        }
        pause.failures = u32::MAX;
        pause.lengthen(now);
        assert!(pause.over.0 - now.0 >= 150);
    }
}
