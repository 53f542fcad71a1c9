//! What was met in a store and could not be read whole: each is logged once and counted once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::clients::UnreadableCount;
use crate::domain::client::Client;

use super::{Document, record};

/// How many are remembered; others are logged again.
const REMEMBERED: usize = 10_000;

/// Sorts of documents.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum What {
    Client,
    /// The last login of a client.
    Login,
    /// A table, some rows of which are on a damaged page.
    Page,
    Record,
    Revocation,
}

/// What this process met.
#[derive(Clone)]
pub(super) struct Unreadable(Arc<Met>);

struct Met {
    seen: Cache<(What, String), ()>,
    clients: AtomicU64,
    records: AtomicU64,
}

impl Unreadable {
    pub(super) fn met(&self, what: What, name: &str, problem: &str) {
        let seen = (what, format!("{name} {problem}"));
        if self.0.seen.get(&seen).is_some() {
            return;
        }
        self.0.seen.insert(seen, ());
        match what {
            What::Client => {
                self.0.clients.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    client_id = name,
                    reason = problem,
                    "a client cannot be read whole: it gets no tokens"
                );
            }
            What::Login => {
                tracing::error!(
                    client_id = name,
                    reason = problem,
                    "a last login cannot be written; the client still gets tokens"
                );
            }
            What::Page => {
                tracing::error!(
                    table = name,
                    reason = problem,
                    "a page of the database is damaged: restore a backup, or copy what can be read \
                     into another store with `latchkey store copy`"
                );
            }
            What::Revocation => {
                tracing::error!(name, reason = problem, "a revocation cannot be read whole");
            }
            What::Record => {
                self.0.records.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    id = name,
                    reason = problem,
                    "an audit record cannot be read whole"
                );
            }
        }
    }

    /// The client that a document describes. What of it cannot be read is named.
    pub(super) fn client(&self, document: &Document) -> Option<Client> {
        let Some(client) = record::to_client(document) else {
            if !document.contains_key(record::REMOVED_AT) {
                self.met(What::Client, &name_of(document), NAMELESS);
            }
            return None;
        };
        if !client.unreadable.is_empty() {
            let problems: Vec<String> = client.unreadable.iter().map(ToString::to_string).collect();
            self.met(What::Client, client.id.as_str(), &problems.join(", "));
        }
        Some(client)
    }

    pub(super) fn count(&self) -> UnreadableCount {
        let [clients, records] =
            [&self.0.clients, &self.0.records].map(|count| count.load(Ordering::Relaxed));
        UnreadableCount { clients, records }
    }
}

/// What is said of a client that no request can name.
pub(super) const NAMELESS: &str = "`clientId` is not a client id";

/// What a document without a client id is called: where it is, or what it has in place of the id.
pub(super) fn name_of(document: &Document) -> String {
    let name = document.get("_id").or_else(|| document.get(record::CLIENT_ID));
    name.map(ToString::to_string).unwrap_or_default()
}

impl Default for Unreadable {
    fn default() -> Self {
        let (clients, records) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Met { seen: Cache::new(REMEMBERED), clients, records }))
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.count().fmt(f)
    }
}
