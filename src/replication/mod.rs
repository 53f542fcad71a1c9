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
    /// The store's own time, in milliseconds since the Unix epoch.
    async fn now_ms(&self) -> Result<i64, StoreError>;

    /// How the clients stand that anybody changed since `since_ms`: up to `limit` of them, behind
    /// the place where the last page ended. One that is changed meanwhile may be left out, and one may
    /// come twice.
    async fn changed_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError>;

    /// How the clients stand that were changed since `since_ms` and have tokens that ended: those
    /// that are not `PUBLIC`, or had their epoch raised. A client whose date of change cannot be
    /// read counts as changed. Looks at up to `limit` of them, behind the place where the last page
    /// ended.
    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let mut page = self.changed_since(since_ms, after, limit).await?;
        page.statuses.retain(ClientStatus::has_ended_tokens);
        Ok(page)
    }

    /// The status of these clients; none of one that is gone.
    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError>;

    /// Up to `limit` revocations that were made since `since_ms`, or all of them since ever, behind
    /// the place where the last page ended.
    async fn revocations(
        &self,
        since_ms: Option<i64>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RevocationPage, StoreError>;
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

impl ClientStatus {
    /// Whether the client may have tokens that ended.
    #[must_use]
    pub fn has_ended_tokens(&self) -> bool {
        self.state != State::Public || self.epoch > 0
    }
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

/// Some revocations.
#[derive(Clone, Debug, Default)]
pub struct RevocationPage {
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// Those of which nobody here knows what they revoke.
    pub unknown: usize,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}
