//! Clients.

use async_trait::async_trait;
use mongodb::bson::DateTime;
use rusqlite::{Connection, Transaction, params};

use crate::audit::AuditRecord;
use crate::clients::{ClientRepository, Cursor, Inserted, ListQuery, Page};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::store_error::StoreError;
use crate::store::unreadable::Unreadable;
use crate::store::{Document, record};

use super::past_damage::{either_copy, find, matching, page};
use super::rows::{READABLE, add, changed, privileged, text, tick};
use super::{EmbeddedStore, audit};

#[async_trait]
impl ClientRepository for EmbeddedStore {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let (id, row) = (client.id.clone(), audit::Row::of(record)?);
        let document = record::new_document(client);
        let insert = move |transaction: &Transaction<'_>| {
            let inserted = add(transaction, id.as_str(), document)?;
            if inserted == Inserted::Yes {
                row.add(transaction)?;
            }
            Ok(inserted)
        };
        self.writer.write(insert).await
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.lookups.find(id).await
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let (id, expected, row) = (old.id.clone(), old.revision, audit::Row::of(record)?);
        let mut change = record::Change::between(old, new);
        let replace = move |transaction: &Transaction<'_>| {
            let Some(mut document) = find(transaction, id.as_str())? else { return Ok(false) };
            if record::revision(&document) != expected {
                return Ok(false);
            }
            let now = tick(transaction)?;
            change.set.insert(record::UPDATED_AT, DateTime::from_millis(now));
            document.extend(change.set.clone());
            let privileged = privileged(&document);
            let document = changed(transaction, id.as_str(), change)?;
            transaction
                .prepare_cached(
                    "UPDATE clients SET updated_at = ?2, privileged = ?3, document = ?4 WHERE client_id = ?1",
                )?
                .execute(params![id.as_str(), now, privileged, document])?;
            row.add(transaction)?;
            Ok(true)
        };
        self.writer.write(replace).await
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let (id, expected, row) = (old.id.clone(), old.revision, audit::Row::of(record)?);
        let remove = move |transaction: &Transaction<'_>| {
            let found = find(transaction, id.as_str())?;
            if !found.is_some_and(|document| record::revision(&document) == expected) {
                return Ok(false);
            }
            delete(transaction, &id)?;
            row.add(transaction)?;
            Ok(true)
        };
        self.writer.write(remove).await
    }

    /// SQLite cannot delete a row of a damaged page, nor always one beside it.
    async fn check_removal(&self, client: &Client) -> Result<(), StoreError> {
        let id = client.id.clone();
        let check = move |transaction: &Transaction<'_>| {
            transaction.execute_batch("SAVEPOINT check_removal")?;
            let deleted = delete(transaction, &id);
            transaction.execute_batch("ROLLBACK TO check_removal; RELEASE check_removal")?;
            deleted
        };
        self.writer.write(check).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        let after = query.after.as_ref().map_or(Ok(0_i64), |cursor| cursor.0.parse());
        let Ok(after) = after else { return Ok(None) };
        let limit = query.limit;
        let unreadable = self.unreadable.clone();
        let page = move |connection: &Connection| {
            let mut rows = page(connection, after, limit.saturating_add(1))?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more);
            Ok(Page {
                next: next.map(|(seq, _)| Cursor(seq.to_string())),
                // Here, on the thread of the store: the keys of all of them are judged.
                clients: rows.iter().filter_map(|(_, it)| unreadable.client(it)).collect(),
            })
        };
        self.read("clients", page).await.map(Some)
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        let (ours, name) = (permission.is_ours(), permission.to_string());
        let unreadable = self.unreadable.clone();
        let holders = move |connection: &Connection| {
            let narrowed = if ours { "privileged = 1 AND" } else { "" };
            let which = format!(
                "{narrowed} EXISTS (SELECT 1 FROM \
                 json_each({READABLE}, '$.permissions') WHERE value = ?1)"
            );
            let take = |found: &Document| unreadable.client(found);
            matching(connection, &which, &[&name], usize::MAX, take, |_| None)
        };
        self.read("clients", holders).await
    }

    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError> {
        let former = former.to_string();
        let unreadable = self.unreadable.clone();
        let successors = move |connection: &Connection| {
            let mut found = Vec::new();
            let ids = ids(connection, FORMER_IDS, ("former = ?1", &former), &unreadable)?;
            for id in ids {
                found.extend(find(connection, &id)?);
            }
            Ok(found)
        };
        let successors = self.read(FORMER_IDS, successors).await?;
        Ok(successors.iter().filter_map(|document| self.unreadable.client(document)).collect())
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        let wanted = serde_json::to_string(thumbprints).map_err(StoreError::new)?;
        let thumbprints = thumbprints.to_owned();
        let unreadable = self.unreadable.clone();
        let holders = move |connection: &Connection| {
            let which = "thumbprint IN (SELECT value FROM json_each(?1))";
            let mut holders = Vec::new();
            for id in ids(connection, THUMBPRINTS, (which, &wanted), &unreadable)? {
                let found = find(connection, &id)?;
                holders.extend(found.and_then(|it| record::key_holder(&it, &thumbprints)));
                if holders.len() >= most {
                    break;
                }
            }
            Ok(holders)
        };
        self.read(THUMBPRINTS, holders).await
    }
}

const FORMER_IDS: &str = "former_client_ids";
const THUMBPRINTS: &str = "key_thumbprints";

/// The ids of clients in one of these tables.
fn ids(
    connection: &Connection,
    table: &str,
    (which, value): (&str, &str),
    unreadable: &Unreadable,
) -> rusqlite::Result<Vec<String>> {
    either_copy((table, &format!("{table}_client")), unreadable, |index| {
        let sql = format!("SELECT DISTINCT client_id FROM {table} {index} WHERE {which}");
        connection.prepare_cached(&sql)?.query_map([value], |row| text(row, 0))?.collect()
    })
}

fn delete(transaction: &Transaction<'_>, id: &ClientId) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM clients WHERE client_id = ?1")?
        .execute([id.as_str()])
        .map(drop)
}
