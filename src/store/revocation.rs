//! The shape of a revocation, in every store; its name is the `_id`.

use mongodb::bson::{Bson, Document};
use serde_json::Value;

use crate::domain::revocation::{Revocation, Revoked};

use super::record;

pub(super) const CREATED_AT: &str = "createdAt";
pub(super) const UNTIL: &str = "until";

/// A revocation that was kept, as far as we understand it.
pub(super) enum Kept {
    Known(Revocation),
    /// Of a kind that only a newer version knows.
    Unknown,
}

/// The members of a revocation, but for its name and when it was made.
pub(super) fn to_document(revocation: &Revocation) -> Document {
    let revoked = serde_json::to_value(&revocation.revoked).unwrap_or_default();
    let mut document = match Bson::try_from(revoked) {
        Ok(Bson::Document(document)) => document,
        _ => Document::new(),
    };
    document.insert(UNTIL, record::date(revocation.until));
    document
}

pub(super) fn of_document(document: &Document) -> Kept {
    let until = record::timestamp(document.get(UNTIL));
    let members = Value::from(Bson::Document(document.clone()));
    match (serde_json::from_value::<Revoked>(members), until) {
        (Ok(revoked), Some(until)) => Kept::Known(Revocation { revoked, until }),
        _ => Kept::Unknown,
    }
}

/// The text of a revocation for a store of rows.
pub(super) fn to_text(revocation: &Revocation) -> String {
    serde_json::to_string(&revocation.revoked).unwrap_or_default()
}
