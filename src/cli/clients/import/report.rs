//! What became of each client.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::{Arguments, Failure};
use crate::cli::{Outcome, print};
use crate::domain::printable::escaped;
use crate::files::create_private;

/// How outcomes are told at the end, in this order.
const WORDS: [(&str, &str); 6] = [
    ("imported", "imported"),
    ("imported_with_new_secret", "imported with a new secret"),
    ("exists", "were there already"),
    ("skipped", "were none for here"),
    ("refused", "refused"),
    ("failed", "failed"),
];

/// What became of one client.
pub(super) struct Entry(Map<String, Value>);

impl Entry {
    /// What the server says.
    pub(super) fn of(result: &Value) -> Self {
        Self(result.as_object().cloned().unwrap_or_default())
    }

    pub(super) fn exists(client_id: &str, why: &str) -> Self {
        Self::ours(Some(client_id), "exists", why)
    }

    pub(super) fn refused(client_id: Option<&str>, why: &str) -> Self {
        Self::ours(client_id, "refused", why)
    }

    pub(super) fn skipped(client_id: &str, why: &str) -> Self {
        Self::ours(Some(client_id), "skipped", why)
    }

    fn ours(client_id: Option<&str>, outcome: &str, why: &str) -> Self {
        let members = [
            ("client_id".to_owned(), json!(client_id)),
            ("outcome".to_owned(), json!(outcome)),
            ("reason".to_owned(), json!(why)),
        ];
        Self(Map::from_iter(members))
    }

    /// Whether the server had no time for it.
    pub(super) fn has_failed(&self) -> bool {
        self.text("outcome") == "failed"
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Tells it, as soon as it is known.
pub(super) struct Report {
    as_json: bool,
    dry_run: bool,
    secrets: Option<File>,
    counts: BTreeMap<String, usize>,
    told: usize,
}

impl Report {
    /// The file of the secrets is made first: no secret may be made that could not be put down.
    pub(super) fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let made = |path: &std::path::PathBuf| {
            create_private(path)
                .map_err(|error| format!("`{}` cannot be made: {error}", path.display()))
        };
        let secrets = arguments.secrets.as_ref().filter(|_| !arguments.dry_run);
        let secrets = secrets.map(made).transpose()?;
        let Arguments { json: as_json, dry_run, .. } = *arguments;
        if !as_json {
            print(&row("CLIENT ID", "OUTCOME", "NEW SECRET, OR REASON"))?;
        }
        Ok(Self { as_json, dry_run, secrets, counts: BTreeMap::new(), told: 0 })
    }

    pub(super) fn tell(&mut self, entry: &Entry) -> Outcome {
        *self.counts.entry(entry.text("outcome").to_owned()).or_default() += 1;
        self.told += 1;
        let mut shown = entry.0.clone();
        if let Some(file) = &mut self.secrets
            && let Some(secret) = shown.remove("client_secret")
        {
            let line = json!({ "client_id": shown.get("client_id"), "client_secret": secret });
            writeln!(file, "{line}")?;
        }
        if self.as_json {
            return print(&Value::Object(shown).to_string());
        }
        let shown = Entry(shown);
        let warnings = shown.0.get("warnings").and_then(Value::as_array).into_iter().flatten();
        let more = [shown.text("client_secret"), shown.text("reason")].into_iter();
        let more = more.chain(warnings.filter_map(Value::as_str)).filter(|text| !text.is_empty());
        let more = more.collect::<Vec<_>>().join("; ");
        print(&row(shown.text("client_id"), shown.text("outcome"), &more))
    }

    /// What was told is safe now; a person may like to know how far it is.
    pub(super) fn progress(&self, somebody_looks: bool) {
        if let Some(file) = &self.secrets {
            let _ = file.sync_data();
        }
        if somebody_looks {
            eprintln!("{} clients …", self.told);
        }
    }

    /// Sums up; an error if anything was not imported that should have been.
    pub(super) fn close(self) -> Outcome {
        let count = |outcome: &str| self.counts.get(outcome).copied().unwrap_or_default();
        let told = WORDS.iter().filter(|(outcome, _)| count(outcome) > 0);
        let told = told.map(|(outcome, words)| format!("{} {words}", count(outcome)));
        let told = told.collect::<Vec<_>>().join(", ");
        let would = if self.dry_run { "nothing was done; what would be: " } else { "" };
        eprintln!("{would}{} clients: {}", self.told, if told.is_empty() { "none" } else { &told });
        match count("refused") + count("failed") {
            0 => Ok(()),
            left => Err(format!("{left} of {} clients were not imported", self.told).into()),
        }
    }
}

fn row(id: &str, outcome: &str, more: &str) -> String {
    let id = if id.is_empty() { "-" } else { id };
    escaped(format!("{id:<32}  {outcome:<24}  {more}").trim_end()).into_owned()
}
