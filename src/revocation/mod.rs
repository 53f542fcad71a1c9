//! What has ended before its time: the list that every replica holds in memory, and how it grows.

pub mod list;
pub mod rate;
pub mod revoker;

use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;

use list::TokenName;

/// Where revocations are kept.
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Keeps it, durably, with the record of who did it. To keep it again is no change, but that
    /// it is kept as long as the longer of the two.
    async fn revoke(&self, revocation: &Revocation, record: &AuditRecord)
    -> Result<(), StoreError>;
}

/// An access token of ours, as its signature says. Whether it is alive is another question.
#[derive(Debug)]
pub struct OpenedToken {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// The key that signed it.
    pub kid: Arc<str>,
    /// Its name among those that were revoked.
    pub name: TokenName,
}
