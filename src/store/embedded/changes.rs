//! What changed, and what was revoked.

use async_trait::async_trait;
use mongodb::bson::{DateTime, doc};
use rusqlite::{Connection, Row, Transaction, params};

use super::EmbeddedStore;
use super::audit::{self, seconds};
use super::rows::{READABLE, to_bson};
use crate::domain::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::free_form;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::oauth::RevocationStore;
use crate::store::record;
use crate::store::revocation::to_text;
use crate::tasks::{ChangeLog, Changes, RevocationPage, Standing};

/// How many revocations are read at once.
const AT_ONCE: usize = 10_000;

#[async_trait]
impl ChangeLog for EmbeddedStore {
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        // Before the changes: what is written meanwhile is seen the next time again.
        let now_ms = DateTime::now().timestamp_millis();
        let changed = move |connection: &Connection| {
            let clients = standings(connection, "updated_at >= ?1", since_ms)?;
            let made = revocations(connection, "created_at >= ?1 ORDER BY name", &since_ms)?;
            Ok((clients, made))
        };
        let (clients, made) = self.read(changed).await?;
        let (revocations, unknown_revocations) = known(made);
        Ok(Changes { clients, revocations, unknown_revocations, now_ms })
    }

    async fn ended_since(&self, since_ms: i64) -> Result<Vec<Standing>, StoreError> {
        let mut found = self.read(move |it| standings(it, "updated_at >= ?1", since_ms)).await?;
        found.retain(|it| it.state != State::Public || it.epoch > 0);
        Ok(found)
    }

    async fn standings(&self, ids: &[ClientId]) -> Result<Vec<Standing>, StoreError> {
        let ids = ids.to_vec();
        let all = move |connection: &Connection| {
            let each = ids.iter().map(|id| standings(connection, "client_id = ?1", id.as_str()));
            each.collect::<rusqlite::Result<Vec<_>>>()
        };
        Ok(self.read(all).await?.into_iter().flatten().collect())
    }

    async fn revocations(&self, after: Option<&str>) -> Result<RevocationPage, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        let page = format!("name > ?1 ORDER BY name LIMIT {AT_ONCE}");
        let rows = self.read(move |connection| revocations(connection, &page, &after)).await?;
        let next = rows.last().filter(|_| rows.len() == AT_ONCE).map(|(name, ..)| name.clone());
        let (revocations, unknown) = known(rows);
        Ok(RevocationPage { revocations, unknown, next })
    }
}

fn standings(
    connection: &Connection,
    which: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<Vec<Standing>> {
    let mut rows = connection.prepare_cached(&format!(
        "SELECT client_id, ({READABLE}) -> '$.__STATE__', ({READABLE}) -> '$.tokenEpoch', \
         updated_at FROM clients WHERE {which}"
    ))?;
    let standing = |row: &Row<'_>| {
        let updated_at = DateTime::from_millis(row.get(3).unwrap_or(0));
        let mut document =
            doc! { record::CLIENT_ID: row.get::<_, String>(0)?, record::UPDATED_AT: updated_at };
        for (column, name) in [(1, record::STATE), (2, record::TOKEN_EPOCH)] {
            let text: Option<String> = row.get(column)?;
            let value = text.and_then(|text| free_form::read(&text).ok());
            document.extend(value.map(|value| to_bson((name.to_owned(), value))));
        }
        Ok(record::to_standing(&document))
    };
    let found = rows.query_map([value], standing)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

type Kept = (String, i64, String);

fn revocations(
    connection: &Connection,
    which: &str,
    value: &dyn rusqlite::ToSql,
) -> rusqlite::Result<Vec<Kept>> {
    let sql = format!("SELECT name, until, revoked FROM revocations WHERE {which}");
    let mut rows = connection.prepare_cached(&sql)?;
    let rows = rows.query_map([value], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Those that we understand, and how many others there are.
fn known(rows: Vec<Kept>) -> (Vec<Revocation>, usize) {
    let all = rows.len();
    let known = rows.into_iter().filter_map(|(_, until, revoked)| {
        let until = Timestamp(u64::try_from(until).unwrap_or_default());
        Some(Revocation { revoked: serde_json::from_str(&revoked).ok()?, until })
    });
    let known: Vec<_> = known.collect();
    let unknown = all - known.len();
    (known, unknown)
}

#[async_trait]
impl RevocationStore for EmbeddedStore {
    async fn revoke(
        &self,
        revocation: &Revocation,
        record: &AuditRecord,
    ) -> Result<(), StoreError> {
        let (revocation, row) = (revocation.clone(), audit::Row::of(record)?);
        let revoke = move |transaction: &Transaction<'_>| {
            let is_new = keep(transaction, &revocation)?;
            if is_new { row.add(transaction).map(drop) } else { Ok(()) }
        };
        self.writer.write(revoke).await
    }
}

/// Keeps a revocation; false if it is there already, and then for as long as the longer of the two.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    revocation: &Revocation,
) -> rusqlite::Result<bool> {
    let (name, until) = (revocation.revoked.name(), seconds(revocation.until));
    let now_ms = DateTime::now().timestamp_millis();
    let added = transaction
        .prepare_cached(
            "INSERT INTO revocations (name, created_at, until, revoked) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![name, now_ms, until, to_text(revocation)])?;
    if added == 1 {
        return Ok(true);
    }
    transaction
        .prepare_cached(
            "UPDATE revocations SET until = ?3, created_at = ?2 WHERE name = ?1 AND until < ?3",
        )?
        .execute(params![name, now_ms, until])?;
    Ok(false)
}
