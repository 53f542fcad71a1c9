//! What runs without being asked: news from other replicas, logins written behind, sweeping.

pub mod feed;
pub mod key_exchange;
pub mod logins;
pub mod rehash;
pub mod sweep;

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::jwk::PublicJwk;
use crate::domain::signing_key::PublishedKey;
use crate::domain::store_error::StoreError;

/// What the tasks need of a store.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Sets the last login of each client. Touches neither its version nor its date of change.
    async fn write_logins(&self, logins: &[(ClientId, Timestamp)]) -> Result<(), StoreError>;

    /// Removes what expired before `now`, `limit` records at the most. How many were removed.
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Which clients were changed since `since_ms`, by anybody.
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError>;
}

/// Where the public halves of the signing keys are shared among replicas.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// Shows a key, or renews what was said of it. The date of its first publication stays.
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError>;

    /// All keys that are shown.
    async fn published(&self) -> Result<Vec<PublishedKey>, StoreError>;

    /// Takes a key back for good.
    async fn forget(&self, kid: &str) -> Result<(), StoreError>;
}

/// Clients kept at hand, which the feed keeps honest.
pub trait ClientCache: Send + Sync {
    /// Forgets a client: the next use reads it again.
    fn forget(&self, id: &ClientId);
}

/// The keys that this replica signs and verifies with.
pub trait Ring: Send + Sync {
    /// The public halves of our own, the one that shall sign first.
    fn own(&self) -> Vec<OwnPublicKey>;

    /// Takes in what is published now. `first` names the key that may sign at once, because no
    /// verifier could have cached a key set before it.
    fn update(&self, published: &[PublishedKey], first: &str, now: Timestamp);
}

/// The public half of a key of ours.
#[derive(Clone, Debug)]
pub struct OwnPublicKey {
    /// The key.
    pub jwk: PublicJwk,
    /// True if another platform signed with it before.
    pub imported: bool,
}

/// Clients that were changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Which, and when, in milliseconds since the Unix epoch.
    pub clients: Vec<(ClientId, i64)>,
    /// The store's own time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}
