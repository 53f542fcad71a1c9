//! What runs without being asked: news from other replicas, logins written behind, sweeping.

pub mod feed;
pub mod logins;
pub mod rehash;
pub mod sweep;

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
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

/// Clients that were changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Which, and when, in milliseconds since the Unix epoch.
    pub clients: Vec<(ClientId, i64)>,
    /// The store's own time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}
