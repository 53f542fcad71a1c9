//! Audit records. They are written where they are read, so none is ever on its way.

use async_trait::async_trait;

use crate::audit::{AuditQuery, AuditRecord, AuditTrail, Outbox};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::audit;

use super::MemoryStore;

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn records(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let tables = self.tables();
        let newest_first = tables.records.values().rev().map(|(record, _)| record);
        Ok(newest_first
            .filter(|record| asks_for(query, record))
            .take(query.limit)
            .cloned()
            .collect())
    }
}

fn asks_for(query: &AuditQuery, record: &AuditRecord) -> bool {
    let client = record.client_id.as_ref().map(ClientId::as_str);
    query.actor.as_ref().is_none_or(|actor| *actor == record.actor)
        && query.action.as_ref().is_none_or(|action| *action == record.action.name())
        && query.client_id.as_deref().is_none_or(|id| client == Some(id))
        && query.from.is_none_or(|from| from <= record.at)
        && query.to.is_none_or(|to| record.at < to)
        && query.after.as_ref().is_none_or(|after| record.id < *after)
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn move_on(&self, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn append(&self, record: &AuditRecord) -> Result<bool, StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        let is_new = !tables.records.contains_key(&record.id);
        tables.note(record);
        Ok(is_new)
    }

    async fn untold(&self, from: Timestamp, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        let tables = self.tables();
        let untold = tables.records.values().filter(|(record, told)| !told && from <= record.at);
        Ok(untold.take(limit).map(|(record, _)| record.clone()).collect())
    }

    async fn told(&self, ids: &[String]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for id in ids {
            if let Some((_, told)) = tables.records.get_mut(id) {
                *told = true;
            }
        }
        Ok(())
    }

    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let held = tables.leases.get(name);
        if held.is_some_and(|(other, end)| other != holder && now < *end) {
            return Ok(false);
        }
        tables.leases.insert(name.to_owned(), (holder.to_owned(), until));
        Ok(true)
    }
}
