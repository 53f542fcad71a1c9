//! Logins and sweeping.

use async_trait::async_trait;
use mongodb::bson::Bson;
use rusqlite::{Transaction, params};

use crate::clients::{UnreadableCount, Upkeep};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::oauth::logins::Login;
use crate::store::{Document, record};

use super::EmbeddedStore;

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
        self.writer.write(touch).await?;
        self.writer.has_room();
        Ok(())
    }

    fn takes_writes(&self) -> bool {
        !self.writer.is_refused()
    }

    async fn write_logins(&self, logins: &[Login]) -> Result<(), StoreError> {
        let logins = logins.to_vec();
        let write = move |transaction: &Transaction<'_>| {
            let mut update = transaction.prepare_cached(
                "UPDATE clients SET document = json_patch(document, ?2) \
                 WHERE client_id = ?1 AND json_valid(document)",
            )?;
            for login in logins {
                let mut patch = Document::new();
                record::set_login(&mut patch, &login);
                let patch = Bson::Document(patch).into_relaxed_extjson().to_string();
                update.execute(params![login.client.as_str(), patch])?;
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

    fn unreadable(&self) -> UnreadableCount {
        self.unreadable.count()
    }
}
