//! Used assertions.

use async_trait::async_trait;
use rusqlite::{Transaction, params};

use super::EmbeddedStore;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::{AssertionDates, AssertionStore, AssertionUse};

#[async_trait]
impl AssertionStore for EmbeddedStore {
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer.write(insert(client, jti_digest, until)).await
    }

    async fn use_assertion(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
        dates: AssertionDates,
    ) -> Result<AssertionUse, StoreError> {
        if self.doubt.is_some_and(|doubt| doubt.holds(&dates)) {
            return Ok(AssertionUse::InDoubt);
        }
        let first = self.writer.remember(dates, insert(client, jti_digest, until)).await?;
        Ok(AssertionUse::of(first))
    }
}

fn insert(
    client: &ClientId,
    jti_digest: [u8; 32],
    until: Timestamp,
) -> impl FnOnce(&Transaction<'_>) -> rusqlite::Result<bool> + Send + 'static {
    let client = client.clone();
    let until = i64::try_from(until.0).unwrap_or(i64::MAX);
    move |transaction| {
        let added = transaction
            .prepare_cached(
                "INSERT INTO used_assertions (client_id, jti, until) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![client.as_str(), jti_digest, until])?;
        Ok(added == 1)
    }
}
