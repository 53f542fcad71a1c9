//! `latchkey clients import`.

mod report;
mod source;

use std::collections::HashSet;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use crate::cli::Outcome;
use crate::cli::access::json_of;
use crate::cli::access::{Access, Api};
use crate::cli::remote::RemoteError;
use crate::domain::free_form::{DEEPEST, is_deeper};
use report::{Entry, Report};
use source::{Item, Source};

/// How much is sent at once: what is made there is lost if the answer is.
const AT_ONCE: usize = 50;
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// Deeper documents are not sent: the server could read nothing that is sent with them.
const DEEPEST_SENT: usize = 60;

/// How often, and how soon, something is tried again for which the server had no time.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) const ABOUT: &str = "Import clients from another platform.\n\n\
    Each keeps its id. One with a public key goes on as it is, and so does one whose secret, or \
    its bcrypt or argon2 hash, comes along; any other is given a new secret, which is shown this \
    once. Clients that are here already are left alone, so this can be run again. The source is \
    only read.";

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// A file (JSON, JSON lines, `-` for the input), or mongodb://…/DATABASE[?collection=NAME]
    ///
    /// What is understood: documents of Mia-Platform's `clients` collection, as mongoexport
    /// writes them; a realm export of Keycloak; the list of clients of Ory Hydra.
    source: String,

    /// Write new secrets to this file, for you alone to read, as lines of JSON; not to the output
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Print what became of each client as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let mut source = Source::open(&arguments.source).await?;
    // Before anything is made or printed: from nothing, nothing is imported.
    let mut items = source.next().await?;
    while items.as_ref().is_some_and(Vec::is_empty) {
        items = source.next().await?;
    }
    if items.is_none() {
        return Err("the source has no clients".into());
    }
    let mut import = Import {
        arguments,
        api: arguments.access.open().await?,
        report: Report::open(arguments)?,
        seen: HashSet::new(),
    };
    while let Some(found) = items {
        import.bring(found).await?;
        items = source.next().await?;
    }
    import.report.close()
}

struct Import<'a> {
    arguments: &'a Arguments,
    api: Api,
    report: Report,
    seen: HashSet<String>,
}

impl Import<'_> {
    /// Brings what is there for the server, in the order of the source, and reports on the rest.
    async fn bring(&mut self, items: Vec<Item>) -> Outcome {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for item in items {
            match self.judged(item) {
                Err(entry) => self.report.tell(&entry)?,
                Ok(document) => {
                    let size = document.to_string().len();
                    if batch.len() == AT_ONCE || bytes + size > BYTES_AT_ONCE {
                        self.send(std::mem::take(&mut batch)).await?;
                        bytes = 0;
                    }
                    bytes += size;
                    batch.push(document);
                }
            }
        }
        self.send(batch).await
    }

    /// A document that the server shall see; else what to say of it.
    fn judged(&mut self, item: Item) -> Result<Value, Entry> {
        let document = match item {
            Item::Client(document) => document,
            Item::Other { client_id, why } => return Err(Entry::skipped(&client_id, why)),
            Item::Unreadable(why) => return Err(Entry::refused(None, &why)),
        };
        let id = document.get("clientId").and_then(Value::as_str).map(str::to_owned);
        match id {
            id if is_deeper(&document, DEEPEST_SENT) => {
                let why = format!("its document is nested deeper than {DEEPEST} levels");
                Err(Entry::refused(id.as_deref(), &why))
            }
            Some(id) if document.to_string().len() > BYTES_AT_ONCE => {
                Err(Entry::refused(Some(&id), "its document is larger than 1 MiB"))
            }
            Some(id) if !self.seen.insert(id.clone()) => {
                Err(Entry::exists(&id, "it is in the source more than once; the first one counts"))
            }
            _ => Ok(document),
        }
    }

    async fn send(&mut self, mut documents: Vec<Value>) -> Outcome {
        for attempt in 1.. {
            if documents.is_empty() {
                break;
            }
            let results = self.exchange(&documents).await?;
            let mut again = Vec::new();
            for (document, result) in documents.into_iter().zip(results) {
                let entry = Entry::of(&result);
                if entry.has_failed() && attempt < ATTEMPTS {
                    again.push(document);
                } else {
                    self.report.tell(&entry)?;
                }
            }
            if !again.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            documents = again;
        }
        self.report.progress(stderr().is_terminal());
        Ok(())
    }

    /// One request; again while the server refuses it as a whole, for then it has done nothing.
    async fn exchange(&mut self, documents: &[Value]) -> Result<Vec<Value>, Failure> {
        let body = json!({ "clients": documents, "dry_run": self.arguments.dry_run });
        let mut is_renewed = false;
        for attempt in 1.. {
            let url = self.api.client("import", &[]);
            let answer = match self.api.post(&url, &body).await {
                Err(RemoteError::Refused { status, .. }) if status == 401 && !is_renewed => {
                    // A long import outlives its token.
                    is_renewed = true;
                    self.api = self.arguments.access.open().await?;
                    continue;
                }
                Err(RemoteError::Refused { status, .. }) if status == 503 && attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error @ RemoteError::Unreachable { .. }) => {
                    return Err(Failure::from(format!(
                        "{error}: nobody knows what became of the next {} clients. Run this again; \
                         one that is said to exist then, and needs a secret, gets it with \
                         `latchkey clients secret add`",
                        documents.len()
                    )));
                }
                answer => json_of(answer?, &url)?,
            };
            let results = answer.get("results").and_then(Value::as_array).cloned();
            let results = results.filter(|results| results.len() == documents.len());
            return results.ok_or_else(|| RemoteError::Strange(url).into());
        }
        Err("the server does not answer".into())
    }
}
