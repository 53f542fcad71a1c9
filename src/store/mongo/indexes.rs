//! The indexes: plain ones only, each made by itself.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};

use super::audit::OUTBOX_LAST;
use super::{
    AUDIT, CLIENTS, MongoOpenError, QUOTAS, REVOCATIONS, USED_ASSERTIONS, unreachable, within,
};
use crate::store::record::{CLIENT_ID, FORMER_IDS, KEY_THUMBPRINTS, PERMISSIONS, UPDATED_AT};
use crate::store::revocation::{CREATED_AT, UNTIL};

/// How long the server may take to make one: there may be many documents already.
const PATIENCE: Duration = Duration::from_secs(60);

struct Index {
    collection: &'static str,
    keys: &'static [&'static str],
    unique: bool,
}

const INDEXES: [Index; 16] = [
    Index { collection: CLIENTS, keys: &[CLIENT_ID], unique: true },
    Index { collection: USED_ASSERTIONS, keys: &["clientId", "jti"], unique: true },
    Index { collection: CLIENTS, keys: &[UPDATED_AT], unique: false },
    Index { collection: CLIENTS, keys: &[PERMISSIONS], unique: false },
    Index { collection: CLIENTS, keys: &[OUTBOX_LAST], unique: false },
    Index { collection: CLIENTS, keys: &[KEY_THUMBPRINTS], unique: false },
    Index { collection: CLIENTS, keys: &[FORMER_IDS], unique: false },
    Index { collection: USED_ASSERTIONS, keys: &["until"], unique: false },
    Index { collection: REVOCATIONS, keys: &[CREATED_AT], unique: false },
    Index { collection: REVOCATIONS, keys: &[UNTIL], unique: false },
    Index { collection: REVOCATIONS, keys: &[OUTBOX_LAST], unique: false },
    Index { collection: AUDIT, keys: &["clientId"], unique: false },
    Index { collection: AUDIT, keys: &["actor"], unique: false },
    Index { collection: AUDIT, keys: &["told"], unique: false },
    Index { collection: QUOTAS, keys: &[CLIENT_ID], unique: false },
    Index { collection: QUOTAS, keys: &["until"], unique: false },
];

/// Makes what is missing. Only a unique index is needed: without another one it is slow, not wrong.
pub(super) async fn ensure(database: &Database) -> Result<(), MongoOpenError> {
    for index in INDEXES {
        let collection = database.collection::<Document>(index.collection);
        let Err(source) = index.create(&collection).await? else { continue };
        if is_no_verdict(&source) {
            return Err(unreachable(source));
        }
        let keys = index.keys.join("`, `");
        if !index.unique {
            tracing::warn!(collection = index.collection, keys, reason = %source, "no index");
        } else if !within(index.is_there(&collection)).await.map_err(unreachable)? {
            return Err(MongoOpenError::Index { collection: index.collection, keys, source });
        }
    }
    Ok(())
}

/// Whether no two clients can have the same id.
pub(super) async fn has_unique_client_ids(database: &Database) -> Result<bool, Error> {
    let unique = Index { collection: CLIENTS, keys: &[CLIENT_ID], unique: true };
    unique.is_there(&database.collection(CLIENTS)).await
}

/// Whether the server did not get to say anything. What it says has no code on every server.
fn is_no_verdict(error: &Error) -> bool {
    use ErrorKind::{ConnectionPoolCleared, Io, ServerSelection};
    matches!(*error.kind, ConnectionPoolCleared { .. } | Io(_) | ServerSelection { .. })
}

impl Index {
    fn keys(&self) -> Document {
        self.keys.iter().map(|name| ((*name).to_owned(), Bson::Int32(1))).collect()
    }

    /// Under the name that every tool gives it, so that nobody gets in another's way.
    async fn create(
        &self,
        collection: &Collection<Document>,
    ) -> Result<Result<(), Error>, MongoOpenError> {
        let options = IndexOptions::builder().unique(self.unique.then_some(true)).build();
        let model = IndexModel::builder().keys(self.keys()).options(options).build();
        let made = tokio::time::timeout(PATIENCE, collection.create_index(model)).await;
        Ok(made.map_err(unreachable)?.map(drop))
    }

    /// Whether one that serves is there already, say under another name.
    async fn is_there(&self, collection: &Collection<Document>) -> Result<bool, Error> {
        let known: Vec<IndexModel> = collection.list_indexes().await?.try_collect().await?;
        Ok(known.iter().any(|known| {
            let whole = |options: &IndexOptions| {
                options.unique == Some(true) && options.partial_filter_expression.is_none()
            };
            known.keys.keys().eq(self.keys.iter().copied())
                && known.options.as_ref().is_some_and(whole)
        }))
    }
}
