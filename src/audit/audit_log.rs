//! Writes each audit event to the log, when its change has been stored.

use crate::domain::id::ClientId;

use super::AuditRecord;

/// Says what was done.
pub fn log(record: &AuditRecord) {
    let client_id = record.client_id.as_ref().map(ClientId::as_str);
    let [before, after] = [&record.before, &record.after]
        .map(|members| serde_json::to_string(members).unwrap_or_default());
    tracing::info!(
        audit = record.action.name(),
        id = record.id,
        actor = record.actor,
        client_id,
        before,
        after,
        address = record.address,
        request_id = record.request_id,
        "changed"
    );
}
