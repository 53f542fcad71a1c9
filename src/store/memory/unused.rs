//! Clients that were never used.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::unused::is_unused;
use crate::tasks::unused::UnusedClients;

#[async_trait]
impl UnusedClients for MemoryStore {
    async fn remove_unused(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let mut tables = self.tables();
        let unused = tables.clients.iter().filter(|(_, (_, held))| is_unused(held, before));
        let unused: Vec<(u64, ClientId)> =
            unused.map(|(place, (id, _))| (*place, id.clone())).take(limit).collect();
        for (place, _) in &unused {
            tables.clients.remove(place);
        }
        Ok(unused.into_iter().map(|(_, id)| id).collect())
    }
}
