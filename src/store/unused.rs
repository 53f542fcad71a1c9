//! Which client registered itself here and was never used.

use crate::domain::clock::Timestamp;

use super::{Document, record};

/// Whether the document is of such a client, registered before `before`. A document that we never
/// wrote has no version: it is for the tool that made it to remove.
pub(super) fn is_unused(document: &Document, before: Timestamp) -> bool {
    record::to_client(document).is_some_and(|client| {
        client.registered_itself()
            && client.revision.version.is_some()
            && client.is_in_use()
            && client.permissions.is_empty()
            && !has_logged_in(document)
            && client.created < before
            && client.created > Timestamp::default()
    })
}

/// Also if nobody can read when.
pub(super) fn has_logged_in(document: &Document) -> bool {
    document.get(record::LAST_LOGIN).is_some_and(|login| login.as_null().is_none())
}
