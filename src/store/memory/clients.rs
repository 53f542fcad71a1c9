//! Clients.

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::clients::{ClientRepository, Cursor, Inserted, ListQuery, Page};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::store_error::StoreError;
use crate::store::{Document, audit, record};

use super::MemoryStore;

#[async_trait]
impl ClientRepository for MemoryStore {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        let mut document = record::new_document(client);
        document.insert(record::UPDATED_AT, tables.tick());
        let inserted = tables.add(client.id.clone(), document);
        if inserted == Inserted::Yes {
            tables.note(record);
        }
        Ok(inserted)
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let mut tables = self.tables();
        Ok(tables.document(id).and_then(|document| self.unreadable.client(document)))
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        let now = tables.tick();
        let Some(document) = tables.document(&old.id) else { return Ok(false) };
        if record::revision(document) != old.revision {
            return Ok(false);
        }
        let change = record::Change::between(old, new);
        document.extend(change.set);
        document.insert(record::UPDATED_AT, now);
        for name in change.unset {
            document.remove(name);
        }
        tables.note(record);
        Ok(true)
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        let is_it = |document: &Document| record::revision(document) == old.revision;
        if !tables.document(&old.id).is_some_and(|document| is_it(document)) {
            return Ok(false);
        }
        tables.clients.retain(|_, (held, _)| *held != old.id);
        tables.note(record);
        Ok(true)
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        let start = query.after.as_ref().map(|cursor| cursor.0.parse::<u64>()).transpose();
        let Ok(start) = start else { return Ok(None) };
        let tables = self.tables();
        let after = tables.clients.range(start.map_or(0, |last| last.saturating_add(1))..);
        let mut found = after.take(query.limit + 1).peekable();
        let (mut clients, mut last) = (Vec::new(), None);
        while clients.len() < query.limit {
            let Some((place, (_, document))) = found.next() else { break };
            clients.extend(self.unreadable.client(document));
            last = Some(Cursor(place.to_string()));
        }
        Ok(Some(Page { next: last.filter(|_| found.peek().is_some()), clients }))
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let held = tables.clients.values();
        let clients = held.filter_map(|(_, document)| self.unreadable.client(document));
        Ok(clients.filter(|client| client.permissions.contains(permission)).collect())
    }

    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let held = tables.clients.values();
        let clients = held.filter_map(|(_, document)| self.unreadable.client(document));
        Ok(clients.filter(|client| client.former_ids.contains(former)).collect())
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let documents = tables.clients.values().map(|(_, document)| document);
        let holders =
            documents.filter_map(|document| record::key_holder(document, thumbprints)).take(most);
        Ok(holders.collect())
    }
}
