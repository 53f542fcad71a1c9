//! The public halves of the signing keys.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::EmbeddedStore;
use super::rows::{from_text, to_text};
use crate::domain::signing_key::PublishedKey;
use crate::domain::store_error::StoreError;
use crate::store::record;
use crate::tasks::SigningKeyStore;

#[async_trait]
impl SigningKeyStore for EmbeddedStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let mut key = key.clone();
        let publish = move |transaction: &Transaction<'_>| {
            let known = transaction
                .query_row(
                    "SELECT document FROM signing_keys WHERE kid = ?1",
                    [&key.jwk.kid],
                    |row| from_text(row.get_ref(0)?.as_str()?),
                )
                .optional()?;
            if let Some(known) = known.as_ref().and_then(record::to_signing_key) {
                key.published = known.published;
            }
            let document = to_text(record::signing_key_document(&key))?;
            transaction.execute(
                "INSERT OR REPLACE INTO signing_keys (kid, document) VALUES (?1, ?2)",
                params![key.jwk.kid, document],
            )
        };
        self.writer.write(publish).await.map(|_| ())
    }

    async fn published(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let all = |connection: &Connection| {
            let mut rows = connection.prepare_cached("SELECT document FROM signing_keys")?;
            let rows = rows.query_map([], |row| from_text(row.get_ref(0)?.as_str()?))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        Ok(self.read(all).await?.iter().filter_map(record::to_signing_key).collect())
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        let kid = kid.to_owned();
        let forget = move |transaction: &Transaction<'_>| {
            transaction.execute("DELETE FROM signing_keys WHERE kid = ?1", [kid])
        };
        self.writer.write(forget).await.map(|_| ())
    }
}
