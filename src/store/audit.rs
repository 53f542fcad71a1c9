//! Audit records as text: what a record says of a document may have names that no database keeps.

use crate::domain::audit::AuditRecord;
use crate::domain::store_error::StoreError;

pub(super) fn to_text(record: &AuditRecord) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(StoreError::new)
}

/// Records that cannot be read are of a newer version, or damaged: they are left out.
pub(super) fn of_text(text: &str) -> Option<AuditRecord> {
    serde_json::from_str(text).ok()
}
