//! Clients that were never used.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Bson, doc};
use mongodb::{Collection, Database};

use super::clients::at_revision;
use super::{MongoStore, WRITES, clients, within};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;
use crate::store::unused::is_unused;
use crate::store::{Document, record};
use crate::tasks::unused::UnusedClients;

#[async_trait]
impl UnusedClients for MongoStore {
    async fn remove_unused(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let remove = move |database: Database| async move {
            let clients = clients(&database);
            let found = candidates(&clients, before, limit).await?;
            let removals = found.into_iter().map(|filter| remove(clients.clone(), filter));
            let removed: Vec<Option<ClientId>> =
                stream::iter(removals).buffer_unordered(WRITES).try_collect().await?;
            Ok(removed.into_iter().flatten().collect())
        };
        self.run_all(remove).await
    }
}

/// A filter for each, that matches it only as long as it is as it was found: a login leaves the
/// revision as it is, every other change does not.
async fn candidates(
    clients: &Collection<Document>,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(ClientId, Document)>, StoreError> {
    let filter = doc! { "creatorId": record::NOBODY, record::LAST_LOGIN: Bson::Null };
    let clients = clients.clone();
    let mut documents = within(async move { clients.find(filter).await }).await?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(document) = within(documents.try_next()).await?
    {
        let client = record::to_client(&document).filter(|_| is_unused(&document, before));
        found.extend(client.map(|client| {
            let mut filter = at_revision(&client.id, client.revision);
            filter.insert(record::LAST_LOGIN, Bson::Null);
            (client.id, filter)
        }));
    }
    Ok(found)
}

async fn remove(
    clients: Collection<Document>,
    (id, filter): (ClientId, Document),
) -> Result<Option<ClientId>, StoreError> {
    let deleted = within(async move { clients.delete_one(filter).await }).await?.deleted_count;
    Ok((deleted == 1).then_some(id))
}
