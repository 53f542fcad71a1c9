//! Documents as rows.

use mongodb::bson::{Bson, DateTime};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

use crate::domain::permission::Permission;
use crate::registry::Inserted;
use crate::store::{Document, record};

/// A document as it is written. What could not be read again, because a member has a name like
/// `$date` and means something else, is an error now rather than at every reading.
pub(super) fn to_text(document: Document) -> rusqlite::Result<String> {
    let text = Bson::Document(document).into_relaxed_extjson().to_string();
    from_text(&text).map(|_| text)
}

/// A row that is no document is damage: it is an error, not an absence.
pub(super) fn from_text(text: &str) -> rusqlite::Result<Document> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
    };
    let json: Value = serde_json::from_str(text).map_err(|error| damaged(Box::new(error)))?;
    match Bson::try_from(json) {
        Ok(Bson::Document(document)) => Ok(document),
        Ok(_) => Err(damaged("not a document".into())),
        Err(error) => Err(damaged(Box::new(error))),
    }
}

/// The document of a client.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Document>> {
    let mut found =
        connection.prepare_cached("SELECT document FROM clients WHERE client_id = ?1")?;
    let text: Option<String> = found.query_row([id], |row| row.get(0)).optional()?;
    text.map(|text| from_text(&text)).transpose()
}

/// The date of a change: now, and later than any before it.
pub(super) fn tick(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(updated_at) FROM clients")?
        .query_row([], |row| row.get(0))?;
    Ok(DateTime::now().timestamp_millis().max(last.unwrap_or(0) + 1))
}

/// Whether it holds a permission about the server itself.
pub(super) fn privileged(document: &Document) -> bool {
    let permissions =
        document.get_array(record::PERMISSIONS).map(Vec::as_slice).unwrap_or_default();
    let mut named = permissions.iter().filter_map(Bson::as_str);
    named.any(|name| name.parse().is_ok_and(|permission: Permission| permission.is_ours()))
}

/// Adds a document, unless its client is there already.
pub(super) fn add(
    transaction: &Transaction<'_>,
    id: &str,
    mut document: Document,
) -> rusqlite::Result<Inserted> {
    let now = match document.get_datetime(record::UPDATED_AT) {
        Ok(date) => date.timestamp_millis(),
        Err(_) => tick(transaction)?,
    };
    document.insert(record::UPDATED_AT, DateTime::from_millis(now));
    let privileged = privileged(&document);
    let added = transaction
        .prepare_cached(
            "INSERT INTO clients (client_id, updated_at, privileged, document) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![id, now, privileged, to_text(document)?])?;
    Ok(if added == 1 { Inserted::Yes } else { Inserted::Duplicate })
}

/// Documents in the order in which they came, after the one of that number.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, Document)>> {
    let mut rows = connection
        .prepare_cached("SELECT seq, document FROM clients WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![after, limit], |row| {
        Ok((row.get(0)?, from_text(row.get_ref(1)?.as_str()?)?))
    })?;
    rows.collect()
}
