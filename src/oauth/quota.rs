//! How many tokens each client got in this hour and this day: counted in memory, shared through the
//! store each second. Only clients that have a quota are counted, by the id that they had first: a
//! new id brings no new quota.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use crate::domain::client::Client;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::domain::window::{Length, Window};

/// How often counts are shared.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many go into one write, and how many clients are asked for at once.
const BATCH: usize = 500;
/// After how many rounds the counts of windows that are over are swept.
const SWEEP_EVERY: u32 = 300;
/// For how long they are kept beyond the end, for replicas whose clocks are behind.
const KEPT: Duration = Duration::from_secs(600);
/// How many are swept at once.
const SWEPT: usize = 1000;

/// A client, by its lineage, and an hour or a day.
pub type Counted = (ClientId, Window);

/// Where the replicas tell each other what they counted.
#[async_trait]
pub trait QuotaStore: Send + Sync {
    /// Notes how many tokens this replica has issued in each window, in place of what it noted before.
    async fn write_counts(
        &self,
        replica: &str,
        counts: &[(Counted, u64)],
    ) -> Result<(), StoreError>;

    /// What the replicas but this one noted of windows that end after `now`: of these clients, or of
    /// all. A window comes once for each replica.
    async fn counts_of_others(
        &self,
        replica: &str,
        clients: Option<&[ClientId]>,
        now: Timestamp,
    ) -> Result<Vec<(Counted, u64)>, StoreError>;

    /// Removes what was noted of windows that ended before `before`, at most `limit` records. How
    /// many were removed.
    async fn sweep_counts(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// Quotas of clients that have none of their own; 0 sets none.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultQuotas {
    /// Tokens in an hour.
    pub per_hour: u64,
    /// Tokens in a day.
    pub per_day: u64,
}

/// The client got as many tokens as it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the token quota of this client is used up; reuse the current token")]
pub struct QuotaUsed {
    /// Until it may have another.
    pub wait: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    own: u64,
    // As the store has it.
    written: u64,
    others: u64,
}

/// Counts what this replica issues, and adds what it knows of the others.
pub struct Quotas {
    replica: String,
    defaults: DefaultQuotas,
    store: Arc<dyn QuotaStore>,
    counts: Mutex<HashMap<Counted, Count>>,
}

impl Quotas {
    /// With nothing counted yet. `replica` names this process: one that is started again is another,
    /// and what it counted before is of the others.
    #[must_use]
    pub fn new(replica: String, defaults: DefaultQuotas, store: Arc<dyn QuotaStore>) -> Self {
        Self { replica, defaults, store, counts: Mutex::default() }
    }

    /// Counts one token, if the client may have it. Never waits for the store.
    pub fn take(&self, client: &Client, now: Timestamp) -> Result<(), QuotaUsed> {
        let quotas = self.quotas(client);
        if quotas.iter().all(|(_, quota)| *quota == 0) {
            return Ok(());
        }
        let mut counts = self.counts();
        let limited = || quotas.into_iter().filter(|(_, quota)| *quota > 0);
        let used_up = limited().filter(|(length, quota)| {
            let count = counts.get(&(client.lineage().clone(), Window::at(*length, now)));
            count.is_some_and(|count| count.own.saturating_add(count.others) >= *quota)
        });
        if let Some(end) = used_up.map(|(length, _)| Window::at(length, now).end()).max() {
            let wait = Duration::from_secs(end.0.saturating_sub(now.0).max(1));
            return Err(QuotaUsed { wait });
        }
        for (length, _) in limited() {
            counts.entry((client.lineage().clone(), Window::at(length, now))).or_default().own += 1;
        }
        Ok(())
    }

    /// Takes the last one back: the token was not issued.
    pub fn give_back(&self, client: &Client, now: Timestamp) {
        let mut counts = self.counts();
        for (length, _) in self.quotas(client) {
            if let Some(count) =
                counts.get_mut(&(client.lineage().clone(), Window::at(length, now)))
            {
                count.own = count.own.saturating_sub(1);
            }
        }
    }

    fn quotas(&self, client: &Client) -> [(Length, u64); 2] {
        [
            (Length::Hour, client.quota_per_hour.unwrap_or(self.defaults.per_hour)),
            (Length::Day, client.quota_per_day.unwrap_or(self.defaults.per_day)),
        ]
    }

    /// Takes in what was counted before this process began.
    pub async fn load(&self, now: Timestamp) -> Result<(), StoreError> {
        let counted = self.store.counts_of_others(&self.replica, None, now).await?;
        self.set_others(&HashSet::new(), counted);
        Ok(())
    }

    /// Tells the others what was counted here, and asks what they counted, of the clients that got
    /// tokens here. What cannot be told is kept for the next time.
    pub async fn share(&self, now: Timestamp) -> Result<(), StoreError> {
        let (news, clients) = self.pending(now);
        for batch in news.chunks(BATCH) {
            self.store.write_counts(&self.replica, batch).await?;
            let mut counts = self.counts();
            for (counted, written) in batch {
                if let Some(count) = counts.get_mut(counted) {
                    count.written = *written;
                }
            }
        }
        for batch in clients.chunks(BATCH) {
            let counted = self.store.counts_of_others(&self.replica, Some(batch), now).await?;
            self.set_others(&batch.iter().cloned().collect(), counted);
        }
        Ok(())
    }

    /// What the store does not know yet, and who got tokens here. Windows that are over are forgotten.
    fn pending(&self, now: Timestamp) -> (Vec<(Counted, u64)>, Vec<ClientId>) {
        let mut counts = self.counts();
        counts.retain(|(_, window), _| now < window.end());
        let news = counts.iter().filter(|(_, count)| count.own != count.written);
        let news = news.map(|(counted, count)| (counted.clone(), count.own)).collect();
        let here = counts.iter().filter(|(_, count)| count.own > 0);
        let clients: HashSet<ClientId> = here.map(|((client, _), _)| client.clone()).collect();
        (news, clients.into_iter().collect())
    }

    /// Of the clients that were asked for, what is not in the answer is 0.
    fn set_others(&self, asked: &HashSet<ClientId>, counted: Vec<(Counted, u64)>) {
        let mut sums: HashMap<Counted, u64> = HashMap::new();
        for (counted, count) in counted {
            let sum = sums.entry(counted).or_default();
            *sum = sum.saturating_add(count);
        }
        let mut counts = self.counts();
        for ((client, _), count) in counts.iter_mut() {
            if asked.contains(client) {
                count.others = 0;
            }
        }
        for (counted, sum) in sums {
            counts.entry(counted).or_default().others = sum;
        }
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        while self.store.sweep_counts(now - KEPT, SWEPT).await? >= SWEPT {
            tokio::task::yield_now().await; // there is more; let others write first
        }
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Counted, Count>> {
        self.counts.lock()
    }
}

/// Shares again and again, until the task is dropped.
pub async fn run(quotas: Arc<Quotas>, clock: Arc<dyn Clock>) {
    let mut interval = tokio::time::interval(INTERVAL);
    for round in (0..SWEEP_EVERY).cycle() {
        interval.tick().await;
        let now = clock.now();
        let mut done = quotas.share(now).await;
        if round == 0 && done.is_ok() {
            done = quotas.sweep(now).await;
        }
        if let Err(error) = done {
            let cause = std::error::Error::source(&error);
            tracing::debug!(%error, ?cause, "quotas are not shared; trying again");
        }
    }
}
