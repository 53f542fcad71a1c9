//! Writing many rows, some of which may be on a damaged page of the file: those stay as they are.
//!
//! SQLite commits nothing of a transaction that met such a page, so the rest is written in others.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::unreadable::What;

use super::EmbeddedStore;
use super::audit::seconds;

/// Rows that expire: their table, its key, and the column that says when.
#[derive(Clone, Copy)]
pub(super) struct Expiring {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) column: &'static str,
}

impl EmbeddedStore {
    /// Writes each of `items`, rows of `table`: together, or else in halves of halves. Which of them
    /// could not be written.
    pub(super) async fn write_each<T: Send + Sync + 'static>(
        &self,
        table: &str,
        items: Arc<[T]>,
        write: fn(&Transaction<'_>, &T) -> rusqlite::Result<()>,
    ) -> Result<Vec<usize>, StoreError> {
        let whole = 0..items.len();
        let mut parts = vec![whole];
        let mut damaged = Vec::new();
        while let Some(part) = parts.pop() {
            let (some, these) = (items.clone(), part.clone());
            let all = move |transaction: &Transaction<'_>| {
                let these = some.get(these).unwrap_or_default();
                these.iter().try_for_each(|item| write(transaction, item))
            };
            match self.writer.write(all).await {
                Err(error) if error.is_damaged() && part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
                Err(error) if error.is_damaged() => damaged.push(part.start),
                written => written?,
            }
        }
        if !damaged.is_empty() {
            self.unreadable.met(What::Page, table, "rows on it cannot be written or removed");
        }
        Ok(damaged)
    }

    /// Removes rows that expired before a time, at most `limit`. How many were removed.
    pub(super) async fn remove_expired(
        &self,
        rows: Expiring,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let Expiring { table, key, column } = rows;
        let (before, most) = (seconds(before), i64::try_from(limit).unwrap_or(i64::MAX));
        let keys =
            format!("SELECT {key} FROM {table} WHERE {column} < ?1 ORDER BY {column} LIMIT ?2");
        let delete = format!("DELETE FROM {table} WHERE ({key}) IN ({keys})");
        let all = move |transaction: &Transaction<'_>| {
            transaction.prepare_cached(&delete)?.execute(params![before, most])
        };
        match self.writer.write(all).await {
            Err(error) if error.is_damaged() => {}
            removed => return removed,
        }
        let keys = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(&keys)?;
            let columns = rows.column_count();
            let rows = rows.query_map(params![before, most], |row| {
                // One that is not text cannot be named; it stays.
                Ok((0..columns)
                    .map(|it| row.get(it))
                    .collect::<rusqlite::Result<Vec<Value>>>()
                    .ok())
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let delete = format!("DELETE FROM {table} WHERE ({key}) = ({})", places(key));
        let keys = self.read(table, keys).await?.into_iter().flatten();
        let keys: Arc<[_]> = keys.map(|key| (delete.clone(), key)).collect();
        let all = keys.len();
        let remove = |transaction: &Transaction<'_>, (delete, key): &(String, Vec<Value>)| {
            transaction.prepare_cached(delete)?.execute(params_from_iter(key)).map(drop)
        };
        let left = self.write_each(table, keys, remove).await?;
        Ok(all - left.len())
    }
}

/// A `?` for each column.
fn places(key: &str) -> String {
    let each: Vec<&str> = key.split(',').map(|_| "?").collect();
    each.join(", ")
}
