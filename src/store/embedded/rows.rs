//! Documents as rows.

use mongodb::bson::{Bson, DateTime, doc};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};

use crate::domain::free_form;
use crate::domain::permission::Permission;
use crate::registry::Inserted;
use crate::registry::import::extended;
use crate::store::{Document, record};

/// A document as it is written. What could not be read again, because a member has a name like
/// `$date` and means something else, is an error now rather than at every reading.
pub(super) fn to_text(document: Document) -> Result<String, Damage> {
    let text = Bson::Document(document).into_relaxed_extjson().to_string();
    from_text(&text).map(|_| text)
}

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(String);

impl From<Damage> for rusqlite::Error {
    fn from(damage: Damage) -> Self {
        Self::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(damage))
    }
}

/// The document, if it can be read whole.
pub(super) fn from_text(text: &str) -> Result<Document, Damage> {
    let json: Value = serde_json::from_str(text).map_err(|error| Damage(error.to_string()))?;
    match Bson::try_from(json) {
        Ok(Bson::Document(document)) => Ok(document),
        Ok(_) => Err(Damage("it is not a JSON object".to_owned())),
        Err(error) => Err(Damage(error.to_string())),
    }
}

/// The row of a client: its id, when it was changed, and its document.
pub(super) const ROW: &str = "client_id, updated_at, document";

/// The document of a row, to look into: nothing where it is not JSON.
pub(super) const READABLE: &str = "CASE WHEN json_valid(document) THEN document END";

/// What [`ROW`] selects, as a document, as far as it can be read. A row that is damaged is still a
/// client, which gets no tokens.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Document> {
    let text = row.get_ref("document")?;
    let text = text.as_str().unwrap_or_default();
    if let Ok(document) = from_text(text) {
        return Ok(document);
    }
    let mut document = match free_form::read(text) {
        Ok(Value::Object(members)) => members.into_iter().map(to_bson).collect(),
        Ok(_) => doc! { record::DAMAGE: "is not a JSON object" },
        Err(error) => doc! { record::DAMAGE: format!("cannot be read: {error}") },
    };
    let updated_at: i64 = row.get("updated_at")?;
    document.insert(record::CLIENT_ID, row.get::<_, String>("client_id")?);
    document.insert(record::UPDATED_AT, DateTime::from_millis(updated_at));
    Ok(document)
}

/// A member in whatever form of extended JSON a tool wrote it; one that is not understood is there
/// all the same.
pub(super) fn to_bson((name, value): (String, Value)) -> (String, Bson) {
    let plain = || Bson::try_from(extended::plain(value.clone()));
    let read = Bson::try_from(value.clone()).or_else(|_| plain());
    (name, read.unwrap_or(Bson::Undefined))
}

/// The document of a client.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Document>> {
    let sql = format!("SELECT {ROW} FROM clients WHERE client_id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], read).optional()
}

/// The text of a document with such a change made; members that are not changed stay as they are,
/// however deep they are nested.
pub(super) fn changed(
    connection: &Connection,
    id: &str,
    change: record::Change,
) -> rusqlite::Result<String> {
    let path = |name: &str| format!("$.\"{name}\"");
    let mut found =
        connection.prepare_cached("SELECT document FROM clients WHERE client_id = ?1")?;
    let mut text: String = found.query_row([id], |row| row.get(0))?;
    let mut unset = connection.prepare_cached("SELECT json_remove(?1, ?2)")?;
    for name in change.unset {
        text = unset.query_row([text, path(&name)], |row| row.get(0))?;
    }
    let members: Map<String, Value> =
        serde_json::from_str(&to_text(change.set)?).map_err(|error| Damage(error.to_string()))?;
    let mut set = connection.prepare_cached("SELECT json_set(?1, ?2, json(?3))")?;
    for (name, value) in members {
        text = set.query_row([text, path(&name), value.to_string()], |row| row.get(0))?;
    }
    Ok(text)
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
    let held = document.get(record::PERMISSIONS);
    let permissions: Option<Vec<Permission>> = held.and_then(record::list);
    // Of what cannot be read anything is thought possible.
    permissions.is_none_or(|held| held.iter().any(Permission::is_ours))
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
    let mut rows = connection.prepare_cached(&format!(
        "SELECT seq, {ROW} FROM clients WHERE seq > ?1 ORDER BY seq LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![after, limit], |row| Ok((row.get("seq")?, read(row)?)))?;
    rows.collect()
}
