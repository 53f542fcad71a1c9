//! Logins, sweeping and the feed of changes.

use async_trait::async_trait;
use mongodb::bson::{Bson, DateTime};
use rusqlite::{Connection, Transaction, params};

use super::EmbeddedStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::record;
use crate::tasks::{Changes, Upkeep};

#[async_trait]
impl Upkeep for EmbeddedStore {
    /// Writes, because a disk that is full, or gone, can often still be read.
    async fn ping(&self) -> Result<(), StoreError> {
        let touch = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES ('ping', randomblob(8))",
                [],
            )
        };
        self.writer.write(touch).await.map(drop)
    }

    async fn write_logins(&self, logins: &[(ClientId, Timestamp)]) -> Result<(), StoreError> {
        let logins = logins.to_vec();
        let write = move |transaction: &Transaction<'_>| {
            let mut update = transaction.prepare_cached(
                "UPDATE clients SET document = json_set(document, '$.lastLogin', json(?2)) \
                 WHERE client_id = ?1",
            )?;
            for (client, at) in logins {
                let date = Bson::DateTime(record::date(at)).into_relaxed_extjson().to_string();
                update.execute(params![client.as_str(), date])?;
            }
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sweep = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "DELETE FROM used_assertions WHERE (client_id, jti) IN \
                 (SELECT client_id, jti FROM used_assertions WHERE until < ?1 LIMIT ?2)",
                params![now, limit],
            )
        };
        self.writer.write(sweep).await
    }

    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        let changed = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT client_id, updated_at FROM clients WHERE updated_at >= ?1",
            )?;
            let rows =
                rows.query_map([since_ms], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        // Before the changes: what is written meanwhile is seen the next time again.
        let now_ms = DateTime::now().timestamp_millis();
        let rows = self.read(changed).await?;
        let clients =
            rows.into_iter().filter_map(|(id, at)| Some((id.parse().ok()?, at))).collect();
        Ok(Changes { clients, now_ms })
    }
}
