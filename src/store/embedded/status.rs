//! Reads the status of clients.

use mongodb::bson::{DateTime, doc};
use rusqlite::{Connection, Row, ToSql};

use crate::domain::free_form;
use crate::replication::{ClientStatus, ClientStatusPage};
use crate::store::record;
use crate::store::unreadable::Unreadable;

use super::failure::is_corrupt;
use super::past_damage::{find, lost};
use super::rows::{READABLE, text, to_bson};

/// What a row says of it.
pub(super) struct Found {
    pub(super) status: Option<ClientStatus>,
    client_id: String,
    is_readable: bool,
    place: Place,
}

/// When a client was changed, and its number: where a page ends.
type Place = (i64, i64);

/// Selects what [`read`] reads.
pub(super) fn select(which: &str) -> String {
    format!(
        "SELECT client_id, ({READABLE}) -> '$.__STATE__', ({READABLE}) -> '$.tokenEpoch', \
         updated_at, seq, json_valid(document) FROM clients WHERE {which}"
    )
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    let client_id = text(row, 0)?;
    let place = (row.get(3).unwrap_or_default(), row.get(4)?);
    let updated_at = DateTime::from_millis(place.0);
    let mut document =
        doc! { record::CLIENT_ID: client_id.as_str(), record::UPDATED_AT: updated_at };
    for (column, name) in [(1, record::STATE), (2, record::TOKEN_EPOCH)] {
        let value = free_form::read(&text(row, column)?).ok();
        document.extend(value.map(|value| to_bson((name.to_owned(), value))));
    }
    let status = record::to_status(&document);
    Ok(Found { status, client_id, is_readable: row.get(5).unwrap_or(false), place })
}

/// Where a page goes on.
pub(super) fn place(cursor: &str) -> Option<Place> {
    let (updated_at, seq) = cursor.split_once(' ')?;
    Some((updated_at.parse().ok()?, seq.parse().ok()?))
}

/// Clients that were changed, behind that place. What is damaged is named, and counts as ended.
pub(super) fn page(
    connection: &Connection,
    (since, behind): Place,
    limit: usize,
    unreadable: &Unreadable,
) -> rusqlite::Result<ClientStatusPage> {
    let rest = |found: usize| i64::try_from(limit - found).unwrap_or(i64::MAX);
    // One moment after the other: the index has those of the same in the order of their numbers.
    let same = "updated_at = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut found = some(connection, same, &[&since, &behind, &rest(0)])?;
    if found.len() < limit {
        let later = "updated_at > ?1 ORDER BY updated_at, seq LIMIT ?2";
        found.extend(some(connection, later, &[&since, &rest(found.len())])?);
    }
    for damaged in found.iter().filter(|found| !found.is_readable) {
        // Says so.
        find(connection, &damaged.client_id)?.and_then(|document| unreadable.client(&document));
    }
    let last = found.last().filter(|_| found.len() == limit);
    let next = last.map(|Found { place: (updated_at, seq), .. }| format!("{updated_at} {seq}"));
    let looked_at = found.len();
    let statuses = found.into_iter().filter_map(|found| found.status).collect();
    Ok(ClientStatusPage { statuses, looked_at, next })
}

/// If a page of the file is damaged, one by one.
fn some(
    connection: &Connection,
    which: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<Found>> {
    let mut rows = connection.prepare_cached(&select(which))?;
    match rows.query_map(values, read)?.collect() {
        Err(error) if is_corrupt(&error) => {}
        rows => return rows,
    }
    let sql =
        format!("SELECT updated_at, seq FROM clients INDEXED BY clients_updated_at WHERE {which}");
    let mut places = connection.prepare_cached(&sql)?;
    let places = places.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    places.map(|place| one(connection, place?)).collect()
}

fn one(connection: &Connection, place: Place) -> rusqlite::Result<Found> {
    match connection.prepare_cached(&select("seq = ?1"))?.query_row([place.1], read) {
        Err(error) if is_corrupt(&error) => {}
        row => return row,
    }
    let sql = "SELECT client_id FROM clients INDEXED BY sqlite_autoindex_clients_1 WHERE seq = ?1";
    let client_id = connection.prepare_cached(sql)?.query_row([place.1], |row| text(row, 0))?;
    let status = record::to_status(&lost(client_id.clone()));
    Ok(Found { status, client_id, is_readable: false, place })
}
