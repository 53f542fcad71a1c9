//! `latchkey clients`: what an administrator does with clients, over HTTP.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use serde_json::{Map, Value, json};

use crate::domain::client::AuthMethod;

use super::access::Access;
use super::remote::{self, RemoteError};
use super::{Outcome, credential, date, harmless, print, wait_for};

type Failure = Box<dyn std::error::Error>;

#[derive(Subcommand)]
enum Deed {
    /// Register a client, and print it; its secret is shown this once
    #[command(
        after_help = "Example:  latchkey clients create --name 'my app' --permission read:orders"
    )]
    Create {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        draft: Box<Draft>,
    },
    /// List all clients
    #[command(after_help = "Example:  latchkey clients list --json | jq -r .client_id")]
    List {
        #[command(flatten)]
        access: Access,
        /// Print each client as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Print one client, as JSON
    #[command(after_help = "Example:  latchkey clients show \"$ID\"")]
    Show {
        #[command(flatten)]
        access: Access,
        /// Which
        id: String,
    },
}

/// A client to be.
#[derive(Args)]
struct Draft {
    /// A name for people
    #[arg(long)]
    name: String,

    /// client_secret_basic, client_secret_post or private_key_jwt [default: by --public-key]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,

    /// Its public key, as a JWK, a JWK Set or PEM
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// What its tokens say it may do; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,

    /// For whom its tokens may be; may be repeated
    #[arg(long)]
    audience: Vec<String>,

    /// What it may ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,

    /// A group that it is in; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,

    /// PUBLIC, DRAFT, TRASH or DELETED; only PUBLIC ones get tokens [default: PUBLIC]
    #[arg(long)]
    state: Option<String>,
}

pub(super) fn command() -> Command {
    Deed::augment_subcommands(Command::new("clients"))
        .about("Register clients and look at them, as an administrator")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!("Example:  latchkey clients list\n\n{}", remote::NOTE))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(async {
        match Deed::from_arg_matches(matches)? {
            Deed::Create { access, draft } => create(&access, &draft).await,
            Deed::List { access, json } => list(&access, json).await,
            Deed::Show { access, id } => show(&access, &id).await,
        }
    })
}

async fn create(access: &Access, draft: &Draft) -> Outcome {
    let body = draft.body()?;
    let api = access.open().await?;
    print(&api.post(&api.at(&["clients"]), Some(&body)).await?.to_string())
}

async fn show(access: &Access, id: &str) -> Outcome {
    let api = access.open().await?;
    let client = api.get(&api.at(&["clients", id])).await?;
    print(&format!("{client:#}"))
}

async fn list(access: &Access, json: bool) -> Outcome {
    let api = access.open().await?;
    if !json {
        print(&row(["CLIENT ID", "STATE", "METHOD", "LAST LOGIN", "CREDENTIALS", "NAME"]))?;
    }
    let mut url = api.at(&["clients"]);
    url.query_pairs_mut().append_pair("limit", "200");
    loop {
        let page = api.get(&url).await?;
        let strange = || RemoteError::Strange(url.clone());
        let clients = page.get("clients").and_then(Value::as_array).ok_or_else(strange)?;
        for client in clients {
            print(&if json { client.to_string() } else { row_of(client) })?;
        }
        let Some(next) = page.get("next_cursor").and_then(Value::as_str) else { return Ok(()) };
        url.query_pairs_mut().clear().append_pair("limit", "200").append_pair("cursor", next);
    }
}

fn row_of(client: &Value) -> String {
    let text = |name: &str| client.get(name).and_then(Value::as_str).unwrap_or_default();
    let login = client.get("last_login_at").and_then(date);
    let login = login.unwrap_or_else(|| "never".to_owned());
    let (method, hint) = (text("token_endpoint_auth_method"), hint(client));
    row([text("client_id"), text("__STATE__"), method, &login, &hint, text("client_name")])
}

/// What is to be done about its credentials: those that end soon, and those that may go.
fn hint(client: &Value) -> String {
    let credentials = ["secrets", "keys"].into_iter();
    let credentials: Vec<&Value> =
        credentials.filter_map(|name| client.get(name)?.as_array()).flatten().collect();
    let days = |it: &&Value| it.get("expires_within_days").and_then(Value::as_u64);
    let ends = credentials.iter().filter_map(days).min().map(|days| format!("ends in {days}d"));
    let may_go = |it: &&&Value| it.get("safe_to_remove").is_some_and(|safe| *safe == json!(true));
    let may_go = credentials.iter().filter(may_go).count();
    let may_go = (may_go > 0).then(|| format!("{may_go} to remove"));
    ends.into_iter().chain(may_go).collect::<Vec<_>>().join(", ")
}

fn row([id, state, method, login, hint, name]: [&str; 6]) -> String {
    // A name that another tool wrote must not command a terminal.
    harmless(&format!("{id:<32}  {state:<7}  {method:<19}  {login:<20}  {hint:<24}  {name}"))
}

impl Draft {
    /// What is sent. What is not given is left to the server.
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::from_iter([("client_name".to_owned(), json!(self.name))]);
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        let by_key = self.public_key.as_ref().map(|_| AuthMethod::PrivateKeyJwt);
        if let Some(method) = self.auth_method.or(by_key) {
            set("token_endpoint_auth_method", json!(method));
        }
        if let Some(file) = &self.public_key {
            let (name, key) = public_key(file)?;
            set(name, key);
        }
        let lists = [
            ("permissions", &self.permissions),
            ("audience", &self.audience),
            ("groups", &self.groups),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            set(name, json!(list));
        }
        for (name, text) in [("scope", &self.scope), ("__STATE__", &self.state)] {
            if let Some(text) = text {
                set(name, json!(text));
            }
        }
        Ok(Value::Object(body))
    }
}

/// A public key, and the member that it goes into. A private one stays on this machine.
fn public_key(file: &Path) -> Result<(&'static str, Value), Failure> {
    let text = credential::read(file)?;
    let private = || format!("`{}` holds a private key; send the public half only", file.display());
    if text.contains("PRIVATE KEY-----") {
        return Err(private().into());
    }
    if !text.trim_start().starts_with('{') {
        return Ok(("public_key_pem", text.into()));
    }
    let key: Value = serde_json::from_str(&text)
        .map_err(|error| format!("`{}` is no JSON: {error}", file.display()))?;
    let set = key.get("keys").and_then(Value::as_array);
    let keys = set.map_or(std::slice::from_ref(&key), Vec::as_slice);
    if keys.iter().any(|key| key.get("d").is_some()) {
        return Err(private().into());
    }
    Ok((if set.is_some() { "jwks" } else { "public_key" }, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_about_credentials() {
        let credential = |days: Option<u8>, safe: bool| {
            let mut credential = json!({ "safe_to_remove": safe });
            if let Some(days) = days {
                credential["expires_within_days"] = days.into();
            }
            credential
        };
        let fine = credential(None, false);
        for (why, secrets, keys, expected) in [
            ("none", json!([]), json!([]), ""),
            ("fine", json!([fine]), json!([fine]), ""),
            ("one ends", json!([credential(Some(30), false)]), json!([]), "ends in 30d"),
            (
                "the nearest end",
                json!([credential(Some(30), false)]),
                json!([credential(Some(7), false)]),
                "ends in 7d",
            ),
            (
                "some may go",
                json!([credential(None, true), fine]),
                json!([credential(Some(1), true)]),
                "ends in 1d, 2 to remove",
            ),
        ] {
            assert_eq!(hint(&json!({ "secrets": secrets, "keys": keys })), expected, "{why}");
        }
    }

    #[test]
    fn no_name_commands_a_terminal() {
        let client = json!({ "client_name": "a\u{1b}[2Jb\nc", "client_id": "x" });
        assert!(!row_of(&client).contains(char::is_control));
    }
}
