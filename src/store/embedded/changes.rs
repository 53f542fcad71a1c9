//! What changed, and what was revoked.

use async_trait::async_trait;
use mongodb::bson::DateTime;
use rusqlite::{Connection, ToSql, Transaction, params};

use crate::audit::AuditRecord;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::replication::{ChangeLog, ClientStatus, ClientStatusPage, RevocationPage};
use crate::revocation::RevocationStore;
use crate::store::revocation::{Kept, known, of_row, to_text};

use super::audit::{self, seconds};
use super::failure::is_corrupt;
use super::past_damage::{Range, in_ranges};
use super::rows::text;
use super::{EmbeddedStore, status};

#[async_trait]
impl ChangeLog for EmbeddedStore {
    async fn now_ms(&self) -> Result<i64, StoreError> {
        Ok(DateTime::now().timestamp_millis())
    }

    async fn changed_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let behind = after.and_then(status::place).unwrap_or((since_ms, i64::MIN));
        let unreadable = self.unreadable.clone();
        self.read("clients", move |connection| status::page(connection, behind, limit, &unreadable))
            .await
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        let ids = ids.to_vec();
        let all = move |connection: &Connection| {
            let each = ids.iter().map(|id| statuses(connection, id));
            each.collect::<rusqlite::Result<Vec<_>>>()
        };
        Ok(self.read("clients", all).await?.into_iter().flatten().collect())
    }

    async fn revocations(
        &self,
        since_ms: Option<i64>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RevocationPage, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let page = move |connection: &Connection| revocations(connection, since_ms, &after, most);
        let rows = self.read("revocations", page).await?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|(name, _)| name.clone());
        let (revocations, unknown) = known(rows, &self.unreadable);
        Ok(RevocationPage { revocations, unknown, next })
    }
}

fn statuses(connection: &Connection, id: &ClientId) -> rusqlite::Result<Vec<ClientStatus>> {
    let mut rows = connection.prepare_cached(&status::select("client_id = ?1"))?;
    let found = rows.query_map([id.as_str()], status::read)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().filter_map(|found| found.status).collect())
}

/// Revocations behind this name. Those on a damaged page of the file are known by what an index has:
/// their names, and until when they are kept.
pub(super) fn revocations(
    connection: &Connection,
    since_ms: Option<i64>,
    after: &str,
    most: i64,
) -> rusqlite::Result<Vec<(String, Kept)>> {
    let some = |which: &str, values: &[&dyn ToSql]| {
        let mut rows = connection.prepare_cached(&format!(
            "SELECT name, until, revoked FROM revocations \
             WHERE {which} AND (?1 IS NULL OR created_at >= ?1) ORDER BY name LIMIT ?2"
        ))?;
        let rows = rows.query_map(values, |row| {
            let name = text(row, 0)?;
            let kept = of_row(&name, row.get(1).ok(), &text(row, 2)?);
            Ok((name, kept))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    match some("name > ?3", params![since_ms, most, after]) {
        Err(error) if is_corrupt(&error) => {}
        found => return found,
    }
    // All of them: one that is left out would not be in force. The bytes of a name may be no text.
    let mut names = connection.prepare_cached(
        "SELECT name, CAST(name AS BLOB), until FROM revocations INDEXED BY revocations_until \
         WHERE name > ?1 ORDER BY name",
    )?;
    let names =
        names.query_map([after], |row| Ok((text(row, 0)?, row.get(1)?, row.get(2).ok())))?;
    let names = names.collect::<rusqlite::Result<Vec<Named>>>()?;
    let range = |range: Range<'_, Named>| {
        let which = range.holds("name", "CAST(?3 AS TEXT)", "CAST(?4 AS TEXT)");
        some(&which, params![since_ms, most, range.from.1, range.to.1])
    };
    let lost = |(name, _, until): &Named| Some((name.clone(), of_row(name, *until, "")));
    in_ranges(&names, usize::try_from(most).unwrap_or(usize::MAX), range, lost)
}

/// What an index has of a revocation: its name, the bytes of it, and until when it is kept.
type Named = (String, Vec<u8>, Option<i64>);

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
