//! Clients that were never used.

use std::collections::HashSet;

use async_trait::async_trait;
use rusqlite::{Connection, Transaction};

use crate::audit::AuditRecord;
use crate::clients::unused::UnusedClients;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::unused::{has_logged_in, is_unused};
use crate::store::{Document, record};

use super::EmbeddedStore;
use super::audit::Row;
use super::past_damage::{find, matching};
use super::rows::READABLE;

#[async_trait]
impl UnusedClients for EmbeddedStore {
    async fn unused(&self, before: Timestamp, limit: usize) -> Result<Vec<Client>, StoreError> {
        let used = self.used.lock().clone();
        let unused = move |connection: &Connection| candidates(connection, before, &used, limit);
        self.read("clients", unused).await
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
    used: &HashSet<ClientId>,
    limit: usize,
) -> rusqlite::Result<Vec<Client>> {
    let which =
        format!("({READABLE}) ->> '$.creatorId' = ?1 AND ({READABLE}) ->> '$.lastLogin' IS NULL");
    let take = |document: &Document| {
        let client = is_unused(document, before).then(|| record::to_client(document)).flatten();
        client.filter(|client| !used.contains(&client.id))
    };
    matching(connection, &which, &[&record::NOBODY], limit, take, |_| None)
}
