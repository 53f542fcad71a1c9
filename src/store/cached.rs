//! Clients kept at hand, so that the path of a token asks the database rarely.

use std::sync::Arc;

use async_trait::async_trait;
use quick_cache::sync::Cache;

use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::store_error::StoreError;
use crate::oauth::ClientStore;
use crate::registry::{Inserted, ListQuery, Page, Registry};
use crate::tasks::ClientCache;

/// A registry whose clients are remembered until they change.
///
/// What this process writes is forgotten at once; what others write is forgotten by
/// [`forget`](ClientCache::forget), which the feed calls. A client that is read while it is being
/// forgotten is not remembered.
pub struct CachedClients {
    registry: Arc<dyn Registry>,
    remembered: Cache<ClientId, Arc<Client>>,
}

impl CachedClients {
    /// Remembers `capacity` clients at the most.
    #[must_use]
    pub fn new(registry: Arc<dyn Registry>, capacity: usize) -> Self {
        Self { registry, remembered: Cache::new(capacity) }
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
        let guard = match self.remembered.get_value_or_guard_async(id).await {
            Ok(client) => return Ok(Some(client)),
            Err(guard) => guard,
        };
        let Some(client) = self.registry.read(id).await?.map(Arc::new) else { return Ok(None) };
        // Refused if `forget` came in between; then only this one use sees what was read.
        let _ = guard.insert(client.clone());
        Ok(Some(client))
    }
}

#[async_trait]
impl Registry for CachedClients {
    async fn insert(&self, client: &Client) -> Result<Inserted, StoreError> {
        let inserted = self.registry.insert(client).await;
        self.forget(&client.id);
        inserted
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.registry.read(id).await
    }

    async fn replace(&self, old: &Client, new: &Client) -> Result<bool, StoreError> {
        let replaced = self.registry.replace(old, new).await;
        // Also after an error: the write may have been carried out all the same.
        self.forget(&old.id);
        replaced
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        self.registry.list(query).await
    }

    async fn is_held(&self, permission: &Permission) -> Result<bool, StoreError> {
        self.registry.is_held(permission).await
    }
}
