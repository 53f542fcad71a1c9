//! Moving documents to and from another store.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::Collection;
use mongodb::bson::doc;
use mongodb::error::Error;

use super::{MongoStore, WRITES, clients, paging, unless_duplicate, within};
use crate::domain::store_error::StoreError;
use crate::store::{Document, Export, Store, record};

/// How many documents are exported at once.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Store for MongoStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        let after = after.map(str::to_owned);
        let page = |database| async move {
            paging::page(&clients(&database), after.as_deref(), AT_ONCE).await
        };
        let (documents, next) = self.run(page).await?;
        Ok(Export { documents, next })
    }

    async fn import(&self, documents: Vec<Document>) -> Result<usize, StoreError> {
        let import = |database| async move {
            let clients = clients(&database);
            let takes = documents.into_iter().map(|document| {
                let clients = clients.clone();
                within(async move { take(&clients, document).await })
            });
            let count = |taken, took| async move { Ok(taken + usize::from(took)) };
            stream::iter(takes).buffer_unordered(WRITES).try_fold(0, count).await
        };
        self.run_all(import).await
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
