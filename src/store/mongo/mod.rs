//! The store for several replicas: a MongoDB database, or one that speaks its protocol.
//!
//! One document is the unit of change. Races are decided by a unique index or by a
//! compare-and-swap in the filter of an update; nothing here needs a transaction, so a standalone
//! server will do. What the compatible servers get wrong is gone around where it says so.

mod address;
mod assertions;
mod audit;
mod changes;
mod check;
mod clients;
mod facts;
mod indexes;
mod lease;
mod paging;
mod quotas;
mod signing_keys;
mod source;
mod transfer;
mod unused;
mod upkeep;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Bson, RawDocument};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::{Collection, Database};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::domain::store_error::StoreError;

use super::Document;
use super::unreadable::Unreadable;
use address::Address;

pub use source::{MongoSource, SourcePage};

/// How long one operation may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many of many small writes are under way at once.
const WRITES: usize = 8;

const CLIENTS: &str = "clients";
const USED_ASSERTIONS: &str = "used_assertions";
const SIGNING_KEYS: &str = "signing_keys";
const META: &str = "meta";
const AUDIT: &str = "audit";
const REVOCATIONS: &str = "revocations";
const QUOTAS: &str = "quotas";

/// Why a MongoDB store cannot be opened or prepared. Says nothing of a password.
#[derive(Debug, thiserror::Error)]
pub enum MongoOpenError {
    /// An index that the promises of the store rest on cannot be had.
    #[error(
        "the collection `{collection}` cannot have a unique index on `{keys}`; duplicates, or an index that is not unique, may be in its way"
    )]
    Index {
        /// Which collection.
        collection: &'static str,
        /// The members of the index.
        keys: String,
        /// What the server said.
        source: Error,
    },
    /// A newer Latchkey wrote to the database, or nobody that we know.
    #[error("the database was written by a newer version (schema `{0}`, known up to {known})", known = facts::SCHEMA)]
    Newer(String),
    /// The URL names no database.
    #[error("the MongoDB URL names no database: it must read mongodb://host/NAME")]
    NoDatabase,
    /// Opened from where there is no runtime.
    #[error("a MongoDB store can be opened on a Tokio runtime only")]
    NoRuntime,
    /// The database does not answer, or not as it should. Trying again may help.
    #[error("the database does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The URL cannot be understood.
    #[error("the MongoDB URL cannot be understood: {0}")]
    Url(String),
}

/// A MongoDB database, for several replicas.
///
/// Every operation runs in a task of its own on the runtime on which the store was opened: it goes
/// on when its caller goes away, and it may be asked for from any other runtime.
pub struct MongoStore {
    address: Arc<Address>,
    runtime: Handle,
    database: Arc<OnceCell<Database>>,
    unreadable: Unreadable,
}

impl MongoStore {
    /// A store on the database that `url` names. Does not connect: see [`prepare`](Self::prepare).
    pub fn open(url: &str) -> Result<Self, MongoOpenError> {
        Ok(Self {
            address: Arc::new(Address::parse(url)?),
            runtime: Handle::try_current().map_err(|_| MongoOpenError::NoRuntime)?,
            database: Arc::default(),
            unreadable: Unreadable::default(),
        })
    }

    /// Connects, checks the schema and makes the indexes. Until this has succeeded once every
    /// operation fails; it may be tried again as often as need be.
    pub async fn prepare(&self) -> Result<(), MongoOpenError> {
        let (address, database) = (self.address.clone(), self.database.clone());
        let prepare = async move {
            let prepared = database.get_or_try_init(|| async {
                let database = within(address.connect()).await.map_err(unreachable)?;
                facts::check_schema(&database).await?;
                indexes::ensure(&database).await?;
                Ok(database)
            });
            prepared.await.map(drop)
        };
        self.runtime.spawn(prepare).await.map_err(unreachable)?
    }

    /// Connects, and looks at nothing: enough to read what is there, whatever it is.
    pub async fn reach(&self) -> Result<(), MongoOpenError> {
        let (address, database) = (self.address.clone(), self.database.clone());
        let reach = async move {
            let connected = || async { within(address.connect()).await.map_err(unreachable) };
            database.get_or_try_init(connected).await.map(drop)
        };
        self.runtime.spawn(reach).await.map_err(unreachable)?
    }

    /// Runs one operation.
    async fn run<T, F>(&self, operation: impl FnOnce(Database) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.run_all(|database| within(operation(database))).await
    }

    /// Runs what consists of several operations, each of which is [`within`] its time.
    async fn run_all<T, F>(&self, operations: impl FnOnce(Database) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let database = self.database.get().cloned();
        let database = database.ok_or_else(|| StoreError::new("the database is not ready yet"))?;
        self.runtime.spawn(operations(database)).await.map_err(StoreError::new)?
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore").field("database", &self.address.name).finish_non_exhaustive()
    }
}

async fn within<T>(operation: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, operation).await {
        Ok(outcome) => outcome.map_err(StoreError::new),
        Err(_) => Err(StoreError::new(format!("no answer within {PATIENCE:?}"))),
    }
}

fn unreachable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> MongoOpenError {
    MongoOpenError::Unreachable(cause.into())
}

fn clients(database: &Database) -> Collection<Document> {
    database.collection(CLIENTS)
}

/// A document as far as it can be read. A member that is not UTF-8, say, is there all the same.
fn readable(raw: &RawDocument) -> Document {
    Document::try_from(raw).unwrap_or_else(|_| {
        let elements = raw.iter_elements().map_while(Result::ok).map(|element| {
            let value = element.value().ok().and_then(|value| Bson::try_from(value).ok());
            (element.key().as_str().to_owned(), value.unwrap_or(Bson::Undefined))
        });
        elements.collect()
    })
}

/// Whether a unique index refused the write.
fn is_duplicate(error: &Error) -> bool {
    const DUPLICATE_KEY: i32 = 11000;
    match &*error.kind {
        ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// What became of a write that a unique index decides: whether it was the first.
fn unless_duplicate<T>(written: Result<T, Error>) -> Result<bool, Error> {
    match written {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the server refused this one write, and may carry out others.
fn is_refusal(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(_) | ErrorKind::Write(WriteFailure::WriteError(_)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record;
    use mongodb::bson::{RawDocumentBuf, doc};

    #[test]
    fn a_member_that_is_not_utf_8_leaves_the_others() {
        let whole = doc! {
            "clientId": "svc", "__STATE__": "PUBLIC", "audience": ["orders"],
            "metadata": { "note": "notes" }, "scope": "a",
        };
        let bytes = RawDocumentBuf::try_from(&whole).unwrap().into_bytes();
        for (spoilt, unreadable) in [("orders", &["audience"][..]), ("notes", &[])] {
            let mut bytes = bytes.clone();
            let at = bytes.windows(spoilt.len()).position(|it| it == spoilt.as_bytes()).unwrap();
            bytes[at] = 0xff;
            let document = readable(&RawDocumentBuf::from_bytes(bytes).unwrap());
            let client = record::to_client(&document).unwrap();
            assert_eq!(client.scope.as_str(), "a", "{spoilt}");
            let named: Vec<&str> = client.unreadable.iter().map(|it| it.member.as_str()).collect();
            assert_eq!(named, unreadable, "{spoilt}");
        }
        let raw = RawDocumentBuf::try_from(&whole).unwrap();
        assert_eq!(readable(&raw), whole);
    }
}
