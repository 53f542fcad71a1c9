//! `latchkey clients show`.

use std::io::{IsTerminal, stdout};

use clap::Args;
use serde_json::Value;

use crate::cli::access::Access;
use crate::cli::access::json_of;
use crate::cli::{Outcome, print};
use crate::domain::printable::escaped;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Which
    id: String,

    /// Print JSON on a terminal, too
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let api = arguments.access.open().await?;
    let url = api.client(&arguments.id, &[]);

    let answer = api.get(&url).await?;

    // What `--if-match` of the other commands takes.
    if let Some(tag) = answer.etag.as_ref().filter(|_| !arguments.json && stdout().is_terminal()) {
        print(&row("etag", tag))?;
    }
    printed(&json_of(answer, &url)?, arguments.json)
}

/// Prints a client: as a table for a person, as JSON for a script.
pub(super) fn printed(client: &Value, as_json: bool) -> Outcome {
    match client.as_object().filter(|_| !as_json && stdout().is_terminal()) {
        Some(members) => {
            let rows = members.iter().map(|(name, value)| row(name, &cell(value)));
            print(&rows.collect::<Vec<_>>().join("\n"))
        }
        None => print(&format!("{client:#}")),
    }
}

fn row(name: &str, value: &str) -> String {
    escaped(&format!("{name:<28}  {value}")).into_owned()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
