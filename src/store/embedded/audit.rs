//! Audit records. They are written with the change where they are read, so none is ever on its way.

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use crate::audit::{AuditQuery, AuditRecord, AuditTrail, Outbox};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::audit::{self, Kept};

use super::EmbeddedStore;
use super::failure::is_corrupt;
use super::past_damage::{Range, in_ranges};
use super::rows::text;

/// A record as a row.
pub(super) struct Row {
    id: String,
    at: i64,
    actor: String,
    action: String,
    client_id: Option<String>,
    text: String,
}

impl Row {
    pub(super) fn of(record: &AuditRecord) -> Result<Self, StoreError> {
        Ok(Self {
            id: record.id.clone(),
            at: seconds(record.at),
            actor: record.actor.clone(),
            action: record.action.name().to_owned(),
            client_id: record.client_id.as_ref().map(ToString::to_string),
            text: audit::to_text(record)?,
        })
    }

    /// Adds it; false if it is there already.
    pub(super) fn add(&self, transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
        let added = transaction
            .prepare_cached(
                "INSERT INTO audit (id, at, actor, action, client_id, told, record) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                self.id,
                self.at,
                self.actor,
                self.action,
                self.client_id,
                self.text
            ])?;
        Ok(added == 1)
    }
}

pub(super) fn seconds(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// What is read of a record.
const COLUMNS: &str = "id, actor, action, client_id, record";

/// A row, as far as it can be read.
fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: text(row, 0)?,
        actor: Some(text(row, 1)?),
        action: Some(text(row, 2)?),
        client_id: Some(text(row, 3)?).filter(|id| !id.is_empty()),
        text: text(row, 4)?,
        is_lost: false,
    })
}

/// Which records.
pub(super) struct Wanted {
    /// What holds for each of them.
    which: Vec<String>,
    /// The same, as far as indexes know: of a record on a damaged page.
    known: Vec<String>,
    values: Vec<Value>,
    order: &'static str,
    limit: i64,
}

impl Wanted {
    fn new(order: &'static str, limit: usize) -> Self {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Self { which: Vec::new(), known: Vec::new(), values: Vec::new(), order, limit }
    }

    /// Those behind this one, in the order of their ids.
    pub(super) fn after(id: &str, limit: usize) -> Self {
        let mut wanted = Self::new("ASC", limit);
        wanted.holds("id > ?", "id > ?", Value::Text(id.to_owned()));
        wanted
    }

    fn holds(&mut self, which: &str, known: &str, value: Value) {
        self.values.push(value);
        let value = format!("?{}", self.values.len());
        self.which.push(which.replace('?', &value));
        self.known.push(known.replace('?', &value));
    }

    fn holds_if<T>(&mut self, which: &str, known: &str, value: Option<T>)
    where
        Value: From<T>,
    {
        if let Some(value) = value {
            self.holds(which, known, value.into());
        }
    }

    /// Finds them. If a page of the file is damaged they are read by the ids that an index has, and
    /// `lost` says what stands for those that cannot be read.
    pub(super) fn find(
        &self,
        connection: &Connection,
        lost: impl Fn(&str) -> Option<Kept>,
    ) -> rusqlite::Result<Vec<Kept>> {
        let all = |conditions: &[String]| [&["1".to_owned()], conditions].concat().join(" AND ");
        let Self { order, limit, .. } = self;
        let some = |index: &str, more: &str, values: Vec<Value>| {
            let which = all(&self.which);
            let sql = format!(
                "SELECT {COLUMNS} FROM audit {index} WHERE {which}{more} ORDER BY id {order} LIMIT {limit}"
            );
            let mut rows = connection.prepare_cached(&sql)?;
            rows.query_map(params_from_iter(values), kept)?.collect()
        };
        for index in ["", BY_ID] {
            match some(index, "", self.values.clone()) {
                Err(error) if is_corrupt(&error) => {}
                found => return found,
            }
        }
        let known = all(&self.known);
        let sql =
            format!("SELECT id FROM audit INDEXED BY audit_at WHERE {known} ORDER BY id {order}");
        let mut ids = connection.prepare_cached(&sql)?;
        let ids = ids.query_map(params_from_iter(&self.values), |row| text(row, 0))?;
        let ids = ids.collect::<rusqlite::Result<Vec<_>>>()?;
        let place = self.values.len();
        let [low, high] = [1, 2].map(|it| format!("?{}", place + it));
        let range = |range: Range<'_, String>| {
            let [one, other] = [range.from, range.to];
            let ends = [one.min(other), one.max(other)].map(|id| Value::Text(id.clone()));
            let more = format!(" AND {}", range.holds("id", &low, &high));
            some(BY_ID, &more, [&self.values[..], &ends].concat())
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        in_ranges(&ids, limit, range, |id| lost(id))
    }
}

/// Reads the table alone, whose order that of the ids is.
const BY_ID: &str = "INDEXED BY sqlite_autoindex_audit_1";

impl EmbeddedStore {
    async fn found(
        &self,
        wanted: Wanted,
        lost: impl Fn(&str) -> Option<Kept> + Send + 'static,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let find = move |connection: &Connection| wanted.find(connection, lost);
        let kept = self.read("audit", find).await?;
        // One whose id is damaged is no place where a page could end.
        let kept = kept.into_iter().filter(|record| record.id.is_ascii());
        Ok(kept.map(|record| record.read(&self.unreadable)).collect())
    }
}

#[async_trait]
impl AuditTrail for EmbeddedStore {
    async fn records(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let mut wanted = Wanted::new("DESC", query.limit);
        let actor = "id IN (SELECT id FROM audit INDEXED BY audit_actor WHERE actor = ?)";
        wanted.holds_if("actor = ?", actor, query.actor.clone());
        // No index has the action: a record that is lost may be of any.
        wanted.holds_if("action = ?", "? IS NOT NULL", query.action.clone());
        let client = "id IN (SELECT id FROM audit INDEXED BY audit_client_id WHERE client_id = ?)";
        wanted.holds_if("client_id = ?", client, query.client_id.clone());
        for (which, at) in [("at >= ?", query.from), ("at < ?", query.to)] {
            wanted.holds_if(which, which, at.map(seconds));
        }
        wanted.holds_if("id < ?", "id < ?", query.after.clone());
        self.found(wanted, |id| Some(Kept::lost(id))).await
    }
}

#[async_trait]
impl Outbox for EmbeddedStore {
    async fn move_on(&self, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn append(&self, record: &AuditRecord) -> Result<bool, StoreError> {
        let row = Row::of(record)?;
        self.writer.write(move |transaction| row.add(transaction)).await
    }

    async fn untold(&self, from: Timestamp, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        let told = self.told.lock().clone();
        let mut wanted = Wanted::new("ASC", limit.saturating_add(told.len()));
        wanted.holds("told = 0 AND id >= ?", "id >= ?", AuditRecord::first_id(from).into());
        // By this the index is sorted.
        wanted.holds("? IS NOT NULL", "at >= ?", seconds(from).into());
        let unreadable = self.unreadable.clone();
        // It could not be marked as delivered, and would be delivered again and again.
        let lost = move |id: &str| {
            drop(Kept::lost(id).read(&unreadable)); // says so
            None
        };
        let mut untold = self.found(wanted, lost).await?;
        untold.retain(|record| !told.contains(&record.id));
        untold.truncate(limit);
        Ok(untold)
    }

    async fn told(&self, ids: &[String]) -> Result<(), StoreError> {
        let mark = |transaction: &Transaction<'_>, id: &String| {
            let sql = "UPDATE audit SET told = 1 WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute([id]).map(drop)
        };
        let unmarked = self.write_each("audit", ids.into(), mark).await?;
        self.told.lock().extend(unmarked.iter().filter_map(|it| ids.get(*it)).cloned());
        Ok(())
    }

    /// The folder is locked, so there is only one who could ask.
    async fn lease(
        &self,
        _name: &str,
        _holder: &str,
        _now: Timestamp,
        _until: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }
}
