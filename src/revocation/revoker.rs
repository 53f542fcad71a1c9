//! Calls tokens back: here at once, and durably.

use std::sync::Arc;

use crate::audit::{AuditRecord, audit_log};
use crate::domain::clock::Timestamp;
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::store_error::StoreError;

use super::RevocationStore;
use super::list::Revocations;

/// Keeps revocations, and has them in force in this process when it returns.
pub struct Revoker {
    /// Where they are kept.
    pub store: Arc<dyn RevocationStore>,
    /// What is in force here.
    pub revocations: Arc<Revocations>,
}

impl Revoker {
    /// Ends these tokens. `until` is when the last of them will have expired of itself.
    pub async fn revoke(
        &self,
        revoked: Revoked,
        until: Timestamp,
        record: &AuditRecord,
    ) -> Result<(), StoreError> {
        let revocation = Revocation { revoked, until };
        // First, and also if it cannot be kept, or nobody waits until it is: it may have been kept
        // all the same, and a token that somebody wanted dead had better be.
        self.revocations.add(&revocation);
        self.store.revoke(&revocation, record).await?;
        audit_log::log(record);
        Ok(())
    }
}
