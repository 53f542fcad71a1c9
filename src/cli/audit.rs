//! `latchkey audit`: who did what.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;
use url::Url;

use super::access::{Access, json_of};
use super::remote::{self, RemoteError};
use super::{Outcome, date, print, wait_for};
use crate::domain::printable::escaped;

/// How many records are asked for at once.
const PAGE: usize = 200;

#[derive(Args)]
struct Question {
    #[command(flatten)]
    access: Access,

    /// About this client only
    #[arg(long, value_name = "CLIENT ID")]
    client: Option<String>,

    /// By this actor only: a client id, `latchkey:server` (the server itself) or `latchkey:operator` (a command on the store)
    #[arg(long)]
    actor: Option<String>,

    /// Only this action, such as client.deleted
    #[arg(long)]
    action: Option<String>,

    /// Not before this moment: RFC 3339, or seconds since the Unix epoch
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// Before this moment
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// At most so many records
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,

    /// Print each record as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    let about = "Print audit records, newest first, as an administrator";
    Question::augment_args(Command::new("audit")).about(about).after_help(format!(
        "Example:  latchkey audit --action client.deleted --from 2027-01-31T00:00:00Z\n\n{}",
        remote::NOTE
    ))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let question = Question::from_arg_matches(matches)?;
    wait_for(async move { question.ask().await })
}

impl Question {
    async fn ask(&self) -> Outcome {
        let api = self.access.open().await?;
        let url = api.at(&["audit"]);
        if !self.json {
            print(&row(["TIME", "ACTION", "ACTOR", "CLIENT", "ADDRESS"]))?;
        }
        let (mut left, mut cursor) = (self.limit, None);
        while left > 0 {
            let url = self.page(&url, left.min(PAGE), cursor.as_deref());
            let page = json_of(api.get(&url).await?, &url)?;
            let strange = || RemoteError::Strange(api.at(&["audit"]));
            let records = page.get("records").and_then(Value::as_array).ok_or_else(strange)?;
            for record in records {
                print(&if self.json { record.to_string() } else { row_of(record) })?;
            }
            left = left.saturating_sub(records.len());
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn page(&self, url: &Url, limit: usize, cursor: Option<&str>) -> Url {
        let mut url = url.clone();
        let asked = [
            ("client_id", self.client.as_deref()),
            ("actor", self.actor.as_deref()),
            ("action", self.action.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("cursor", cursor),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
        url.query_pairs_mut().append_pair("limit", &limit.to_string()).extend_pairs(asked);
        url
    }
}

fn row_of(record: &Value) -> String {
    let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("-");
    let at = record.get("at").and_then(date).unwrap_or_default();
    row([&at, text("action"), text("actor"), text("client_id"), text("address")])
}

fn row([at, action, actor, client, address]: [&str; 5]) -> String {
    escaped(&format!("{at:<20}  {action:<20}  {actor:<32}  {client:<32}  {address}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_commands_a_terminal() {
        let record =
            serde_json::json!({ "at": 1_800_000_000, "actor": "a\u{1b}[2Jb\n", "action": "x" });
        let row = row_of(&record);
        assert!(
            row.starts_with("2027-01-15T08:00:00Z") && !row.contains(char::is_control),
            "{row}"
        );
    }
}
