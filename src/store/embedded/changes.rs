//! What changed, and what was revoked.

use async_trait::async_trait;
use mongodb::bson::DateTime;
use rusqlite::{Connection, Transaction, params};

use crate::audit::AuditRecord;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::replication::{ChangeLog, Changes, ClientStatus, ClientStatusPage, RevocationPage};
use crate::revocation::RevocationStore;
use crate::store::revocation::{Kept, known, of_row, to_text};

use super::audit::{self, seconds};
use super::rows::text;
use super::{EmbeddedStore, status};

/// How many revocations are read at once.
const AT_ONCE: usize = 10_000;

#[async_trait]
impl ChangeLog for EmbeddedStore {
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        // Before the changes: what is written meanwhile is seen the next time again.
        let now_ms = DateTime::now().timestamp_millis();
        let changed = move |connection: &Connection| {
            let clients = statuses(connection, "updated_at >= ?1", since_ms)?;
            let made = revocations(connection, "created_at >= ?1 ORDER BY name", &since_ms)?;
            Ok((clients, made))
        };
        let (clients, made) = self.read(changed).await?;
        let (revocations, unknown_revocations) = known(made, &self.unreadable);
        Ok(Changes { clients, revocations, unknown_revocations, now_ms })
    }

    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let behind = after.and_then(status::place).unwrap_or((since_ms, i64::MIN));
        let unreadable = self.unreadable.clone();
        self.read(move |connection| status::page(connection, behind, limit, &unreadable)).await
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        let ids = ids.to_vec();
        let all = move |connection: &Connection| {
            let each = ids.iter().map(|id| statuses(connection, "client_id = ?1", id.as_str()));
            each.collect::<rusqlite::Result<Vec<_>>>()
        };
        Ok(self.read(all).await?.into_iter().flatten().collect())
    }

    async fn revocations(&self, after: Option<&str>) -> Result<RevocationPage, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        let page = format!("name > ?1 ORDER BY name LIMIT {AT_ONCE}");
        let rows = self.read(move |connection| revocations(connection, &page, &after)).await?;
        let next = rows.last().filter(|_| rows.len() == AT_ONCE).map(|(name, _)| name.clone());
        let (revocations, unknown) = known(rows, &self.unreadable);
        Ok(RevocationPage { revocations, unknown, next })
    }
}

/// The statuses of these clients.
fn statuses(
    connection: &Connection,
    which: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<Vec<ClientStatus>> {
    let mut rows = connection.prepare_cached(&status::select(which))?;
    let found = rows.query_map([value], status::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().filter_map(|found| found.status).collect())
}

fn revocations(
    connection: &Connection,
    which: &str,
    value: &dyn rusqlite::ToSql,
) -> rusqlite::Result<Vec<(String, Kept)>> {
    let sql = format!("SELECT name, until, revoked FROM revocations WHERE {which}");
    let mut rows = connection.prepare_cached(&sql)?;
    let rows = rows.query_map([value], |row| {
        let name = text(row, 0)?;
        let kept = of_row(&name, row.get(1).ok(), &text(row, 2)?);
        Ok((name, kept))
    })?;
    rows.collect()
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
