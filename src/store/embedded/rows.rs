//! Documents as rows.

use mongodb::bson::{Bson, DateTime, doc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, RowIndex, Transaction, params};
use serde_json::{Map, Value};

use crate::clients::Inserted;
use crate::clients::import::extended;
use crate::domain::free_form;
use crate::domain::permission::Permission;
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
    serde_json::from_str(text).map_err(|error| Damage(error.to_string()))
}

/// The row of a client: its id, when it was changed, and its document.
pub(super) const ROW: &str = "client_id, updated_at, document";

/// The document of a row, to look into: nothing where it is not JSON.
pub(super) const READABLE: &str = "CASE WHEN json_valid(document) THEN document END";

/// A column as text. What is not UTF-8 in it is replaced: one damaged row must not fail the others.
pub(super) fn text(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    })
}

/// What [`ROW`] selects, as a document, as far as it can be read. A row that is damaged is still a
/// client, which gets no tokens.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Document> {
    let client_id = text(row, "client_id")?;
    let held = row.get_ref("document")?.as_str().map_err(|error| error.to_string());
    let mut document = match held.map(from_text) {
        Ok(Ok(document)) if is_of(&document, &client_id) => {
            return Ok(document);
        }
        Ok(Ok(document)) => with_damage(document, "names another client"),
        Ok(Err(_)) => as_far_as_possible(&text(row, "document")?),
        Err(error) => {
            let document = as_far_as_possible(&text(row, "document")?);
            with_damage(document, &format!("is not text: {error}"))
        }
    };
    let updated_at: i64 = row.get("updated_at").unwrap_or_default();
    document.insert(record::CLIENT_ID, client_id);
    document.insert(record::UPDATED_AT, DateTime::from_millis(updated_at));
    Ok(document)
}

/// Whether a document says that it is of this client.
pub(super) fn is_of(document: &Document, client_id: &str) -> bool {
    document.get_str(record::CLIENT_ID).is_ok_and(|id| id == client_id)
}

fn as_far_as_possible(text: &str) -> Document {
    match free_form::read(text) {
        Ok(Value::Object(members)) => members.into_iter().map(to_bson).collect(),
        Ok(_) => doc! { record::DAMAGE: "is not a JSON object" },
        Err(error) => doc! { record::DAMAGE: format!("cannot be read: {error}") },
    }
}

fn with_damage(mut document: Document, damage: &str) -> Document {
    document.insert(record::DAMAGE, damage);
    document
}

/// A member in whatever form of extended JSON a tool wrote it; one that is not understood is there
/// all the same.
pub(super) fn to_bson((name, value): (String, Value)) -> (String, Bson) {
    let plain = || Bson::try_from(extended::plain(value.clone()));
    let read = Bson::try_from(value.clone()).or_else(|_| plain());
    (name, read.unwrap_or(Bson::Undefined))
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
