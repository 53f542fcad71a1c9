//! Used assertions. The unique index decides who was first.

use async_trait::async_trait;
use mongodb::bson::doc;

use super::{MongoStore, USED_ASSERTIONS, hex, unless_duplicate};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;
use crate::store::{Document, record};

#[async_trait]
impl AssertionStore for MongoStore {
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let used = doc! {
            "clientId": client.as_str(),
            "jti": hex(&jti_digest),
            "until": record::date(until),
        };
        let insert = |database: mongodb::Database| async move {
            let assertions = database.collection::<Document>(USED_ASSERTIONS);
            unless_duplicate(assertions.insert_one(used).await)
        };
        self.run(insert).await
    }
}
