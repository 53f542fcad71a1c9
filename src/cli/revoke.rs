//! `latchkey revoke`: an administrator revokes tokens, over HTTP.

use std::io::{IsTerminal, Write};

use clap::{ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use serde_json::{Map, Value};

use super::access::{Access, json_of};
use super::remote::{self, RemoteError};
use super::{Outcome, print, wait_for};

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
#[derive(Args)]
#[command(group(ArgGroup::new("which").args(["jti", "client", "kid", "all"]).required(true)))]
struct Arguments {
    #[command(flatten)]
    access: Access,

    /// The token of this name: its `jti`
    #[arg(long, allow_hyphen_values = true)]
    jti: Option<String>,

    /// The tokens of this client
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,

    /// Only those obtained with this credential of the client
    #[arg(
        long,
        value_name = "ID",
        requires = "client",
        conflicts_with = "before",
        allow_hyphen_values = true
    )]
    credential: Option<String>,

    /// What this key of the server signed; it signs no more
    #[arg(long, allow_hyphen_values = true)]
    kid: Option<String>,

    /// Every token of every client, as after a restored backup
    #[arg(long, requires = "before")]
    all: bool,

    /// Only those issued at or before this moment: 2027-01-31T00:00:00Z, or seconds since the epoch
    #[arg(long, value_name = "TIME", conflicts_with_all = ["jti", "kid"])]
    before: Option<String>,

    /// Why; it is kept in the audit record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Do not ask whether every token is meant
    #[arg(long, requires = "all")]
    yes: bool,

    /// Also if there is no such client or key: one that is gone may still have tokens
    #[arg(long, conflicts_with_all = ["jti", "all"])]
    force: bool,

    /// Print what was revoked as JSON, a line for each
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("revoke"))
        .about("Revoke tokens, as an administrator")
        .after_help(format!("{EXAMPLE}\n\n{}", remote::NOTE))
}

const EXAMPLE: &str = "Example:  latchkey revoke --client \"$ID\"\n          \
                       latchkey revoke --all --before 2027-01-31T00:00:00Z";

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let arguments = Arguments::from_arg_matches(matches)?;
    if arguments.all && !arguments.yes {
        confirm()?;
    }
    wait_for(send_order(&arguments))
}

/// Whoever types it is asked once more; a script says `--yes`.
fn confirm() -> Outcome {
    if !std::io::stdin().is_terminal() {
        return Err("this ends the tokens of every client; say --yes if it is meant".into());
    }
    let mut terminal = std::io::stderr().lock();
    write!(terminal, "This ends the tokens of every client. Type yes to go on: ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err("nothing was revoked".into()) }
}

async fn send_order(arguments: &Arguments) -> Outcome {
    let order = arguments.order();
    let api = arguments.access.open().await?;
    let url = api.at(&["revocations"]);
    let answer = json_of(api.post(&url, &order).await?, &url)?;
    let revoked = answer.get("revoked").and_then(Value::as_array);
    let revoked = revoked.ok_or_else(|| RemoteError::Strange(url.clone()))?;
    if !arguments.json {
        return print(&arguments.words());
    }
    revoked.iter().try_for_each(|revocation| print(&revocation.to_string()))
}

impl Arguments {
    /// What was done.
    fn words(&self) -> String {
        let until = self.before.as_ref().map(|at| format!(" that were issued until {at}"));
        let until = until.unwrap_or_default();
        match (&self.jti, &self.client, &self.credential, &self.kid) {
            (Some(jti), ..) => format!("revoked the token {jti}"),
            (_, Some(client), Some(credential), _) => {
                format!(
                    "revoked the tokens of the client {client} from its credential {credential}"
                )
            }
            (_, Some(client), ..) => format!("revoked the tokens of the client {client}{until}"),
            (.., Some(kid)) => format!("revoked the signing key {kid} and what it signed"),
            _ => format!("revoked all tokens{until}"),
        }
    }

    fn order(&self) -> Value {
        let texts = [
            ("jti", &self.jti),
            ("client_id", &self.client),
            ("credential", &self.credential),
            ("kid", &self.kid),
            ("reason", &self.reason),
        ];
        let given = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let mut order: Map<String, Value> =
            given.map(|(name, text)| (name.to_owned(), text.as_str().into())).collect();
        if let Some(before) = &self.before {
            let moment = before.parse::<u64>().map_or_else(|_| before.as_str().into(), Value::from);
            order.insert("issued_before".to_owned(), moment);
        }
        if self.force {
            order.insert("force".to_owned(), true.into());
        }
        if self.all {
            order.insert("all".to_owned(), true.into());
        }
        Value::Object(order)
    }
}
