//! What the replicas counted: a document for each client, window and replica. Only its replica
//! writes it, and the whole count at once, because not every server adds atomically.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::domain::window::{Length, Window};
use crate::oauth::quota::{Counted, QuotaStore};
use crate::store::{Document, record};

use super::{MongoStore, QUOTAS, WRITES, readable, unless_duplicate, within};

const UNTIL: &str = "until";
const REPLICA: &str = "replica";

#[async_trait]
impl QuotaStore for MongoStore {
    async fn write_counts(
        &self,
        replica: &str,
        counts: &[(Counted, u64)],
    ) -> Result<(), StoreError> {
        let documents: Vec<Document> =
            counts.iter().map(|(counted, count)| document(replica, counted, *count)).collect();
        let write = |database| async move {
            let writes = documents.into_iter().map(|document| {
                let quotas = quotas(&database);
                within(async move { write(&quotas, document).await })
            });
            stream::iter(writes).buffer_unordered(WRITES).try_collect().await
        };
        self.run_all(write).await
    }

    async fn counts_of_others(
        &self,
        replica: &str,
        clients: Option<&[ClientId]>,
        now: Timestamp,
    ) -> Result<Vec<(Counted, u64)>, StoreError> {
        let mut filter = doc! { UNTIL: { "$gt": record::date(now) } };
        if let Some(clients) = clients {
            let names: Vec<&str> = clients.iter().map(ClientId::as_str).collect();
            filter.insert(record::CLIENT_ID, doc! { "$in": names });
        }
        let find = |database: Database| async move {
            let quotas = quotas(&database).clone_with_type::<RawDocumentBuf>();
            quotas.find(filter).await?.try_collect::<Vec<_>>().await
        };
        let documents = self.run(find).await?;
        let documents: Vec<_> = documents.iter().map(|document| readable(document)).collect();
        let others = documents.iter().filter(|held| held.get_str(REPLICA).ok() != Some(replica));
        Ok(others.filter_map(counted).collect())
    }

    async fn sweep_counts(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.run(|database| async move { sweep(&quotas(&database), before, limit).await }).await
    }
}

fn quotas(database: &Database) -> Collection<Document> {
    database.collection(QUOTAS)
}

fn document(replica: &str, (client, window): &Counted, count: u64) -> Document {
    let (length, start) = (window.length.as_str(), window.start);
    doc! {
        "_id": format!("{replica} {length} {} {client}", start.0),
        record::CLIENT_ID: client.as_str(),
        "length": length,
        "start": record::date(start),
        UNTIL: record::date(window.end()),
        REPLICA: replica,
        "count": i64::try_from(count).unwrap_or(i64::MAX),
    }
}

fn counted(document: &Document) -> Option<(Counted, u64)> {
    let client = document.get_str(record::CLIENT_ID).ok()?.parse().ok()?;
    let length = document.get_str("length").ok()?.parse::<Length>().ok()?;
    let start = record::timestamp(document.get("start"))?;
    let count = record::number(document.get("count"))?;
    Some(((client, Window { length, start }), u64::try_from(count).ok()?))
}

/// Changes first: most counts were noted before. An insert that was carried out although its answer
/// was lost is met as a duplicate.
async fn write(quotas: &Collection<Document>, document: Document) -> Result<(), Error> {
    let id = document.get("_id").cloned().unwrap_or(Bson::Null);
    let count = doc! { "$set": { "count": document.get("count").cloned() } };
    if quotas.update_one(doc! { "_id": &id }, count.clone()).await?.matched_count > 0 {
        return Ok(());
    }
    if !unless_duplicate(quotas.insert_one(document).await)? {
        quotas.update_one(doc! { "_id": id }, count).await?;
    }
    Ok(())
}

async fn sweep(
    quotas: &Collection<Document>,
    before: Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let over: Vec<Document> = quotas
        .find(doc! { UNTIL: { "$lt": record::date(before) } })
        .projection(doc! { "_id": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let ids: Vec<_> = over.iter().filter_map(|document| document.get("_id")).cloned().collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = quotas.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count;
    Ok(usize::try_from(deleted).unwrap_or(limit))
}
