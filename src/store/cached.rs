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
    remembered: Cache<ClientId, Remembered>,
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
        Self { registry, revocations, remembered: Cache::new(capacity), for_at_most }
    }

    /// What this process changed is in force here at once, and in the log.
    fn changed(&self, client: &Client, record: &AuditRecord) {
        self.revocations.see_client(&client.id, client.state, client.token_epoch, record.at);
        audit_log::log(record);
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
        let inserted = self.registry.insert(client, record).await;
        self.forget(&client.id);
        if matches!(inserted, Ok(Inserted::Yes)) {
            self.changed(client, record);
        }
        inserted
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
        let replaced = self.registry.replace(old, new, record).await;
        // Also after an error: the write may have been carried out all the same.
        self.forget(&old.id);
        if matches!(replaced, Ok(true)) {
            self.changed(new, record);
        }
        replaced
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let removed = self.registry.remove(old, record).await;
        self.forget(&old.id);
        if matches!(removed, Ok(true)) {
            self.changed(&Client { state: State::Deleted, ..old.clone() }, record);
        }
        removed
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        self.registry.list(query).await
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        self.registry.holders(permission).await
    }

    async fn key_holders(&self, thumbprints: &[String]) -> Result<Vec<Client>, StoreError> {
        self.registry.key_holders(thumbprints).await
    }
}
