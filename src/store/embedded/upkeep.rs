//! Logins and sweeping.

use async_trait::async_trait;
use mongodb::bson::Bson;
use rusqlite::{Transaction, params};

use super::EmbeddedStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::record;
use crate::tasks::Upkeep;

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
            let assertions = transaction.execute(
                "DELETE FROM used_assertions WHERE (client_id, jti) IN \
                 (SELECT client_id, jti FROM used_assertions WHERE until < ?1 LIMIT ?2)",
                params![now, limit],
            )?;
            let revocations = transaction.execute(
                "DELETE FROM revocations WHERE name IN \
                 (SELECT name FROM revocations WHERE until < ?1 LIMIT ?2)",
                params![now, limit],
            )?;
            Ok(assertions + revocations)
        };
        self.writer.write(sweep).await
    }

    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let before = i64::try_from(before.0).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sweep = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT ?2)",
                params![before, limit],
            )
        };
        self.writer.write(sweep).await
    }
}
