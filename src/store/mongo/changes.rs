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
use crate::replication::{ChangeLog, Changes, ClientStatus, ClientStatusPage, RevocationPage};
use crate::revocation::RevocationStore;
use crate::store::revocation::{CREATED_AT, UNTIL, known, of_document, to_document};
use crate::store::unreadable::Unreadable;
use crate::store::{Document, record};

use super::{
    MongoStore, PATIENCE, REVOCATIONS, audit, clients, paging, readable, unless_duplicate,
};

/// The last moment of the year 9999; not every server knows dates beyond it.
const LAST_MS: i64 = 253_402_300_799_999;
/// How many revocations are read at once.
const AT_ONCE: usize = 10_000;

#[async_trait]
impl ChangeLog for MongoStore {
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        let unreadable = self.unreadable.clone();
        self.run(|database| async move { changes(&database, since_ms, &unreadable).await }).await
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
        let statuses = changed.filter(|it| it.state != State::Public || it.epoch > 0).collect();
        Ok(ClientStatusPage { statuses, looked_at, next })
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        let ids: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
        let these = doc! { record::CLIENT_ID: { "$in": ids } };
        self.run(|database| async move { statuses(&clients(&database), these).await }).await
    }

    async fn revocations(&self, after: Option<&str>) -> Result<RevocationPage, StoreError> {
        let behind = after.map_or(doc! {}, |after| doc! { "_id": { "$gt": after } });
        let page = |database: Database| async move {
            let revocations = revocations(&database).clone_with_type::<RawDocumentBuf>();
            let found = revocations.find(behind).sort(doc! { "_id": 1 });
            let found = found.limit(i64::try_from(AT_ONCE).unwrap_or(i64::MAX)).await?;
            found.try_collect::<Vec<RawDocumentBuf>>().await
        };
        let found = self.run(page).await?;
        let next = found.last().filter(|_| found.len() == AT_ONCE);
        let next = next.and_then(|last| last.get_str("_id").ok()).map(str::to_owned);
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

/// The time is asked before the changes: what happens in between is seen the next time again.
async fn changes(
    database: &Database,
    since_ms: i64,
    unreadable: &Unreadable,
) -> Result<Changes, Error> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    let now = hello.get_datetime("localTime").copied().unwrap_or_else(|_| DateTime::now());
    let since = doc! { "$gte": moment(since_ms) };
    let clients = statuses(&clients(database), doc! { record::UPDATED_AT: &since }).await?;
    let revocations = revocations(database).clone_with_type::<RawDocumentBuf>();
    let made = revocations.find(doc! { CREATED_AT: since }).await?;
    let made = made.try_collect::<Vec<_>>().await?;
    let (revocations, unknown_revocations) = all_known(&made, unreadable);
    Ok(Changes { clients, revocations, unknown_revocations, now_ms: now.timestamp_millis() })
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
    let members = [record::CLIENT_ID, record::STATE, record::TOKEN_EPOCH, record::UPDATED_AT];
    let mut shown = doc! { "_id": 0 };
    shown.extend(members.map(|name| (name.to_owned(), 1.into())));
    let clients = clients.clone_with_type::<RawDocumentBuf>();
    // What nobody waits for any more the server gives up too.
    let found = clients.find(which).projection(shown).max_time(PATIENCE).await?;
    let found: Vec<RawDocumentBuf> = found.try_collect().await?;
    Ok(found.iter().map(|document| readable(document)).collect())
}

fn all_known(found: &[RawDocumentBuf], unreadable: &Unreadable) -> (Vec<Revocation>, usize) {
    let each = found.iter().map(|document| {
        let document = readable(document);
        (document.get_str("_id").unwrap_or_default().to_owned(), of_document(&document))
    });
    known(each, unreadable)
}
