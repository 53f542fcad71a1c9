//! Clients that were never used.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use mongodb::{Collection, Database};

use crate::audit::AuditRecord;
use crate::clients::unused::UnusedClients;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::store::unused::is_unused;
use crate::store::{Document, record};

use super::clients::{at_revision, removal, update_at};
use super::{MongoStore, clients, readable, within};

#[async_trait]
impl UnusedClients for MongoStore {
    async fn unused(&self, before: Timestamp, limit: usize) -> Result<Vec<Client>, StoreError> {
        let find = move |database: Database| async move {
            candidates(&clients(&database), before, limit).await
        };
        self.run_all(find).await
    }

    /// A login leaves the revision as it is, so that is asked too.
    async fn remove_unused(
        &self,
        client: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let mut filter = at_revision(&client.id, client.revision);
        filter.insert(record::LAST_LOGIN, Bson::Null);
        let removal = removal(client, record)?;
        let remove = |database| async move { update_at(&database, filter, removal).await };
        self.run(remove).await
    }
}

async fn candidates(
    clients: &Collection<Document>,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Client>, StoreError> {
    let filter = doc! { "creatorId": record::NOBODY, record::LAST_LOGIN: Bson::Null };
    let clients = clients.clone_with_type::<RawDocumentBuf>();
    let mut documents = within(async move { clients.find(filter).await }).await?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(document) = within(documents.try_next()).await?
    {
        let document = readable(&document);
        found.extend(record::to_client(&document).filter(|_| is_unused(&document, before)));
    }
    Ok(found)
}
