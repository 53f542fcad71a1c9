//! The public halves of the signing keys; their `kid` is the `_id`. Beside them, requests for new ones.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use crate::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::signing_key::{PublishedKey, Rotation, SharedKeys};
use crate::domain::store_error::StoreError;
use crate::signing::SigningKeyStore;
use crate::signing::keys::Retired;
use crate::store::{Document, signing_key_record as record};

use super::{MongoStore, SIGNING_KEYS, audit, readable, unless_duplicate};

#[async_trait]
impl SigningKeyStore for MongoStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let (kid, first) = (key.jwk.kid.clone(), record::to_document(key));
        let renewal = update(record::renewal(key));
        self.run(|database| async move { put(&keys(&database), &kid, renewal, first).await }).await
    }

    async fn leave_tombstone(&self, kid: &str) -> Result<(), StoreError> {
        let (kid, remains) = (kid.to_owned(), record::remains(kid));
        let change = update((remains.clone(), record::LIVING.to_vec()));
        self.run(|database| async move { put(&keys(&database), &kid, change, remains).await }).await
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        self.remove(kid.to_owned()).await
    }

    async fn forget_request(&self, id: &str) -> Result<(), StoreError> {
        self.remove(record::rotation_name(id)).await
    }

    async fn published(&self) -> Result<SharedKeys, StoreError> {
        let all = |database| async move {
            let keys = keys(&database).clone_with_type::<RawDocumentBuf>();
            keys.find(doc! {}).await?.try_collect::<Vec<_>>().await
        };
        let documents = self.run(all).await?;
        let documents: Vec<_> = documents.iter().map(|document| readable(document)).collect();
        let named = |document| Some((Document::get_str(document, "_id").ok()?, document));
        Ok(record::to_shared_keys(documents.iter().filter_map(named)))
    }

    async fn retire(
        &self,
        kid: &str,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<Retired, StoreError> {
        let key = doc! { "_id": kid };
        // A null in a filter matches what is missing.
        let living =
            doc! { "_id": kid, record::RETIRED_AT: Bson::Null, record::TOMBSTONE: Bson::Null };
        let mut retirement = record::retirement(at);
        retirement.extend(audit::added(record)?);
        let retirement = doc! { "$set": retirement };
        let retire = |database| async move {
            let keys = keys(&database);
            if keys.update_one(living, retirement).await?.matched_count > 0 {
                return Ok(Retired::Now);
            }
            let there = keys.find_one(key).await?.is_some();
            Ok(if there { Retired::Before } else { Retired::Unknown })
        };
        self.run(retire).await
    }

    async fn request(&self, rotation: &Rotation, record: &AuditRecord) -> Result<(), StoreError> {
        let (name, mut document) = record::rotation_document(rotation);
        document.extend(audit::enclosed(record)?);
        document.insert("_id", name);
        let insert = |database| async move {
            unless_duplicate(keys(&database).insert_one(document).await).map(drop)
        };
        self.run(insert).await
    }
}

impl MongoStore {
    async fn remove(&self, name: String) -> Result<(), StoreError> {
        let one = doc! { "_id": name };
        self.run(|database| async move { keys(&database).delete_one(one).await.map(drop) }).await
    }
}

fn keys(database: &Database) -> Collection<Document> {
    database.collection(SIGNING_KEYS)
}

fn update((set, unset): (Document, Vec<&str>)) -> Document {
    let mut update = doc! { "$set": set };
    if !unset.is_empty() {
        let gone = unset.into_iter().map(|name| (name.to_owned(), Bson::from("")));
        update.insert("$unset", gone.collect::<Document>());
    }
    update
}

/// Changes first: most keys are known. If two show a new one at once, the second changes it.
async fn put(
    keys: &Collection<Document>,
    kid: &str,
    change: Document,
    mut first: Document,
) -> Result<(), Error> {
    let key = doc! { "_id": kid };
    if keys.update_one(key.clone(), change.clone()).await?.matched_count > 0 {
        return Ok(());
    }
    first.insert("_id", Bson::from(kid));
    if !unless_duplicate(keys.insert_one(first).await)? {
        keys.update_one(key, change).await?;
    }
    Ok(())
}
