//! Moving documents to and from another store.

use async_trait::async_trait;
use rusqlite::Transaction;

use super::EmbeddedStore;
use super::rows::{add, page};
use crate::domain::store_error::StoreError;
use crate::registry::Inserted;
use crate::store::{Document, Export, Store, record};

/// How many documents are exported at once.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Store for EmbeddedStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        let after = after.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_i64);
        let mut rows = self.read(move |connection| page(connection, after, AT_ONCE + 1)).await?;
        let more = rows.len() > AT_ONCE;
        rows.truncate(AT_ONCE);
        let next = rows.last().filter(|_| more);
        Ok(Export {
            next: next.map(|(seq, _)| seq.to_string()),
            documents: rows.into_iter().map(|(_, document)| document).collect(),
        })
    }

    async fn import(&self, documents: Vec<Document>) -> Result<usize, StoreError> {
        let import = move |transaction: &Transaction<'_>| {
            let mut taken = 0;
            for document in documents {
                let Ok(id) = document.get_str(record::CLIENT_ID).map(str::to_owned) else {
                    continue;
                };
                taken += usize::from(add(transaction, &id, document)? == Inserted::Yes);
            }
            Ok(taken)
        };
        self.writer.write(import).await
    }
}
