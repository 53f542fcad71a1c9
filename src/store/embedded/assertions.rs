//! Used assertions.

use async_trait::async_trait;
use rusqlite::{Transaction, params};

use super::EmbeddedStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;

#[async_trait]
impl AssertionStore for EmbeddedStore {
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let client = client.clone();
        let until = i64::try_from(until.0).unwrap_or(i64::MAX);
        let insert = move |transaction: &Transaction<'_>| {
            let added = transaction
                .prepare_cached(
                    "INSERT INTO used_assertions (client_id, jti, until) VALUES (?1, ?2, ?3) \
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![client.as_str(), jti_digest, until])?;
            Ok(added == 1)
        };
        self.writer.write(insert).await
    }
}
