//! Logins, sweeping and the feed of changes.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::Database;
use mongodb::bson::{DateTime, doc};
use mongodb::error::Error;

use super::{MongoStore, USED_ASSERTIONS, WRITES, clients, within};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::{Document, record};
use crate::tasks::{Changes, Upkeep};

/// The last moment of the year 9999; not every server knows dates beyond it.
const LAST_MS: i64 = 253_402_300_799_999;

#[async_trait]
impl Upkeep for MongoStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let ping = |database: Database| async move {
            database.run_command(doc! { "ping": 1 }).await.map(drop)
        };
        self.run(ping).await
    }

    async fn write_logins(&self, logins: &[(ClientId, Timestamp)]) -> Result<(), StoreError> {
        let logins = logins.to_vec();
        let write = |database| async move {
            let clients = clients(&database);
            let writes = logins.into_iter().map(|(id, at)| {
                let client = doc! { record::CLIENT_ID: id.as_str() };
                let login = doc! { "$set": { record::LAST_LOGIN: record::date(at) } };
                let clients = clients.clone();
                within(async move { clients.update_one(client, login).await.map(drop) })
            });
            stream::iter(writes).buffer_unordered(WRITES).try_collect().await
        };
        self.run_all(write).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.run(|database| async move { sweep(&database, now, limit).await }).await
    }

    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        self.run(|database| async move { changes(&database, since_ms).await }).await
    }
}

async fn sweep(database: &Database, now: Timestamp, limit: usize) -> Result<usize, Error> {
    let assertions = database.collection::<Document>(USED_ASSERTIONS);
    let expired: Vec<Document> = assertions
        .find(doc! { "until": { "$lt": record::date(now) } })
        .projection(doc! { "_id": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let ids: Vec<_> = expired.iter().filter_map(|document| document.get("_id")).cloned().collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = assertions.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count;
    Ok(usize::try_from(deleted).unwrap_or(limit))
}

/// The time is asked before the changes: what happens in between is seen the next time again.
async fn changes(database: &Database, since_ms: i64) -> Result<Changes, Error> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    let now = hello.get_datetime("localTime").copied().unwrap_or_else(|_| DateTime::now());

    let since = DateTime::from_millis(since_ms.clamp(0, LAST_MS));
    let changed: Vec<Document> = clients(database)
        .find(doc! { record::UPDATED_AT: { "$gte": since } })
        .projection(doc! { "_id": 0, record::CLIENT_ID: 1, record::UPDATED_AT: 1 })
        .await?
        .try_collect()
        .await?;
    let dated = |document: &Document| {
        let id = document.get_str(record::CLIENT_ID).ok()?.parse().ok()?;
        Some((id, record::revision(document).updated_at_ms?))
    };
    let clients = changed.iter().filter_map(dated).collect();
    Ok(Changes { clients, now_ms: now.timestamp_millis() })
}
