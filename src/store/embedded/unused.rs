//! Clients that were never used.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction};

use super::EmbeddedStore;
use super::rows::{find, from_text};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::unused::is_unused;
use crate::store::{Document, record};
use crate::tasks::unused::UnusedClients;

#[async_trait]
impl UnusedClients for EmbeddedStore {
    /// Looks where it disturbs nobody, and looks again at each before it goes.
    async fn remove_unused(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let found = self.read(move |connection| candidates(connection, before, limit)).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let remove = move |transaction: &Transaction<'_>| {
            let mut removed = Vec::new();
            for id in found {
                let document = find(transaction, id.as_str())?;
                if document.is_some_and(|document| is_unused(&document, before)) {
                    transaction
                        .prepare_cached("DELETE FROM clients WHERE client_id = ?1")?
                        .execute([id.as_str()])?;
                    removed.push(id);
                }
            }
            Ok(removed)
        };
        self.writer.write(remove).await
    }
}

fn candidates(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<ClientId>> {
    let mut rows = connection.prepare_cached(
        "SELECT document FROM clients \
         WHERE document ->> '$.creatorId' = ?1 AND document ->> '$.lastLogin' IS NULL",
    )?;
    let mut rows = rows.query([record::NOBODY])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let document: Document = from_text(row.get_ref(0)?.as_str()?)?;
        if is_unused(&document, before) {
            let id = document.get_str(record::CLIENT_ID).ok().and_then(|id| id.parse().ok());
            found.extend(id);
        }
    }
    Ok(found)
}
