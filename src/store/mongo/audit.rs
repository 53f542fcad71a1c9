//! Audit records: written into the changed document, and moved on from there into a
//! collection of their own. Nothing is lost between the two, and nothing is there twice.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use crate::audit::{Action, AuditQuery, AuditRecord, AuditTrail, Outbox};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::audit::{self, Kept};
use crate::store::unreadable::{Unreadable, What};
use crate::store::{Document, record};

use super::{
    AUDIT, CLIENTS, META, MongoStore, REVOCATIONS, SIGNING_KEYS, clients, is_refusal, lease,
    readable, unless_duplicate,
};

/// Records on their way, by their ids.
pub(super) const OUTBOX: &str = "outbox";
/// The id of the last record that was put there; gone when none is left.
pub(super) const OUTBOX_LAST: &str = "outboxLast";
/// Whose documents may hold such.
const SENDERS: [&str; 3] = [CLIENTS, REVOCATIONS, SIGNING_KEYS];

/// What to add to a new document for its record.
pub(super) fn enclosed(record: &AuditRecord) -> Result<Document, StoreError> {
    let text = audit::to_text(record)?;
    Ok(doc! { OUTBOX: { &record.id: text }, OUTBOX_LAST: &record.id })
}

/// What to set in a document that is there already.
pub(super) fn added(record: &AuditRecord) -> Result<Document, StoreError> {
    let place = format!("{OUTBOX}.{}", record.id);
    Ok(doc! { place: audit::to_text(record)?, OUTBOX_LAST: &record.id })
}

/// A record that cannot be read is kept as its text is: a newer version may read it.
fn audit_document(record: &AuditRecord, text: &str) -> Document {
    let client = record.client_id.as_ref().map(ToString::to_string);
    let named = record.after.get("action").and_then(serde_json::Value::as_str);
    let named = named.filter(|_| record.action == Action::Unreadable);
    doc! {
        "_id": &record.id,
        "at": record::date(record.at),
        "actor": &record.actor,
        "action": named.unwrap_or(record.action.name()),
        "clientId": client,
        "told": false,
        "record": text,
    }
}

#[async_trait]
impl AuditTrail for MongoStore {
    async fn records(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let mut filter = Document::new();
        let named =
            [("actor", &query.actor), ("action", &query.action), ("clientId", &query.client_id)];
        for (name, value) in named {
            filter.extend(value.as_ref().map(|value| (name.to_owned(), Bson::from(value))));
        }
        // An id begins with its date; a range of ids is one that every server finds by its index.
        let mut range = Document::new();
        range.extend(
            query.from.map(|at| ("$gte".to_owned(), Bson::from(AuditRecord::first_id(at)))),
        );
        let before = query.to.map(AuditRecord::first_id);
        let end = [before, query.after.clone()].into_iter().flatten().min();
        range.extend(end.map(|id| ("$lt".to_owned(), Bson::from(id))));
        if !range.is_empty() {
            filter.insert("_id", range);
        }
        let limit = query.limit;
        let found = |database| async move { found(&database, filter, -1, limit).await };
        Ok(self.run(found).await?.into_iter().map(|it| it.read(&self.unreadable)).collect())
    }
}

#[async_trait]
impl Outbox for MongoStore {
    async fn move_on(&self, limit: usize) -> Result<usize, StoreError> {
        let mut moved = 0;
        for sender in SENDERS {
            let unreadable = self.unreadable.clone();
            let from =
                |database| async move { move_from(&database, sender, limit, &unreadable).await };
            moved += self.run(from).await?;
        }
        Ok(moved)
    }

    async fn append(&self, record: &AuditRecord) -> Result<bool, StoreError> {
        let document = audit_document(record, &audit::to_text(record)?);
        let append = |database: Database| async move {
            unless_duplicate(database.collection(AUDIT).insert_one(document).await)
        };
        self.run(append).await
    }

    async fn untold(&self, from: Timestamp, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        let filter = doc! { "told": false, "_id": { "$gte": AuditRecord::first_id(from) } };
        let found = |database| async move { found(&database, filter, 1, limit).await };
        Ok(self.run(found).await?.into_iter().map(|it| it.read(&self.unreadable)).collect())
    }

    async fn told(&self, ids: &[String]) -> Result<(), StoreError> {
        let filter = doc! { "_id": { "$in": ids } };
        let told = |database: Database| async move {
            let audit = database.collection::<Document>(AUDIT);
            audit.update_many(filter, doc! { "$set": { "told": true } }).await.map(drop)
        };
        self.run(told).await
    }

    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (format!("lease:{name}"), holder.to_owned());
        let lease = |database: Database| async move {
            let meta = database.collection(META);
            lease::take(&meta, &name, &holder, now, until).await
        };
        self.run(lease).await
    }
}

async fn found(
    database: &Database,
    filter: Document,
    order: i32,
    limit: usize,
) -> Result<Vec<Kept>, Error> {
    let found: Vec<RawDocumentBuf> = database
        .collection(AUDIT)
        .find(filter)
        .sort(doc! { "_id": order })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    Ok(found.iter().map(|document| kept(&readable(document))).collect())
}

pub(super) fn kept(document: &Document) -> Kept {
    let text = |name: &str| document.get_str(name).ok().map(str::to_owned);
    Kept {
        id: text("_id").unwrap_or_default(),
        actor: text("actor"),
        action: text("action"),
        client_id: text("clientId"),
        text: text("record").unwrap_or_default(),
        is_lost: false,
    }
}

/// Moves the records of a client that was removed, and it goes. Whether there was such a one.
pub(super) async fn clear_removed(
    database: &Database,
    id: &ClientId,
    unreadable: &Unreadable,
) -> Result<bool, Error> {
    let removed = doc! { record::CLIENT_ID: id.as_str(), record::REMOVED_AT: { "$exists": true } };
    if clients(database).count_documents(removed.clone()).await? == 0 {
        return Ok(false);
    }
    move_where(database, CLIENTS, (removed, 1), unreadable).await.map(|_| true)
}

/// Moves what there is, at most `limit` documents. Those that the server refuses to move are
/// counted on top of that: the others do not wait behind them.
async fn move_from(
    database: &Database,
    sender: &str,
    limit: usize,
    unreadable: &Unreadable,
) -> Result<usize, Error> {
    let (mut moved, mut stuck) = (0, 0);
    loop {
        let which = (doc! { OUTBOX_LAST: { "$gte": "" } }, limit.saturating_add(stuck));
        let done = move_where(database, sender, which, unreadable).await?;
        moved += done.moved;
        if done.stuck <= stuck || done.seen < limit.saturating_add(stuck) {
            return Ok(moved);
        }
        stuck = done.stuck;
    }
}

/// What became of documents that hold records.
#[derive(Default)]
struct Done {
    seen: usize,
    moved: usize,
    stuck: usize,
}

async fn move_where(
    database: &Database,
    sender: &str,
    (which, limit): (Document, usize),
    unreadable: &Unreadable,
) -> Result<Done, Error> {
    let senders = database.collection::<Document>(sender);
    let waiting: Vec<RawDocumentBuf> = senders
        .clone_with_type::<RawDocumentBuf>()
        .find(which)
        .projection(doc! { OUTBOX: 1, OUTBOX_LAST: 1, record::REMOVED_AT: 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let mut done = Done { seen: waiting.len(), ..Done::default() };
    for document in waiting.iter().map(|document| readable(document)) {
        match move_one(database, &senders, &document, unreadable).await {
            Ok(moved) => done.moved += moved,
            Err(error) if is_refusal(&error) => {
                done.stuck += 1;
                let last = document.get_str(OUTBOX_LAST).unwrap_or_default();
                unreadable.met(What::Record, last, &error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Moves the records of one document, as far as they can be read, and empties its outbox.
async fn move_one(
    database: &Database,
    senders: &Collection<Document>,
    document: &Document,
    unreadable: &Unreadable,
) -> Result<usize, Error> {
    let trail = database.collection::<Document>(AUDIT);
    let mut moved = 0;
    for (id, held) in waiting_in(document) {
        let kept = Kept { id, text: held.clone(), ..Kept::default() };
        let record = kept.read(unreadable);
        let insert = trail.insert_one(audit_document(&record, &held));
        moved += usize::from(unless_duplicate(insert.await)?);
    }
    empty(senders, document).await?;
    Ok(moved)
}

/// The records in an outbox, by their ids. What is not the text of one is shown as it is.
fn waiting_in(document: &Document) -> Vec<(String, String)> {
    let text = |held: &Bson| match held.as_str() {
        Some(text) => text.to_owned(),
        None => held.clone().into_relaxed_extjson().to_string(),
    };
    match document.get(OUTBOX) {
        Some(Bson::Document(held)) => held.iter().map(|(id, it)| (id.clone(), text(it))).collect(),
        // Another tool wrote something else there: the last record is lost, which is said of it.
        other => {
            let last = document.get_str(OUTBOX_LAST).unwrap_or_default().to_owned();
            vec![(last, other.map(text).unwrap_or_default())]
        }
    }
}

/// Empties the outbox, unless another record has come since; a client that was removed goes now.
async fn empty(senders: &Collection<Document>, document: &Document) -> Result<(), Error> {
    let (id, last) = (document.get("_id"), document.get(OUTBOX_LAST));
    let unchanged = doc! { "_id": id.cloned(), OUTBOX_LAST: last.cloned() };
    if document.contains_key(record::REMOVED_AT) {
        return senders.delete_one(unchanged).await.map(drop);
    }
    let emptied = doc! { "$unset": { OUTBOX: "", OUTBOX_LAST: "" } };
    senders.update_one(unchanged, emptied).await.map(drop)
}
