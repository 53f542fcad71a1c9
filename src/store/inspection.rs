//! What is wrong with what a store keeps, and what to do about it.

use super::audit::Kept;
use super::revocation::{self, DAMAGED, ILLEGIBLE};
use super::unreadable::{NAMELESS, name_of};
use super::{Document, record, signing_key_record};
use crate::domain::secret::Pepper;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// What it is wrong with: `client`, say.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspection {
    /// Clients.
    pub clients: usize,
    /// Audit records.
    pub audit_records: usize,
    /// Revocations.
    pub revocations: usize,
    /// Public halves of signing keys, what is left of them, and requests for new ones.
    pub signing_keys: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

const RESTORE_OR_DELETE: &str = "it gets no tokens; restore its document from a backup, or delete the \
                                 client: latchkey clients delete ID";
const RESTORE_PAGE: &str = "it gets no tokens, and can be neither changed nor deleted; restore the \
                            file from a backup, or copy what can be read into another store: \
                            latchkey store copy";
const SET_ANEW: &str = "it gets no tokens; set what is named anew: latchkey clients update ID";
const NOBODYS: &str = "it gets no tokens, and no request can name it; repair or remove it with the \
                       tools of the database, or leave it behind: latchkey store copy";
const NO_HARM: &str = "nothing needs it; it is shown as far as it can be read";
const IN_FORCE: &str = "it is in force all the same; nothing needs to be done";
const NEWER: &str = "no server here is ready while it is there: start a newer version";
const RESTORE_OR_REVOKE: &str = "no server here is ready while it is there: restore it from a \
                                 backup, or remove it from `revocations` with the tools of the \
                                 database and end all tokens so far: latchkey revoke --all";
const RETIRED: &str = "it counts as retired; restart the server that has it if none can sign";
const RESTORE_IT: &str =
    "restore it from a backup: no secret that this server made verifies without it";
const COPY: &str = "nothing is lost, but clients with rows on it can be neither created nor deleted; \
                    copy the store, which rebuilds the table: latchkey store copy";
const RESTORE_META: &str = "stop the server and put a backup in its place: no secret that this server \
                            made verifies without the pepper in this table";
const RESTORE_REVOCATIONS: &str = "revocations on it are in force if an index has their names, and no \
                                   server starts if none has; new ones may be refused: stop the \
                                   server and put a backup in its place, or copy what can be read \
                                   into another: latchkey store copy";
/// What to do about a file that is damaged.
pub(super) const RESTORE_FILE: &str = "stop the server and put a backup in its place, or copy what \
                                       can be read into another: latchkey store copy";

impl Inspection {
    /// Looks at a client.
    pub(super) fn client(&mut self, document: &Document) {
        if document.contains_key(record::REMOVED_AT) {
            return;
        }
        self.clients += 1;
        let Some(client) = record::to_client(document) else {
            return self.found("client", name_of(document), NAMELESS, NOBODYS);
        };
        if !client.unreadable.is_empty() {
            let advice = match () {
                () if client.is_on_damaged_page() => RESTORE_PAGE,
                () if client.is_damaged() => RESTORE_OR_DELETE,
                () => SET_ANEW,
            };
            let what: Vec<String> = client.unreadable.iter().map(ToString::to_string).collect();
            self.found("client", client.id.to_string(), &what.join(", "), advice);
        }
    }

    /// Looks at an audit record.
    pub(super) fn audit_record(&mut self, kept: &Kept) {
        self.audit_records += 1;
        if let Err(problem) = kept.whole() {
            self.found("audit_record", kept.id.clone(), &problem, NO_HARM);
        }
    }

    /// Looks at a revocation.
    pub(super) fn revocation(&mut self, name: String, kept: &revocation::Kept) {
        self.revocations += 1;
        match kept {
            revocation::Kept::Known(_) => {}
            revocation::Kept::Damaged(_) => self.found("revocation", name, DAMAGED, IN_FORCE),
            revocation::Kept::Illegible => {
                self.found("revocation", name, ILLEGIBLE, RESTORE_OR_REVOKE);
            }
            revocation::Kept::Unknown => {
                self.found("revocation", name, "it is of a kind that is not known", NEWER);
            }
        }
    }

    /// Looks at a signing key, or at a request for one; `None` is what is no document.
    pub(super) fn signing_key(&mut self, name: &str, document: Option<&Document>) {
        self.signing_keys += 1;
        if !document.is_some_and(|document| signing_key_record::is_known(name, document)) {
            self.found("signing_key", name.to_owned(), "it cannot be read", RETIRED);
        }
    }

    /// Notes that a page of a table, or of an index of it, is damaged.
    pub(super) fn table(&mut self, table: String) {
        let advice = match table.as_str() {
            "former_client_ids" | "key_thumbprints" => COPY,
            "meta" => RESTORE_META,
            "revocations" => RESTORE_REVOCATIONS,
            _ => RESTORE_FILE,
        };
        self.found("table", table, "a page of it, or of an index of it, is damaged", advice);
    }

    /// Looks at the pepper, if there is one.
    pub(super) fn pepper(&mut self, pepper: Option<&[u8]>) {
        if pepper.is_some_and(|pepper| pepper.len() != Pepper::LENGTH) {
            self.found("fact", "pepper".to_owned(), "it has another length", RESTORE_IT);
        }
    }

    /// Notes what is wrong.
    pub(super) fn found(
        &mut self,
        kind: &'static str,
        name: String,
        what: &str,
        advice: &'static str,
    ) {
        self.problems.push(Problem { kind, name, what: what.to_owned(), advice });
    }

    /// How much was looked at.
    #[must_use]
    pub fn looked_at(&self) -> usize {
        self.clients + self.audit_records + self.revocations + self.signing_keys
    }
}
