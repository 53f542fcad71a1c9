//! Audit records as text: what a record says of a document may have names that no database keeps.

use serde_json::{Map, Value};

use crate::audit::{Action, AuditRecord};
use crate::domain::client::Unreadable as Member;
use crate::domain::free_form::{self, DEEPEST};
use crate::domain::store_error::StoreError;

use super::unreadable::{Unreadable, What};

/// The text of a record. One that could not be shown whole is an error, before anything is written.
pub(super) fn to_text(record: &AuditRecord) -> Result<String, StoreError> {
    if is_too_deep(record) {
        return Err(StoreError::new("the record is nested too deeply"));
    }
    serde_json::to_string(record).map_err(StoreError::new)
}

fn is_too_deep(record: &AuditRecord) -> bool {
    record.before.values().chain(record.after.values()).any(free_form::is_too_deep)
}

/// A record as it is kept: its text, and what is said beside it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) actor: Option<String>,
    pub(super) action: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) text: String,
    /// Whether an index alone knows of it: its row is on a damaged page of the file.
    pub(super) is_lost: bool,
}

impl Kept {
    /// What is left of a record on a damaged page of the file.
    pub(super) fn lost(id: &str) -> Self {
        Self { id: id.to_owned(), is_lost: true, ..Self::default() }
    }

    /// The record if it can be read whole, else why not.
    pub(super) fn whole(&self) -> Result<AuditRecord, String> {
        if self.is_lost {
            return Err(format!("it {}", Member::ON_DAMAGED_PAGE));
        }
        match serde_json::from_str::<AuditRecord>(&self.text) {
            Ok(record) if record.id != self.id => Err("it has another id".to_owned()),
            Ok(record) if is_too_deep(&record) => Err("it is nested too deeply".to_owned()),
            Ok(record) => Ok(record),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The record, as far as it can be read.
    pub(super) fn read(self, unreadable: &Unreadable) -> AuditRecord {
        let problem = match self.whole() {
            Ok(record) => return record,
            Err(problem) => problem,
        };
        unreadable.met(What::Record, &self.id, &problem);
        let value = free_form::read(&self.text).ok();
        let read =
            value.clone().and_then(|value| serde_json::from_value::<AuditRecord>(value).ok());
        match read.filter(|record| record.id == self.id) {
            Some(record) => cut(record),
            None => self.remains(value.as_ref()),
        }
    }

    /// What can be said of a record that is none.
    fn remains(self, value: Option<&Value>) -> AuditRecord {
        let text = |name: &str| value?.get(name)?.as_str().map(str::to_owned);
        let known = |beside: Option<String>, name: &str| beside.or_else(|| text(name));
        let action = known(self.action, "action");
        let actor = known(self.actor, "actor").unwrap_or_default();
        let client_id = known(self.client_id, "client_id").and_then(|id| id.parse().ok());
        let mut after = Map::new();
        after.extend(action.map(|action| ("action".to_owned(), action.into())));
        let whole = value.map(|value| free_form::cut(value, DEEPEST));
        after.extend(whole.map(|whole| ("record".to_owned(), whole)));
        AuditRecord {
            at: AuditRecord::moment_of(&self.id).unwrap_or_default(),
            id: self.id,
            action: Action::Unreadable,
            actor,
            client_id,
            before: Map::new(),
            after,
            address: None,
            request_id: None,
        }
    }
}

fn cut(mut record: AuditRecord) -> AuditRecord {
    for value in record.before.values_mut().chain(record.after.values_mut()) {
        *value = free_form::cut(value, DEEPEST);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "006b49d20000000001abcdefghij";

    fn read(text: &str) -> AuditRecord {
        let (actor, client_id) = (Some("alice".to_owned()), Some("svc".to_owned()));
        let action = Some("client.exploded".to_owned());
        Kept { id: ID.to_owned(), actor, action, client_id, text: text.to_owned(), is_lost: false }
            .read(&Unreadable::default())
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_far_as_it_can() {
        let record = |action: &str, after: &str| {
            format!(
                r#"{{"id":"{ID}","at":1800000000,"action":"{action}","actor":"alice","after":{after}}}"#
            )
        };
        let deep = |n| format!(r#"{{"metadata":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        for (why, text, action, shown) in [
            ("good", record("client.updated", "{}"), "client.updated", "{}"),
            ("32 levels", record("client.updated", &deep(32)), "client.updated", "]]"),
            ("too deep", record("client.updated", &deep(33)), "client.updated", free_form::CUT),
            (
                "far too deep",
                record("client.updated", &deep(999)),
                "client.updated",
                free_form::CUT,
            ),
            ("newer", record("client.exploded", "{}"), "unreadable", r#""client.exploded""#),
            ("another's", record("client.updated", "{}").replace(ID, "7"), "unreadable", "7"),
            ("cut off", "{".to_owned(), "unreadable", "client.exploded"),
            ("a text", "\"x\"".to_owned(), "unreadable", "client.exploded"),
            ("nothing", String::new(), "unreadable", "client.exploded"),
        ] {
            let read = read(&text);
            assert_eq!((read.id.as_str(), read.at.0), (ID, 1_800_000_000), "{why}");
            assert_eq!((read.actor.as_str(), read.action.name()), ("alice", action));
            let after = serde_json::to_string(&read.after).unwrap();
            assert!(after.contains(shown), "{why}: {after}");
            assert!(to_text(&read).is_ok(), "{why}: it can be written again");
        }
    }
}
