//! Audit records. They are written with the change where they are read, so none is ever on its way.

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use crate::audit::{AuditQuery, AuditRecord, AuditTrail, Outbox};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::audit::{self, Kept};

use super::EmbeddedStore;
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
pub(super) const COLUMNS: &str = "id, actor, action, client_id, record";

/// A row, as far as it can be read.
pub(super) fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: text(row, 0)?,
        actor: Some(text(row, 1)?),
        action: Some(text(row, 2)?),
        client_id: Some(text(row, 3)?).filter(|id| !id.is_empty()),
        text: text(row, 4)?,
    })
}

fn rows(connection: &Connection, sql: &str, values: Vec<Value>) -> rusqlite::Result<Vec<Kept>> {
    let mut rows = connection.prepare_cached(sql)?;
    let rows = rows.query_map(params_from_iter(values), kept)?;
    rows.collect::<rusqlite::Result<Vec<_>>>()
}

impl EmbeddedStore {
    async fn found(&self, sql: String, values: Vec<Value>) -> Result<Vec<AuditRecord>, StoreError> {
        let kept = self.read(move |connection| rows(connection, &sql, values)).await?;
        // One whose id is damaged is no place where a page could end.
        let kept = kept.into_iter().filter(|record| record.id.is_ascii());
        Ok(kept.map(|record| record.read(&self.unreadable)).collect())
    }
}

#[async_trait]
impl AuditTrail for EmbeddedStore {
    async fn records(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let mut conditions = vec!["1".to_owned()];
        let mut values = Vec::new();
        let mut condition = |text: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                conditions.push(format!("{text} ?{}", values.len()));
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::Text);
        let moment = |at: Option<Timestamp>| at.map(|at| Value::Integer(seconds(at)));
        condition("actor =", text(&query.actor));
        condition("action =", text(&query.action));
        condition("client_id =", text(&query.client_id));
        condition("at >=", moment(query.from));
        condition("at <", moment(query.to));
        condition("id <", text(&query.after));
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE {} ORDER BY id DESC LIMIT {}",
            conditions.join(" AND "),
            query.limit
        );
        self.found(sql, values).await
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
        let sql =
            format!("SELECT {COLUMNS} FROM audit WHERE told = 0 AND id >= ?1 ORDER BY id LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![Value::Text(AuditRecord::first_id(from)), Value::Integer(limit)];
        self.found(sql, values).await
    }

    async fn told(&self, ids: &[String]) -> Result<(), StoreError> {
        self.write_each("audit", ids.into(), |transaction, id| {
            let sql = "UPDATE audit SET told = 1 WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute([id]).map(drop)
        })
        .await
        .map(drop)
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
