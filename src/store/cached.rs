//! Clients kept at hand, so that the path of a token asks the database rarely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use quick_cache::sync::Cache;

use crate::domain::audit::AuditRecord;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::oauth::revocations::Revocations;
use crate::oauth::{ClientStore, audit_log};
use crate::registry::{Inserted, ListQuery, Page, Registry};
use crate::tasks::ClientCache;

/// How long one caller waits for a client to be read, by itself or by another.
const PATIENCE: Duration = Duration::from_secs(5);

/// A registry whose clients are remembered until they change.
///
/// What this process writes is forgotten at once; what others write is forgotten by
/// [`forget`](ClientCache::forget), which the feed calls, and after a while in any case: a client
/// that another tool deleted leaves nothing for a feed to see. A client that is read while it is
/// being forgotten is not remembered.
pub struct CachedClients {
    registry: Arc<dyn Registry>,
    revocations: Arc<Revocations>,
    remembered: Arc<Cache<ClientId, Remembered>>,
    for_at_most: Option<Duration>,
}

#[derive(Clone)]
struct Remembered {
    client: Arc<Client>,
    since: Instant,
}

impl CachedClients {
    /// Remembers `capacity` clients at the most, each `for_at_most` so long; `None`: until it
    /// changes, for a store that nobody else writes to.
    #[must_use]
    pub fn new(
        registry: Arc<dyn Registry>,
        revocations: Arc<Revocations>,
        capacity: usize,
        for_at_most: Option<Duration>,
    ) -> Self {
        Self { registry, revocations, remembered: Arc::new(Cache::new(capacity)), for_at_most }
    }

    /// Carries a write out to its end, also if whoever asked for it goes away: else the store would
    /// have it and this process would not. What was written is in force here at once, and in the log.
    async fn carry_out<T: PartialEq + Send + 'static>(
        &self,
        write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        success: T,
        (client, record): (Client, AuditRecord),
    ) -> Result<T, StoreError> {
        let (remembered, revocations) = (self.remembered.clone(), self.revocations.clone());
        let carried_out = tokio::spawn(async move {
            let outcome = write.await;
            // Also after an error: the write may have been carried out all the same.
            remembered.remove(&client.id);
            if outcome.as_ref().is_ok_and(|outcome| *outcome == success) {
                revocations.see_client(&client.id, client.state, client.token_epoch, record.at);
                audit_log::log(&record);
            }
            outcome
        });
        carried_out.await.map_err(StoreError::new)?
    }

    /// The same client, of at least the epoch that is in force: what is written must not bring back
    /// tokens of a client that was away, not even after a restart.
    fn of_todays_epoch(&self, client: &Client) -> Client {
        let token_epoch = client.token_epoch.max(self.revocations.epoch(&client.id));
        Client { token_epoch, ..client.clone() }
    }

    fn is_too_old(&self, remembered: &Remembered) -> bool {
        self.for_at_most.is_some_and(|limit| remembered.since.elapsed() >= limit)
    }

    async fn remembered_or_read(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        if self.remembered.get(id).is_some_and(|remembered| self.is_too_old(&remembered)) {
            self.forget(id);
        }
        let guard = match self.remembered.get_value_or_guard_async(id).await {
            Ok(remembered) => return Ok(Some(remembered.client)),
            Err(guard) => guard,
        };
        let since = Instant::now();
        let Some(client) = self.registry.read(id).await?.map(Arc::new) else { return Ok(None) };
        // Refused if `forget` came in between; then only this one use sees what was read.
        let _ = guard.insert(Remembered { client: client.clone(), since });
        Ok(Some(client))
    }
}

impl ClientCache for CachedClients {
    fn forget(&self, id: &ClientId) {
        self.remembered.remove(id);
    }

    fn forget_all(&self) {
        self.remembered.clear();
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
impl Registry for CachedClients {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let (registry, about) = (self.registry.clone(), (client.clone(), record.clone()));
        let (client, record) = about.clone();
        let insert = async move { registry.insert(&client, &record).await };
        self.carry_out(insert, Inserted::Yes, about).await
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.registry.read(id).await
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let (registry, about) =
            (self.registry.clone(), (self.of_todays_epoch(new), record.clone()));
        let (old, (new, record)) = (old.clone(), about.clone());
        let replace = async move { registry.replace(&old, &new, &record).await };
        self.carry_out(replace, true, about).await
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let removed = Client { state: State::Deleted, ..old.clone() };
        let (registry, old, kept) = (self.registry.clone(), old.clone(), record.clone());
        let remove = async move { registry.remove(&old, &kept).await };
        self.carry_out(remove, true, (removed, record.clone())).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        self.registry.list(query).await
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        self.registry.holders(permission).await
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        self.registry.key_holders(thumbprints, most).await
    }
}
