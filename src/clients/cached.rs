//! Clients kept at hand, so that the path of a token asks the database rarely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use quick_cache::sync::Cache;

use crate::audit::{AuditRecord, audit_log};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::oauth::ClientStore;
use crate::revocation::list::Revocations;

use super::{ClientCache, ClientRepository, Inserted, ListQuery, Page};

/// How long one caller waits for a client to be read, by itself or by another.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many ids are remembered of which there is no client.
const MOST_ABSENT: usize = 10_000;

/// A [`ClientRepository`] whose clients are remembered until they change.
///
/// What this process writes is forgotten at once; what others write is forgotten by
/// [`forget`](ClientCache::forget), which the feed calls, and after a while in any case: a client
/// that another tool deleted leaves nothing for a feed to see. A client that is read while it is
/// being forgotten is not remembered. Nor is one used that was read before its tokens were ended:
/// perhaps it is gone since.
///
/// That there is no client of an id is remembered for a moment too: an unknown id must not cost
/// more than a known one each time. Apart from the clients, so that a flood of ids drives none of
/// them out.
pub struct CachedClients {
    repository: Arc<dyn ClientRepository>,
    revocations: Arc<Revocations>,
    remembered: Cache<ClientId, Remembered>,
    absent: Cache<ClientId, Instant>,
    limits: CacheLimits,
}

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// How many clients.
    pub capacity: usize,
    /// For how long a client at most; `None`: until it changes, for a store that nobody else writes
    /// to.
    pub for_at_most: Option<Duration>,
    /// For how long the absence of a client: so late may one be found that another tool adds.
    pub absent_for: Duration,
}

#[derive(Clone)]
struct Remembered {
    client: Arc<Client>,
    since: Instant,
    /// The epoch that was in force before it was read.
    epoch: u64,
}

impl CachedClients {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(
        repository: Arc<dyn ClientRepository>,
        revocations: Arc<Revocations>,
        limits: CacheLimits,
    ) -> Self {
        let remembered = Cache::new(limits.capacity);
        let absent = Cache::new(MOST_ABSENT);
        Self { repository, revocations, remembered, absent, limits }
    }

    /// Applies a write to this process at once, and logs it.
    fn see<T: PartialEq>(
        &self,
        written: Result<T, StoreError>,
        success: &T,
        client: &Client,
        record: &AuditRecord,
    ) -> Result<T, StoreError> {
        // Also after an error: the write may have been carried out all the same.
        self.forget(&client.id);
        if written.as_ref().is_ok_and(|outcome| outcome == success) {
            let (state, epoch) = (client.state, client.token_epoch);
            self.revocations.see_client(&client.id, state, epoch, record.at);
            audit_log::log(record);
        }
        written
    }

    /// The same client, of at least the epoch that is in force: what is written must not bring back
    /// tokens of a client that was away, not even after a restart.
    fn of_todays_epoch(&self, client: &Client) -> Client {
        let token_epoch = client.token_epoch.max(self.revocations.epoch(&client.id));
        Client { token_epoch, ..client.clone() }
    }

    fn is_good(&self, remembered: &Remembered, epoch: u64) -> bool {
        let is_young = |limit| remembered.since.elapsed() < limit;
        self.limits.for_at_most.is_none_or(is_young) && remembered.epoch >= epoch
    }

    async fn remembered_or_read(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        if self.absent.get(id).is_some_and(|since| since.elapsed() >= self.limits.absent_for) {
            self.absent.remove(id);
        }
        let guard = loop {
            let epoch = self.revocations.epoch(id);
            match self.remembered.get_value_or_guard_async(id).await {
                Ok(remembered) if self.is_good(&remembered, epoch) => {
                    return Ok(Some(remembered.client));
                }
                Ok(_) => self.remembered.remove(id),
                Err(guard) => break guard,
            };
        };
        let Err(absence) = self.absent.get_value_or_guard_async(id).await else { return Ok(None) };
        let (since, epoch) = (Instant::now(), self.revocations.epoch(id));
        let Some(client) = self.repository.read(id).await?.map(Arc::new) else {
            let _ = absence.insert(since); // refused as below
            return Ok(None);
        };
        // Refused if `forget` came in between; then only this one use sees what was read.
        let _ = guard.insert(Remembered { client: client.clone(), since, epoch });
        Ok(Some(client))
    }
}

impl ClientCache for CachedClients {
    fn forget(&self, id: &ClientId) {
        self.remembered.remove(id);
        self.absent.remove(id);
    }

    fn forget_all(&self) {
        self.remembered.clear();
        self.absent.clear();
    }
}

#[async_trait]
impl ClientStore for CachedClients {
    async fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        // While the store is away, those who wait for the same client must not add up their waits.
        let found = tokio::time::timeout(PATIENCE, self.remembered_or_read(id)).await;
        found.map_err(|_| StoreError::new("the client was not read in time"))?
    }
}

#[async_trait]
impl ClientRepository for CachedClients {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let written = self.repository.insert(client, record).await;
        self.see(written, &Inserted::Yes, client, record)
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.repository.read(id).await
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let new = self.of_todays_epoch(new);
        let written = self.repository.replace(old, &new, record).await;
        self.see(written, &true, &new, record)
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let removed = Client { state: State::Deleted, ..old.clone() };
        let written = self.repository.remove(old, record).await;
        self.see(written, &true, &removed, record)
    }

    async fn check_removal(&self, client: &Client) -> Result<(), StoreError> {
        self.repository.check_removal(client).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        self.repository.list(query).await
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        self.repository.holders(permission).await
    }

    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError> {
        self.repository.successors(former).await
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        self.repository.key_holders(thumbprints, most).await
    }
}
