//! Who did what: records that go into the same write as the change, the way they take to where they
//! are read, and the webhook that receives some of them.

pub mod audit_log;
pub mod delivery;
pub mod lease;
pub mod message;
pub mod outbox;
mod record;

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;

use message::Message;

pub use record::{Action, AuditRecord, Author, Origin, Recorder, UnknownAction};

/// Where the records of what was done can be read.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Some records, the newest first.
    async fn records(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError>;
}

/// Which records.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// By this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// About this client.
    pub client_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Older than the record of this id.
    pub after: Option<String>,
    /// At most how many.
    pub limit: usize,
}

/// The way of audit records from where they were written with the change to where they are read, and
/// to the webhook.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Moves up to `limit` records on. How many were moved.
    async fn move_on(&self, limit: usize) -> Result<usize, StoreError>;

    /// Adds a record that belongs to no change in a document. False if it is there already.
    async fn append(&self, record: &AuditRecord) -> Result<bool, StoreError>;

    /// Up to `limit` records that were not delivered yet, the oldest first, none older than `from`.
    async fn untold(&self, from: Timestamp, limit: usize) -> Result<Vec<AuditRecord>, StoreError>;

    /// Marks records as delivered.
    async fn told(&self, ids: &[String]) -> Result<(), StoreError>;

    /// Takes or renews the lease of this name for `holder`, if no other holds it at `now`.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Brings messages to whoever wants to be told.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Sends one, once.
    async fn send(&self, message: &Message) -> Result<(), Undelivered>;
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// Nobody answers, or not now.
    #[error("{0}")]
    Away(String),
    /// This one was not taken, with this HTTP status.
    #[error("it was refused with {0}")]
    Refused(u16),
}
