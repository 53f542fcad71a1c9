//! News between replicas: what others, and other tools, changed in the store.

pub mod client_status;
pub mod feed;
pub mod revocation_orders;

use async_trait::async_trait;

use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;

/// What tells one replica what the others, and other tools, did.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// What was changed since `since_ms`, by anybody.
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError>;

    /// How the clients stand that were changed since `since_ms` and have tokens that ended: those
    /// that are not `PUBLIC`, or had their epoch raised. A client whose date of change cannot be
    /// read counts as changed. Looks at up to `limit` of them, behind the place where the last page
    /// ended.
    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError>;

    /// The status of these clients; none of one that is gone.
    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError>;

    /// Some revocations, behind the place where the last page ended.
    async fn revocations(&self, after: Option<&str>) -> Result<RevocationPage, StoreError>;
}

/// The status of a client, as far as its tokens are concerned.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClientStatus {
    /// Which.
    pub id: ClientId,
    /// Its state.
    pub state: State,
    /// Its epoch.
    pub epoch: u64,
    /// When it was changed, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// A page of statuses.
#[derive(Clone, Debug, Default)]
pub struct ClientStatusPage {
    /// Those that were asked for.
    pub statuses: Vec<ClientStatus>,
    /// How many clients were looked at.
    pub looked_at: usize,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}

/// What was changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Clients.
    pub clients: Vec<ClientStatus>,
    /// Revocations that were made.
    pub revocations: Vec<Revocation>,
    /// Revocations of a kind that only a newer version knows.
    pub unknown_revocations: usize,
    /// The store's own time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Some revocations.
#[derive(Clone, Debug, Default)]
pub struct RevocationPage {
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// Those of a kind that only a newer version knows.
    pub unknown: usize,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}
