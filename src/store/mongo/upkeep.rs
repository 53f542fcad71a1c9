//! Logins and sweeping.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Bson, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::{Collection, Database};

use crate::audit::AuditRecord;
use crate::clients::{UnreadableCount, Upkeep};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::oauth::logins::Login;
use crate::store::revocation::UNTIL;
use crate::store::{Document, record};

use super::audit::OUTBOX_LAST;
use super::{AUDIT, MongoStore, REVOCATIONS, USED_ASSERTIONS, WRITES, clients, within};

#[async_trait]
impl Upkeep for MongoStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let ping = |database: Database| async move {
            database.run_command(doc! { "ping": 1 }).await.map(drop)
        };
        self.run(ping).await
    }

    async fn write_logins(&self, logins: &[Login]) -> Result<(), StoreError> {
        let logins = logins.to_vec();
        let write = |database| async move {
            let clients = clients(&database);
            let writes = logins.into_iter().map(|login| {
                let clients = clients.clone();
                within(async move { write_login(&clients, &login).await })
            });
            stream::iter(writes).buffer_unordered(WRITES).try_collect().await
        };
        self.run_all(write).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.run(|database| async move { sweep(&database, now, limit).await }).await
    }

    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let old = doc! { "_id": { "$lt": AuditRecord::first_id(before) } };
        self.run(|database| async move { remove(&database, AUDIT, old, limit).await }).await
    }

    fn unreadable(&self) -> UnreadableCount {
        self.unreadable.count()
    }
}

async fn write_login(clients: &Collection<Document>, login: &Login) -> Result<(), Error> {
    let client = doc! { record::CLIENT_ID: login.client.as_str() };
    let set = doc! { "$set": record::login(login) };
    let Err(error) = clients.update_one(client.clone(), set).await else { return Ok(()) };
    if !matches!(&*error.kind, ErrorKind::Command(_) | ErrorKind::Write(_)) {
        return Err(error);
    }
    // `lastUsed` is no document: another tool keeps something else there. That is its business.
    let Some(at) = login.at else { return Ok(()) };
    let set = doc! { "$set": { record::LAST_LOGIN: record::date(at) } };
    clients.update_one(client, set).await.map(drop)
}

async fn sweep(database: &Database, now: Timestamp, limit: usize) -> Result<usize, Error> {
    let expired = doc! { UNTIL: { "$lt": record::date(now) } };
    let mut revocations = expired.clone();
    revocations.insert(OUTBOX_LAST, Bson::Null); // its record is moved on first
    let assertions = remove(database, USED_ASSERTIONS, expired, limit).await;
    let revocations = remove(database, REVOCATIONS, revocations, limit).await;
    Ok(assertions? + revocations?)
}

async fn remove(
    database: &Database,
    collection: &str,
    which: Document,
    limit: usize,
) -> Result<usize, Error> {
    let documents = database.collection::<Document>(collection);
    let found: Vec<Document> = documents
        .find(which)
        .projection(doc! { "_id": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let ids: Vec<_> = found.iter().filter_map(|document| document.get("_id")).cloned().collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = documents.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count;
    Ok(usize::try_from(deleted).unwrap_or(limit))
}
