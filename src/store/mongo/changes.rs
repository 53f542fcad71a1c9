//! What changed, and what was revoked.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, DateTime, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use crate::audit::AuditRecord;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::replication::{ChangeLog, ClientStatus, ClientStatusPage, RevocationPage};
use crate::revocation::RevocationStore;
use crate::store::revocation::{CREATED_AT, UNTIL, known, of_document, to_document};
use crate::store::unreadable::Unreadable;
use crate::store::{Document, record};

use super::paging::Place;
use super::{
    MongoStore, PATIENCE, REVOCATIONS, audit, clients, paging, readable, unless_duplicate,
};

/// The last moment of the year 9999; not every server knows dates beyond it.
const LAST_MS: i64 = 253_402_300_799_999;

#[async_trait]
impl ChangeLog for MongoStore {
    async fn now_ms(&self) -> Result<i64, StoreError> {
        let hello =
            |database: Database| async move { database.run_command(doc! { "hello": 1 }).await };
        let told = self.run(hello).await?;
        let now = told.get_datetime("localTime").copied().unwrap_or_else(|_| DateTime::now());
        Ok(now.timestamp_millis())
    }

    async fn changed_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let filter = doc! { record::UPDATED_AT: { "$gte": moment(since_ms) } };
        let after = after.and_then(paging::place_of);
        let page = |database| async move {
            few_or_page(&clients(&database), filter, shown(), after, limit).await
        };
        let (found, next) = self.run(page).await?;
        let statuses = found.iter().filter_map(|it| record::to_status(&readable(it))).collect();
        Ok(ClientStatusPage { statuses, looked_at: found.len(), next })
    }

    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let after = after.and_then(paging::place_of);
        let page = |database| async move {
            let clients = clients(&database);
            let (range, looked_at, next) = paging::range(&clients, after, limit).await?;
            let ended = doc! { "$and": [range, perhaps_ended_since(since_ms)] };
            Ok((found(&clients, ended).await?, looked_at, next))
        };
        let (found, looked_at, next) = self.run(page).await?;
        // NX-27017 finds more than was asked for where `$or` stands beside a date.
        let is_changed = |document: &&Document| match document.get_datetime(record::UPDATED_AT) {
            Ok(date) => date.timestamp_millis() >= since_ms,
            Err(_) => true,
        };
        let changed = found.iter().filter(is_changed).filter_map(record::to_status);
        let statuses = changed.filter(ClientStatus::has_ended_tokens).collect();
        Ok(ClientStatusPage { statuses, looked_at, next })
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        let ids: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
        let these = doc! { record::CLIENT_ID: { "$in": ids } };
        self.run(|database| async move { statuses(&clients(&database), these).await }).await
    }

    async fn revocations(
        &self,
        since_ms: Option<i64>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RevocationPage, StoreError> {
        let made = |since| doc! { CREATED_AT: { "$gte": moment(since) } };
        let (made, after) = (since_ms.map_or(doc! {}, made), after.and_then(paging::place_of));
        let page = |database: Database| async move {
            few_or_page(&revocations(&database), made, doc! {}, after, limit).await
        };
        let (found, next) = self.run(page).await?;
        let (revocations, unknown) = all_known(&found, &self.unreadable);
        Ok(RevocationPage { revocations, unknown, next })
    }
}

#[async_trait]
impl RevocationStore for MongoStore {
    /// An upsert, because only an update can take the date from the server's clock.
    async fn revoke(
        &self,
        revocation: &Revocation,
        record: &AuditRecord,
    ) -> Result<(), StoreError> {
        let (revocation, enclosed) = (revocation.clone(), audit::enclosed(record)?);
        let keep = |database: Database| async move { keep(&database, &revocation, enclosed).await };
        self.run(keep).await
    }
}

/// Keeps a revocation, with more members if it is not there yet.
pub(super) async fn keep(
    database: &Database,
    revocation: &Revocation,
    more: Document,
) -> Result<(), Error> {
    let name = doc! { "_id": revocation.revoked.name() };
    let mut document = to_document(revocation);
    document.extend(more);
    let insert = doc! { "$setOnInsert": document, "$currentDate": { CREATED_AT: true } };
    let revocations = revocations(database);
    let kept = revocations.update_one(name.clone(), insert).upsert(true).await;
    if matches!(&kept, Ok(done) if done.upserted_id.is_some()) {
        return Ok(());
    }
    unless_duplicate(kept)?;
    // It was there already, and is kept for longer if need be. (`$max` would be one step, and not
    // every server compares dates by it.)
    let until = record::date(revocation.until);
    let shorter = doc! { "_id": name.get("_id").cloned(), UNTIL: { "$lt": until } };
    revocations.update_one(shorter, doc! { "$set": { UNTIL: until } }).await.map(drop)
}

fn revocations(database: &Database) -> Collection<Document> {
    database.collection(REVOCATIONS)
}

fn moment(since_ms: i64) -> DateTime {
    DateTime::from_millis(since_ms.clamp(0, LAST_MS))
}

/// Documents that are usually few: if there are no more than `limit`, they are read in no order,
/// which costs the server least. Else those among the next `limit` of all documents.
async fn few_or_page(
    documents: &Collection<Document>,
    which: Document,
    shown: Document,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<RawDocumentBuf>, Option<String>), Error> {
    let raw = documents.clone_with_type::<RawDocumentBuf>();
    // What nobody waits for any more the server gives up too.
    let find = |which| raw.find(which).projection(shown.clone()).max_time(PATIENCE);
    if after.is_none() {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let few: Vec<_> = find(which.clone()).limit(most).await?.try_collect().await?;
        if few.len() <= limit {
            return Ok((few, None));
        }
    }
    let (range, looked_at, next) = paging::range(documents, after, limit).await?;
    // Beside a date, NX-27017 takes ids of every type for ids of one that nobody uses.
    if looked_at == 0 && next.is_some() {
        return Ok((Vec::new(), next));
    }
    Ok((find(doc! { "$and": [range, which] }).await?.try_collect().await?, next))
}

/// Clients whose tokens may have ended since then. What another tool wrote in a form that cannot be
/// compared may say anything: an epoch of another type, or a date.
fn perhaps_ended_since(since_ms: i64) -> Document {
    let changed = vec![
        // A date of another type is before none.
        doc! { "$nor": [{ record::UPDATED_AT: { "$lt": moment(since_ms) } }] },
        // The other conditions look at the items of a list.
        doc! { record::UPDATED_AT: { "$type": "array" } },
    ];
    let ended = vec![
        doc! { record::STATE: { "$ne": State::Public.as_str() } },
        doc! { record::TOKEN_EPOCH: { "$nin": [Bson::Null, Bson::Int32(0)] } },
        doc! { record::TOKEN_EPOCH: { "$type": "array" } },
        // For NX-27017 `false` is 0.
        doc! { record::TOKEN_EPOCH: { "$type": "bool" } },
    ];
    doc! { "$and": [{ "$or": changed }, { "$or": ended }] }
}

async fn statuses(
    clients: &Collection<Document>,
    which: Document,
) -> Result<Vec<ClientStatus>, Error> {
    let found = found(clients, which).await?;
    Ok(found.iter().filter_map(record::to_status).collect())
}

/// What tells how these clients stand.
async fn found(clients: &Collection<Document>, which: Document) -> Result<Vec<Document>, Error> {
    let clients = clients.clone_with_type::<RawDocumentBuf>();
    // What nobody waits for any more the server gives up too.
    let found = clients.find(which).projection(shown()).max_time(PATIENCE).await?;
    let found: Vec<RawDocumentBuf> = found.try_collect().await?;
    Ok(found.iter().map(|document| readable(document)).collect())
}

/// What is read of a client to tell how it stands.
fn shown() -> Document {
    doc! { record::CLIENT_ID: 1, record::STATE: 1, record::TOKEN_EPOCH: 1, record::UPDATED_AT: 1 }
}

fn all_known(found: &[RawDocumentBuf], unreadable: &Unreadable) -> (Vec<Revocation>, usize) {
    let each = found.iter().map(|document| {
        let document = readable(document);
        (document.get_str("_id").unwrap_or_default().to_owned(), of_document(&document))
    });
    known(each, unreadable)
}
