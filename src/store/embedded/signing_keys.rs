//! The public halves of the signing keys, and requests for new ones.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::signing_key::{PublishedKey, Rotation, SharedKeys};
use crate::domain::store_error::StoreError;
use crate::signing::SigningKeyStore;
use crate::signing::keys::Retired;
use crate::store::{Document, signing_key_record as record};

use super::failure::is_corrupt;
use super::past_damage::{Range, in_ranges};
use super::rows::{from_text, text, to_text};
use super::{EmbeddedStore, audit};

#[async_trait]
impl SigningKeyStore for EmbeddedStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let (kid, first) = (key.jwk.kid.clone(), record::to_document(key));
        let renewal = record::renewal(key);
        let publish = move |transaction: &Transaction<'_>| put(transaction, &kid, renewal, first);
        self.writer.write(publish).await
    }

    async fn leave_tombstone(&self, kid: &str) -> Result<(), StoreError> {
        let (kid, remains) = (kid.to_owned(), record::remains(kid));
        let change = (remains.clone(), record::LIVING.to_vec());
        let write = move |transaction: &Transaction<'_>| put(transaction, &kid, change, remains);
        self.writer.write(write).await
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        self.remove(kid.to_owned()).await
    }

    async fn forget_request(&self, id: &str) -> Result<(), StoreError> {
        self.remove(record::rotation_name(id)).await
    }

    async fn published(&self) -> Result<SharedKeys, StoreError> {
        let mut rows = self.read("signing_keys", all).await?;
        let rows = rows.iter_mut().map(|(name, held)| {
            let held = held.get_or_insert_with(|| record::remains(name));
            (name.as_str(), &*held)
        });
        Ok(record::to_shared_keys(rows))
    }

    async fn retire(
        &self,
        kid: &str,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<Retired, StoreError> {
        let (kid, retirement) = (kid.to_owned(), record::retirement(at));
        let row = audit::Row::of(record)?;
        let retire = move |transaction: &Transaction<'_>| {
            let Some(mut held) = find(transaction, &kid)? else { return Ok(Retired::Unknown) };
            if held.contains_key(record::RETIRED_AT) || held.contains_key(record::TOMBSTONE) {
                return Ok(Retired::Before);
            }
            held.extend(retirement);
            write(transaction, &kid, held)?;
            row.add(transaction)?;
            Ok(Retired::Now)
        };
        self.writer.write(retire).await
    }

    async fn request(&self, rotation: &Rotation, record: &AuditRecord) -> Result<(), StoreError> {
        let (name, document) = record::rotation_document(rotation);
        let row = audit::Row::of(record)?;
        let request = move |transaction: &Transaction<'_>| match find(transaction, &name)? {
            Some(_) => Ok(()),
            None => {
                row.add(transaction)?;
                write(transaction, &name, document)
            }
        };
        self.writer.write(request).await
    }
}

impl EmbeddedStore {
    async fn remove(&self, name: String) -> Result<(), StoreError> {
        let remove = move |transaction: &Transaction<'_>| {
            transaction.execute("DELETE FROM signing_keys WHERE kid = ?1", [name]).map(drop)
        };
        self.writer.write(remove).await
    }
}

/// All of them, by their names; `None` for what cannot be read.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<(String, Option<Document>)>> {
    let some = |which: &str| {
        let sql = format!("SELECT kid, document FROM signing_keys {which}");
        let mut rows = connection.prepare_cached(&sql)?;
        let rows = rows.query_map([], |row| Ok((text(row, 0)?, from_text(&text(row, 1)?).ok())))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    match some("") {
        Err(error) if is_corrupt(&error) => {}
        found => return found,
    }
    let mut names = connection.prepare_cached(
        "SELECT rowid, kid FROM signing_keys INDEXED BY sqlite_autoindex_signing_keys_1 \
         ORDER BY rowid",
    )?;
    let names = names.query_map([], |row| Ok((row.get(0)?, text(row, 1)?)))?;
    let names = names.collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
    let range = |range: Range<'_, (i64, String)>| {
        let [from, to] = [range.from, range.to].map(|(number, _)| number.to_string());
        some(&format!("WHERE {}", range.holds("rowid", &from, &to)))
    };
    in_ranges(&names, usize::MAX, range, |(_, name)| Some((name.clone(), None)))
}

fn find(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<Document>> {
    let mut found =
        transaction.prepare_cached("SELECT document FROM signing_keys WHERE kid = ?1")?;
    found.query_row([name], |row| Ok(read(name, &text(row, 0)?))).optional()
}

/// Of one that is damaged nobody knows whether it was retired: so it was.
fn read(name: &str, text: &str) -> Document {
    from_text(text).unwrap_or_else(|_| record::remains(name))
}

fn write(transaction: &Transaction<'_>, name: &str, document: Document) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO signing_keys (kid, document) VALUES (?1, ?2)";
    transaction.execute(sql, params![name, to_text(document)?]).map(drop)
}

fn put(
    transaction: &Transaction<'_>,
    kid: &str,
    change: (Document, Vec<&str>),
    first: Document,
) -> rusqlite::Result<()> {
    let document = match find(transaction, kid)? {
        Some(held) => record::changed(held, change),
        None => first,
    };
    write(transaction, kid, document)
}
