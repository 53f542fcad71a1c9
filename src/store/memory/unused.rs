//! Clients that were never used.

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::clients::unused::UnusedClients;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::unused::{has_logged_in, is_unused};
use crate::store::{audit, record};

use super::MemoryStore;

#[async_trait]
impl UnusedClients for MemoryStore {
    async fn unused(&self, before: Timestamp, limit: usize) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let documents = tables.clients.values().map(|(_, document)| document);
        let unused = documents.filter(|document| is_unused(document, before));
        Ok(unused.filter_map(record::to_client).take(limit).collect())
    }

    async fn remove_unused(
        &self,
        client: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        let found = tables.document(&client.id).filter(|document| {
            record::revision(document) == client.revision && !has_logged_in(document)
        });
        if found.is_none() {
            return Ok(false);
        }
        tables.clients.retain(|_, (id, _)| *id != client.id);
        tables.note(record);
        Ok(true)
    }
}
