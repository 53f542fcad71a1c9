//! What was counted; of the processes that this store had, one after the other.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, params};

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::domain::window::{Length, Window};
use crate::oauth::quota::{Counted, QuotaStore};

use super::EmbeddedStore;
use super::apart::Expiring;
use super::failure::is_corrupt;
use super::rows::text;

const COUNTS: Expiring = Expiring { table: "quotas", key: "rowid", column: "until" };

#[async_trait]
impl QuotaStore for EmbeddedStore {
    async fn write_counts(
        &self,
        replica: &str,
        counts: &[(Counted, u64)],
    ) -> Result<(), StoreError> {
        let noted = counts.iter().map(|it| (replica.to_owned(), it.clone()));
        self.write_each("quotas", noted.collect(), note).await.map(drop)
    }

    async fn counts_of_others(
        &self,
        replica: &str,
        clients: Option<&[ClientId]>,
        now: Timestamp,
    ) -> Result<Vec<(Counted, u64)>, StoreError> {
        let (replica, clients) = (replica.to_owned(), clients.map(<[ClientId]>::to_vec));
        self.read("quotas", move |connection| others(connection, &replica, clients.as_deref(), now))
            .await
    }

    async fn sweep_counts(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.remove_expired(COUNTS, before, limit).await
    }
}

fn note(
    transaction: &Transaction<'_>,
    (replica, ((client, window), count)): &(String, (Counted, u64)),
) -> rusqlite::Result<()> {
    let (length, start) = (window.length.as_str(), whole(window.start.0));
    let (until, count) = (whole(window.end().0), whole(*count));
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO quotas (client_id, length, start, replica, until, count) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![client.as_str(), length, start, replica, until, count])
        .map(drop)
}

fn others(
    connection: &Connection,
    replica: &str,
    clients: Option<&[ClientId]>,
    now: Timestamp,
) -> rusqlite::Result<Vec<(Counted, u64)>> {
    let values = params![whole(now.0), replica];
    let Some(clients) = clients else { return counts(connection, "1", values) };
    let mut found = Vec::new();
    for client in clients {
        let values = params![whole(now.0), replica, client.as_str()];
        found.extend(counts(connection, "client_id = ?3", values)?);
    }
    Ok(found)
}

/// If a page of the file is damaged, without those that are on it.
fn counts(
    connection: &Connection,
    which: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<(Counted, u64)>> {
    const COLUMNS: &str = "client_id, length, start, count";
    let which = format!("{which} AND until > ?1 AND replica <> ?2");
    let mut rows =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM quotas WHERE {which}"))?;
    match rows.query_map(values, counted)?.collect::<rusqlite::Result<Vec<_>>>() {
        Err(error) if is_corrupt(&error) => {}
        found => return Ok(found?.into_iter().flatten().collect()),
    }
    let sql = "SELECT rowid FROM quotas INDEXED BY quotas_until WHERE until > ?1";
    let mut numbers = connection.prepare_cached(sql)?;
    let numbers = numbers.query_map([values.first()], |row| row.get(0))?;
    let mut found = Vec::new();
    for number in numbers.collect::<rusqlite::Result<Vec<i64>>>()? {
        let sql = format!("SELECT {COLUMNS} FROM quotas WHERE rowid = {number} AND {which}");
        match connection.query_row(&sql, values, counted).optional() {
            Err(error) if is_corrupt(&error) => {}
            row => found.extend(row?.flatten()),
        }
    }
    Ok(found)
}

/// `None` for what is damaged, or only a newer version could have written.
fn counted(row: &Row<'_>) -> rusqlite::Result<Option<(Counted, u64)>> {
    let client: Option<ClientId> = text(row, 0)?.parse().ok();
    let length: Option<Length> = text(row, 1)?.parse().ok();
    let number = |column| row.get::<_, i64>(column).ok().and_then(|it| u64::try_from(it).ok());
    let (start, count) = (number(2).unwrap_or_default(), number(3).unwrap_or_default());
    let window = length.map(|length| Window { length, start: Timestamp(start) });
    Ok(client.zip(window).map(|counted| (counted, count)))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
