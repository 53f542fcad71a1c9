//! Clients. Their documents belong to other tools too.

use async_trait::async_trait;
use std::future::ready;

use futures_util::{StreamExt, TryStreamExt};
use mongodb::bson::{Bson, DateTime, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::options::UpdateModifications;
use mongodb::{Collection, Database};

use crate::audit::AuditRecord;
use crate::clients::{ClientRepository, Cursor, Inserted, ListQuery, Page};
use crate::domain::client::{Client, Revision};
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::store::{Document, record};

use super::{MongoStore, audit, clients, paging, readable, unless_duplicate};

#[async_trait]
impl ClientRepository for MongoStore {
    /// An upsert, because only an update can take the date from the server's clock. Its filter
    /// matches nothing ever, so that it never touches a document: the unique index decides.
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let id = client.id.clone();
        let filter = doc! { record::CLIENT_ID: id.as_str(), "_id": { "$exists": false } };
        let mut document = record::new_document(client);
        document.remove(record::CLIENT_ID); // the filter has it
        document.extend(audit::enclosed(record)?);
        let update =
            doc! { "$setOnInsert": document, "$currentDate": { record::UPDATED_AT: true } };
        let unreadable = self.unreadable.clone();
        let insert = |database: Database| async move {
            let clients = clients(&database);
            let insert = || async {
                let update = clients.update_one(filter.clone(), update.clone()).upsert(true);
                unless_duplicate(update.await)
            };
            // One that was removed keeps its place until its record has been moved on.
            Ok(insert().await?
                || (audit::clear_removed(&database, &id, &unreadable).await? && insert().await?))
        };
        Ok(if self.run(insert).await? { Inserted::Yes } else { Inserted::Duplicate })
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let filter = doc! { record::CLIENT_ID: id.as_str() };
        let find = |database| async move { raw_clients(&database).find_one(filter).await };
        Ok(self.run(find).await?.and_then(|it| self.unreadable.client(&readable(&it))))
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let filter = at_revision(&old.id, old.revision);
        let mut change = record::Change::between(old, new);
        change.set.extend(audit::added(record)?);
        let update = update(change);
        let replace = |database| async move { update_at(&database, filter, update).await };
        self.run(replace).await
    }

    /// Marked first, with the record of it, and from then on unseen; it goes when the record has
    /// been moved on.
    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let filter = at_revision(&old.id, old.revision);
        let update = removal(old, record)?;
        let remove = |database| async move { update_at(&database, filter, update).await };
        self.run(remove).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        let after = query.after.as_ref().map(|cursor| paging::after(&cursor.0).ok_or(()));
        let Ok(after) = after.transpose() else { return Ok(None) };
        let limit = query.limit;
        let page = |database| async move { paging::page(&clients(&database), after, limit).await };
        let (documents, next) = self.run(page).await?;
        // Not on a thread that serves requests: the keys of all of them are judged.
        let unreadable = self.unreadable.clone();
        let read =
            move || documents.iter().filter_map(|it| unreadable.client(&readable(it))).collect();
        let clients = tokio::task::spawn_blocking(read).await.map_err(StoreError::new)?;
        Ok(Some(Page { clients, next: next.map(Cursor) }))
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        self.listing(record::PERMISSIONS, permission.as_str()).await
    }

    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError> {
        self.listing(record::FORMER_IDS, former.as_str()).await
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        let filter = doc! { record::KEY_THUMBPRINTS: { "$in": thumbprints } };
        let thumbprints = thumbprints.to_owned();
        let find = |database| async move {
            let documents = raw_clients(&database).find(filter).await?;
            let holder = |document: RawDocumentBuf| {
                ready(Ok(record::key_holder(&readable(&document), &thumbprints)))
            };
            documents.try_filter_map(holder).take(most).try_collect().await
        };
        self.run(find).await
    }
}

impl MongoStore {
    /// The clients in whose list of this name the value is. `$in` says the same as the name alone,
    /// which NX-27017 does not find in an indexed array.
    async fn listing(&self, name: &str, value: &str) -> Result<Vec<Client>, StoreError> {
        let filter = doc! { name: { "$in": [value] } };
        let find = |database| async move {
            raw_clients(&database).find(filter).await?.try_collect::<Vec<RawDocumentBuf>>().await
        };
        let found = self.run(find).await?;
        Ok(found.iter().filter_map(|it| self.unreadable.client(&readable(it))).collect())
    }
}

fn raw_clients(database: &Database) -> Collection<RawDocumentBuf> {
    clients(database).clone_with_type()
}

/// The document of a client, if it is still at that revision. What is null there, or missing, a
/// null in a filter matches.
pub(super) fn at_revision(id: &ClientId, revision: Revision) -> Document {
    let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
    doc! {
        record::CLIENT_ID: id.as_str(),
        record::VERSION: revision.version.map_or(Bson::Null, Bson::Int64),
        record::UPDATED_AT: revision.updated_at_ms.map_or(Bson::Null, date),
    }
}

/// Carries out an update, if the document is still at that revision. Another tool may have written
/// its date or its version in another form: then that one is compared.
pub(super) async fn update_at(
    database: &Database,
    mut filter: Document,
    update: UpdateModifications,
) -> Result<bool, Error> {
    let clients = clients(database);
    let revision = [record::UPDATED_AT, record::VERSION];
    if revision.iter().any(|name| filter.get(name) == Some(&Bson::Null)) {
        let found = clients.find_one(doc! { record::CLIENT_ID: filter.get(record::CLIENT_ID) });
        let shown = doc! { record::UPDATED_AT: 1, record::VERSION: 1 };
        let found = found.projection(shown).await?.unwrap_or_default();
        let read = record::revision(&found);
        for (name, is_read) in
            revision.into_iter().zip([read.updated_at_ms.is_some(), read.version.is_some()])
        {
            if filter.get(name) == Some(&Bson::Null)
                && let Some(other) = found.get(name).filter(|_| !is_read)
            {
                filter.insert(name, doc! { "$eq": other });
            }
        }
    }
    Ok(clients.update_one(filter, update).await?.matched_count == 1)
}

/// What marks a client as removed.
pub(super) fn removal(
    old: &Client,
    record: &AuditRecord,
) -> Result<UpdateModifications, StoreError> {
    let mut change = record::Change::between(old, old);
    change.set.insert(record::STATE, State::Deleted.as_str());
    change.set.insert(record::REMOVED_AT, record::date(record.at));
    change.set.extend(audit::added(record)?);
    Ok(update(change))
}

fn update(change: record::Change) -> UpdateModifications {
    let mut update = doc! { "$set": change.set, "$currentDate": { record::UPDATED_AT: true } };
    if !change.unset.is_empty() {
        let gone = change.unset.into_iter().map(|name| (name, Bson::from("")));
        update.insert("$unset", gone.collect::<Document>());
    }
    update.into()
}
