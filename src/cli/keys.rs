//! `latchkey keys`: what an administrator does with the server's signing keys, over HTTP.

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::domain::jwk::Algorithm;

use super::access::{Access, json_of};
use super::remote::{self, RemoteError};
use super::{Outcome, print, wait_for};
use crate::domain::printable::escaped;

#[derive(Subcommand)]
enum Verb {
    /// List the keys that tokens are signed and verified with
    #[command(after_help = "Example:  latchkey keys list --json | jq -r .kid")]
    List {
        #[command(flatten)]
        access: Access,
        /// Print each key as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Have every server make a new key, which signs as soon as everybody can know it
    #[command(after_help = "Example:  latchkey keys rotate")]
    Rotate {
        #[command(flatten)]
        access: Access,
        /// Do not wait for those who cache the key set; they fail until they look again
        #[arg(long)]
        now: bool,
        /// RS256, PS256, ES256 or EdDSA [default: what each server signs with]
        #[arg(long, value_parser = Algorithm::for_tokens)]
        algorithm: Option<Algorithm>,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a key: it never signs again; what it signed stays good until it expires
    #[command(after_help = "Example:  latchkey keys retire \"$KID\"")]
    Retire {
        #[command(flatten)]
        access: Access,
        /// Which
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

pub(super) fn command() -> Command {
    Verb::augment_subcommands(Command::new("keys"))
        .about("List, rotate and retire the server's signing keys, as an administrator")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!("Example:  latchkey keys list\n\n{}", remote::NOTE))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(async {
        match Verb::from_arg_matches(matches)? {
            Verb::List { access, json } => list(&access, json).await,
            Verb::Rotate { access, now, algorithm, json } => {
                rotate(&access, now, algorithm, json).await
            }
            Verb::Retire { access, kid } => retire(&access, &kid).await,
        }
    })
}

async fn list(access: &Access, json: bool) -> Outcome {
    let api = access.open().await?;
    let url = api.at(&["keys"]);
    let answer = json_of(api.get(&url).await?, &url)?;
    let keys = answer.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or_else(|| RemoteError::Strange(url.clone()))?;
    if !json {
        print(&row("KID", "ALG", "STATE", "SIGNS FROM", "RETIRED", "DROPPED"))?;
    }
    for key in keys {
        print(&if json { key.to_string() } else { row_of(key) })?;
    }
    Ok(())
}

async fn rotate(access: &Access, now: bool, algorithm: Option<Algorithm>, json: bool) -> Outcome {
    let mut body = Map::from_iter([("now".to_owned(), json!(now))]);
    if let Some(algorithm) = algorithm {
        body.insert("algorithm".to_owned(), json!(algorithm));
    }
    let api = access.open().await?;
    let url = api.at(&["keys", "rotate"]);
    let answer = api.post(&url, &Value::Object(body)).await?;
    if json {
        return print(&json_of(answer, &url)?.to_string());
    }
    print("every server makes a new key; `latchkey keys list` shows how far they are")
}

async fn retire(access: &Access, kid: &str) -> Outcome {
    let api = access.open().await?;
    api.exchange(Method::POST, &api.at(&["keys", kid, "retire"]), |request| request).await?;
    print(&escaped(&format!("{kid} is retired")))
}

fn row_of(key: &Value) -> String {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let date = |name: &str| key.get(name).and_then(super::date).unwrap_or_else(|| "-".to_owned());
    let (from, retired, dropped) = (date("signs_from"), date("retired_at"), date("drops_at"));
    row(text("kid"), text("alg"), text("state"), &from, &retired, &dropped)
}

fn row(kid: &str, alg: &str, state: &str, from: &str, retired: &str, dropped: &str) -> String {
    let row = format!("{kid:<43}  {alg:<5}  {state:<7}  {from:<20}  {retired:<20}  {dropped}");
    escaped(&row).into_owned()
}
