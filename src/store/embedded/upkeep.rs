//! Logins and sweeping.

use async_trait::async_trait;
use mongodb::bson::Bson;
use rusqlite::{Transaction, params};

use crate::clients::{UnreadableCount, Upkeep};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::oauth::logins::Login;
use crate::store::unreadable::What;
use crate::store::{Document, record};

use super::EmbeddedStore;
use super::apart::Expiring;

const ASSERTIONS: Expiring =
    Expiring { table: "used_assertions", key: "client_id, jti", column: "until" };
const REVOCATIONS: Expiring = Expiring { table: "revocations", key: "name", column: "until" };
const RECORDS: Expiring = Expiring { table: "audit", key: "id", column: "at" };

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
        let lost = self.write_each("clients", logins.into(), login).await?;
        for login in lost.iter().filter_map(|it| logins.get(*it)) {
            self.unreadable.met(What::Login, login.client.as_str(), "it is on a damaged page");
            self.used.lock().insert(login.client.clone());
        }
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        // One that fails must not hold the other up.
        let assertions = self.remove_expired(ASSERTIONS, now, limit).await;
        let revocations = self.remove_expired(REVOCATIONS, now, limit).await;
        Ok(assertions? + revocations?)
    }

    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.remove_expired(RECORDS, before, limit).await
    }

    fn unreadable(&self) -> UnreadableCount {
        self.unreadable.count()
    }
}

fn login(transaction: &Transaction<'_>, login: &Login) -> rusqlite::Result<()> {
    let mut patch = Document::new();
    record::set_login(&mut patch, login);
    let patch = Bson::Document(patch).into_relaxed_extjson().to_string();
    transaction
        .prepare_cached(
            "UPDATE clients SET document = json_patch(document, ?2) \
             WHERE client_id = ?1 AND json_valid(document)",
        )?
        .execute(params![login.client.as_str(), patch])
        .map(drop)
}
