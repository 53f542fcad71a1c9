//! Moving documents to and from another store.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::Collection;
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::error::Error;

use super::{
    MongoStore, USED_ASSERTIONS, WRITES, changes, clients, hex, is_refusal, paging, readable,
    unless_duplicate, within,
};
use crate::domain::clock::Timestamp;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::store::{Document, Export, Store, Taken, UsedAssertion, record};

/// How many documents are exported at once.
const AT_ONCE: usize = 1000;
/// Until when an assertion is remembered of which nobody can read it: the year 2106.
const LONG: Timestamp = Timestamp(u32::MAX as u64);

#[async_trait]
impl Store for MongoStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        let after = after.and_then(paging::after);
        let page =
            |database| async move { paging::page(&clients(&database), after, AT_ONCE).await };
        let (found, next) = self.run(page).await?;
        let mut export = Export { documents: Vec::new(), left_out: Vec::new(), next };
        for raw in &found {
            match Document::try_from(raw) {
                Ok(document) => export.documents.push(document),
                Err(_) => {
                    let id = raw.get_str(record::CLIENT_ID).unwrap_or_default();
                    export.left_out.push(id.to_owned());
                }
            }
        }
        Ok(export)
    }

    async fn import(&self, documents: Vec<Document>) -> Result<Taken, StoreError> {
        let import = |database| async move {
            let clients = clients(&database);
            let takes = documents.into_iter().map(|document| {
                let clients = clients.clone();
                within(async move { take_or_leave_out(&clients, document).await })
            });
            let count = |taken: Taken, took: Taken| async move {
                let left_out = [taken.left_out, took.left_out].concat();
                Ok(Taken { new: taken.new + took.new, left_out })
            };
            stream::iter(takes).buffer_unordered(WRITES).try_fold(Taken::default(), count).await
        };
        self.run_all(import).await
    }

    async fn import_revocations(&self, revocations: Vec<Revocation>) -> Result<(), StoreError> {
        let import = |database: mongodb::Database| async move {
            let keeps = revocations.into_iter().map(|revocation| {
                let database = database.clone();
                within(async move { changes::keep(&database, &revocation, doc! {}).await })
            });
            stream::iter(keeps).buffer_unordered(WRITES).try_collect().await
        };
        self.run_all(import).await
    }

    async fn used_assertions(
        &self,
        after: Option<&UsedAssertion>,
    ) -> Result<Vec<UsedAssertion>, StoreError> {
        let behind = after.map_or(doc! {}, |last| {
            let (client, jti) = (last.client.as_str(), hex(&last.jti_digest));
            doc! { "$or": [
                { "clientId": { "$gt": client } },
                { "clientId": client, "jti": { "$gt": jti } },
            ] }
        });
        let used = |database: mongodb::Database| async move {
            let found = database
                .collection::<RawDocumentBuf>(USED_ASSERTIONS)
                .find(behind)
                .sort(doc! { "clientId": 1, "jti": 1 })
                .limit(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
                .await?;
            found.try_collect::<Vec<_>>().await
        };
        // One that cannot be read was never found by anybody either.
        let used = self.run(used).await?;
        Ok(used.iter().filter_map(|document| to_used_assertion(&readable(document))).collect())
    }
}

fn to_used_assertion(document: &Document) -> Option<UsedAssertion> {
    Some(UsedAssertion {
        client: document.get_str("clientId").ok()?.parse().ok()?,
        jti_digest: from_hex(document.get_str("jti").ok()?)?,
        until: record::timestamp(document.get("until")).unwrap_or(LONG),
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(digest)
}

/// A document that the server refuses does not keep the others from being taken.
async fn take_or_leave_out(
    clients: &Collection<Document>,
    document: Document,
) -> Result<Taken, Error> {
    let id = document.get_str(record::CLIENT_ID).unwrap_or_default().to_owned();
    match take(clients, document).await {
        Ok(took) => Ok(Taken { new: usize::from(took), left_out: Vec::new() }),
        Err(error) if is_refusal(&error) => Ok(Taken { new: 0, left_out: vec![id] }),
        Err(error) => Err(error),
    }
}

/// Takes a document, under its own `_id` unless another client has that one.
async fn take(clients: &Collection<Document>, mut document: Document) -> Result<bool, Error> {
    let Ok(id) = document.get_str(record::CLIENT_ID).map(str::to_owned) else { return Ok(false) };
    if unless_duplicate(clients.insert_one(&document).await)? {
        return Ok(true);
    }
    if clients.find_one(doc! { record::CLIENT_ID: id }).await?.is_some() {
        return Ok(false);
    }
    document.remove("_id");
    unless_duplicate(clients.insert_one(&document).await)
}
