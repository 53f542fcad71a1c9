//! The public halves of the signing keys; their `kid` is the `_id`.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use super::{MongoStore, SIGNING_KEYS, unless_duplicate};
use crate::domain::signing_key::PublishedKey;
use crate::domain::store_error::StoreError;
use crate::store::{Document, record};
use crate::tasks::SigningKeyStore;

#[async_trait]
impl SigningKeyStore for MongoStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let (kid, document) = (key.jwk.kid.clone(), record::signing_key_document(key));
        self.run(|database| async move { publish(&keys(&database), &kid, document).await }).await
    }

    async fn published(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let all = |database| async move {
            keys(&database).find(doc! {}).await?.try_collect::<Vec<Document>>().await
        };
        Ok(self.run(all).await?.iter().filter_map(record::to_signing_key).collect())
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        let key = doc! { "_id": kid };
        let forget = |database| async move { keys(&database).delete_one(key).await.map(drop) };
        self.run(forget).await
    }
}

fn keys(database: &Database) -> Collection<Document> {
    database.collection(SIGNING_KEYS)
}

/// Renews first: most keys are known. If two publish a new one at once, the second renews.
async fn publish(keys: &Collection<Document>, kid: &str, document: Document) -> Result<(), Error> {
    let key = doc! { "_id": kid };
    let mut renewed = document.clone();
    renewed.remove(record::PUBLISHED_AT); // that of the first time stays
    let mut renewal = doc! { "$set": renewed };
    if !document.contains_key(record::IMPORTED_AT) {
        renewal.insert("$unset", doc! { record::IMPORTED_AT: "" });
    }
    if keys.update_one(key.clone(), renewal.clone()).await?.matched_count > 0 {
        return Ok(());
    }

    let mut first = document;
    first.insert("_id", Bson::from(kid));
    if !unless_duplicate(keys.insert_one(first).await)? {
        keys.update_one(key, renewal).await?;
    }
    Ok(())
}
