//! Registered clients and their credentials: how they are created, changed and removed. One file for
//! each operation; the ports are here.

mod add;
pub mod admin;
pub mod audit;
pub mod authority;
pub mod cached;
pub mod change;
pub mod create;
pub mod credential_watch;
pub mod credentials;
pub mod error;
pub mod grants;
pub mod import;
pub mod key_admission;
pub mod key_proof;
mod limits;
pub mod list;
pub mod logins;
pub mod new_client;
pub mod pepper;
pub mod precondition;
pub mod public_key;
pub mod recorded;
pub mod regenerate;
pub mod register;
pub mod registration_mode;
pub mod rehash;
pub mod revoke;
pub mod revoke_tokens;
pub mod secrets;
pub mod self_service;
pub mod transition;
pub mod unused;
pub mod update;
pub mod used_proofs;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::store_error::StoreError;
use crate::oauth::logins::Login;

pub use add::{Clients, Registered};
pub use limits::ClientLimits;

/// Where clients are kept. The record of who did it goes into the same write as each change.
#[async_trait]
pub trait ClientRepository: Send + Sync {
    /// Adds a client, durably. Of several of one id exactly one is added.
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError>;

    /// The client as it stands in the store now, past every cache.
    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError>;

    /// Writes what changed from `old` to `new`, if the document still has the revision of `old`.
    /// False if it has another one, or is gone. Members that we do not know stay as they are.
    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Removes the client for good, if its document still has the revision of `old`. False if it
    /// has another one, or is gone.
    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError>;

    /// Whether [`remove`](Self::remove) would find the page of the database damaged: asked before
    /// anything else is written.
    async fn check_removal(&self, _client: &Client) -> Result<(), StoreError> {
        Ok(())
    }

    /// A page of clients, oldest first; `None` if the cursor is none of this store's.
    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError>;

    /// Every client that holds the permission. Meant for permissions that few hold.
    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError>;

    /// The clients that had this id before they got the one that they have.
    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError>;

    /// Clients that are not removed and have a key of one of these thumbprints: all, or `most` of
    /// them. Clients that other tools wrote, and nobody since, may be left out.
    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError>;
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Inserted {
    /// It was added.
    Yes,
    /// There is already one of that id.
    Duplicate,
}

/// Which page of clients.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Where the last page ended; `None`: from the beginning.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A place in the list, opaque to everyone but the store that made it. Letters, digits, `-`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(pub String);

/// Some clients, and where to go on.
#[derive(Clone, Debug)]
pub struct Page {
    /// The clients.
    pub clients: Vec<Client>,
    /// Where to go on; `None`: that was all.
    pub next: Option<Cursor>,
}

/// What all replicas on one store agree on.
#[async_trait]
pub trait SharedFacts: Send + Sync {
    /// What was agreed under this name, if anything.
    async fn agreed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Proposes a value; returns the one that stands, of whoever came first.
    async fn agree(&self, name: &str, proposal: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Whether any secret has a checksum, which only the agreed pepper can verify.
    async fn has_checksummed_secrets(&self) -> Result<bool, StoreError>;
}

/// What background tasks, readiness and metrics need of a store.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Sets the last login of each client, and the last use of the credentials. Touches neither
    /// its version nor its date of change.
    async fn write_logins(&self, logins: &[Login]) -> Result<(), StoreError>;

    /// Removes what expired before `now`, at most `limit` records. How many were removed.
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Removes audit records before `before`, at most `limit`. How many were removed.
    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Whether the last writes were taken: a store on a disk that is full can be read only.
    fn takes_writes(&self) -> bool {
        true
    }

    /// How much this process met there that it could not read whole.
    fn unreadable(&self) -> UnreadableCount;
}

/// How much could not be read whole; each document counts once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UnreadableCount {
    /// Clients.
    pub clients: u64,
    /// Audit records.
    pub records: u64,
}

/// Cached clients. The feed invalidates them.
pub trait ClientCache: Send + Sync {
    /// Forgets a client: the next use reads it again.
    fn forget(&self, id: &ClientId);

    /// Forgets them all.
    fn forget_all(&self);
}
