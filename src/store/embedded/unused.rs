//! Clients that were never used.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction};

use crate::audit::AuditRecord;
use crate::clients::unused::UnusedClients;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::record;
use crate::store::unused::{has_logged_in, is_unused};

use super::EmbeddedStore;
use super::audit::Row;
use super::rows::{READABLE, find, matching};

#[async_trait]
impl UnusedClients for EmbeddedStore {
    async fn unused(&self, before: Timestamp, limit: usize) -> Result<Vec<Client>, StoreError> {
        self.read(move |connection| candidates(connection, before, limit)).await
    }

    async fn remove_unused(
        &self,
        client: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let (id, expected, row) = (client.id.clone(), client.revision, Row::of(record)?);
        let remove = move |transaction: &Transaction<'_>| {
            let found = find(transaction, id.as_str())?.filter(|document| {
                record::revision(document) == expected && !has_logged_in(document)
            });
            if found.is_none() {
                return Ok(false);
            }
            transaction
                .prepare_cached("DELETE FROM clients WHERE client_id = ?1")?
                .execute([id.as_str()])?;
            row.add(transaction)?;
            Ok(true)
        };
        self.writer.write(remove).await
    }
}

fn candidates(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Client>> {
    let which =
        format!("({READABLE}) ->> '$.creatorId' = ?1 AND ({READABLE}) ->> '$.lastLogin' IS NULL");
    matching(connection, &which, &[&record::NOBODY], limit, |document| {
        is_unused(document, before).then(|| record::to_client(document)).flatten()
    })
}
