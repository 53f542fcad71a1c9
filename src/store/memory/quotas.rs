//! What replicas counted.

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::quota::{Counted, QuotaStore};

use super::MemoryStore;

#[async_trait]
impl QuotaStore for MemoryStore {
    async fn write_counts(
        &self,
        replica: &str,
        counts: &[(Counted, u64)],
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for (counted, count) in counts {
            tables.quotas.insert((counted.clone(), replica.to_owned()), *count);
        }
        Ok(())
    }

    async fn counts_of_others(
        &self,
        replica: &str,
        clients: Option<&[ClientId]>,
        now: Timestamp,
    ) -> Result<Vec<(Counted, u64)>, StoreError> {
        let tables = self.tables();
        let asked = tables.quotas.iter().filter(|(((client, window), by), _)| {
            by != replica
                && now < window.end()
                && clients.is_none_or(|clients| clients.contains(client))
        });
        Ok(asked.map(|((counted, _), count)| (counted.clone(), *count)).collect())
    }

    async fn sweep_counts(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let over = tables.quotas.keys().filter(|((_, window), _)| window.end() < before);
        let over: Vec<_> = over.take(limit).cloned().collect();
        for key in &over {
            tables.quotas.remove(key);
        }
        Ok(over.len())
    }
}
