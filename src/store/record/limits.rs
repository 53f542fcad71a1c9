//! Members that limit what a client may do. What other tools wrote in a form that is not
//! understood must not count as no limit, so it is noted.

use mongodb::bson::{Bson, Document};

use crate::domain::client::Unreadable;
use crate::domain::clock::Timestamp;

use super::values::{count, timestamp};

/// The epoch of a client whose own cannot be read: above any that was counted.
pub(super) const UNREADABLE_EPOCH: u64 = 1 << 32;

/// The end of a credential whose own cannot be read: it has ended.
const ENDED: Timestamp = Timestamp(0);

/// Reads a document, and notes what is there and cannot be read. What is null is not there.
pub(super) struct Limits<'d> {
    document: &'d Document,
    unreadable: Vec<Unreadable>,
}

impl<'d> Limits<'d> {
    pub(super) fn of(document: &'d Document) -> Self {
        Self { document, unreadable: Vec::new() }
    }

    /// A member, if it is there and can be read.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'d Bson) -> Option<T>,
    ) -> Option<T> {
        let value = present(self.document, name)?;
        let found = read(value);
        if found.is_none() {
            self.note(name.to_owned(), expected);
        }
        found
    }

    pub(super) fn count(&mut self, name: &str) -> Option<u64> {
        self.read(name, "is not a whole number", count)
    }

    pub(super) fn date(&mut self, name: &str) -> Option<Timestamp> {
        self.read(name, "is not a date", |value| timestamp(Some(value)))
    }

    /// When a credential ends that stands at this place of a list.
    pub(super) fn end(&mut self, item: &Document, place: &str) -> Option<Timestamp> {
        let value = present(item, "expiresAt")?;
        let end = timestamp(Some(value));
        if end.is_none() {
            self.note(format!("{place}.expiresAt"), "is not a date");
        }
        Some(end.unwrap_or(ENDED))
    }

    pub(super) fn note(&mut self, member: String, problem: &str) {
        self.unreadable.push(Unreadable { member, problem: problem.to_owned() });
    }

    pub(super) fn unreadable(self) -> Vec<Unreadable> {
        self.unreadable
    }
}

/// A member that is there, and not null.
pub(super) fn present<'d>(document: &'d Document, name: &str) -> Option<&'d Bson> {
    document.get(name).filter(|value| !matches!(value, Bson::Null))
}
