//! Where things are kept: the only module that knows a database. Three adapters behind the same
//! ports, held to one contract by `tests/it/store_contract/`.

mod audit;
mod embedded;
mod inspection;
mod memory;
mod mongo;
mod record;
mod revocation;
mod signing_key_record;
mod unreadable;
mod unused;

use async_trait::async_trait;

use crate::audit::{AuditTrail, Outbox};
use crate::clients::unused::UnusedClients;
use crate::clients::{ClientRepository, SharedFacts, Upkeep};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;
use crate::oauth::quota::QuotaStore;
use crate::replication::ChangeLog;
use crate::revocation::RevocationStore;
use crate::signing::SigningKeyStore;

pub use embedded::{BackUpError, BackedUp, EmbeddedStore, Existing, OpenError};
pub use inspection::{Inspection, Problem};
pub use memory::MemoryStore;
pub use mongo::{MongoOpenError, MongoSource, MongoStore, SourcePage};

/// Everything that a store does.
#[async_trait]
pub trait Store:
    AssertionStore
    + AuditTrail
    + ChangeLog
    + Outbox
    + QuotaStore
    + ClientRepository
    + RevocationStore
    + SharedFacts
    + SigningKeyStore
    + UnusedClients
    + Upkeep
{
    /// Every client document as it stands, for moving to another store.
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError>;

    /// Takes documents of another store as they stand; those whose client is there already are
    /// left alone.
    async fn import(&self, documents: Vec<Document>) -> Result<Taken, StoreError>;

    /// Takes revocations of another store, without records of who did it.
    async fn import_revocations(&self, revocations: Vec<Revocation>) -> Result<(), StoreError>;

    /// Some assertions that were used, in the order of their clients and digests, behind `after`.
    /// An empty list: that was all.
    async fn used_assertions(
        &self,
        after: Option<&UsedAssertion>,
    ) -> Result<Vec<UsedAssertion>, StoreError>;
}

/// An assertion that was used, and is remembered until it could not be used anyway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsedAssertion {
    /// Whose it was.
    pub client: ClientId,
    /// The SHA-256 of its `jti`.
    pub jti_digest: [u8; 32],
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// A client document, with whatever other tools keep in it.
pub type Document = mongodb::bson::Document;

/// What became of documents that were brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// How many are new here.
    pub new: usize,
    /// The clients whose documents cannot be kept here as they stand.
    pub left_out: Vec<String>,
}

/// Some documents, and where to go on.
#[derive(Debug)]
pub struct Export {
    /// The documents.
    pub documents: Vec<Document>,
    /// The clients whose documents cannot be read whole.
    pub left_out: Vec<String>,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}
