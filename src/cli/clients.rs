//! `latchkey clients`: what an administrator does with clients, over HTTP.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use crate::app::admin_file;
use crate::domain::client::AuthMethod;

use super::credential::{self, Credential, access_token, secret_in, secret_in_environment};
use super::remote::{self, RemoteError, Server, send};
use super::{Outcome, print, variable, wait_for};

type Failure = Box<dyn std::error::Error>;

/// Where the embedded store keeps the credentials unless it is told otherwise.
const ADMIN_FILE: &str = "./data/admin.json";

#[derive(Args)]
struct Access {
    #[command(flatten)]
    server: Server,

    /// Where /clients is, if it has a listener of its own; with the service prefix, if any
    #[arg(long, value_name = "URL")]
    admin_url: Option<Url>,

    /// The client to act as [env: LATCHKEY_ADMIN_CLIENT_ID]
    #[arg(long, value_name = "ID", requires = "secret_file")]
    client_id: Option<String>,

    /// A file with its secret [env: LATCHKEY_ADMIN_SECRET_FILE; LATCHKEY_ADMIN_SECRET: the secret]
    #[arg(long, value_name = "FILE", requires = "client_id")]
    secret_file: Option<PathBuf>,

    /// A file with both, as an embedded store makes it [default: ./data/admin.json]
    #[arg(long, value_name = "FILE", conflicts_with = "client_id")]
    admin_file: Option<PathBuf>,
}

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
    let url = &api.clients;
    print(
        &send(url, |http| http.post(url.clone()).bearer_auth(&api.token).json(&body))
            .await?
            .to_string(),
    )
}

async fn show(access: &Access, id: &str) -> Outcome {
    let api = access.open().await?;
    let mut url = api.clients.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(id);
    }
    let client = send(&url, |http| http.get(url.clone()).bearer_auth(&api.token)).await?;
    print(&format!("{client:#}"))
}

async fn list(access: &Access, json: bool) -> Outcome {
    let api = access.open().await?;
    if !json {
        print(&row("CLIENT ID", "STATE", "METHOD", "LAST LOGIN", "NAME"))?;
    }
    let mut url = api.clients.clone();
    url.query_pairs_mut().append_pair("limit", "200");
    loop {
        let page = send(&url, |http| http.get(url.clone()).bearer_auth(&api.token)).await?;
        let strange = || RemoteError::Strange(api.clients.clone());
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
    let login = client.get("last_login_at").and_then(Value::as_i64);
    let login =
        login.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()?.format(&Rfc3339).ok());
    let login = login.unwrap_or_else(|| "never".to_owned());
    let method = text("token_endpoint_auth_method");
    row(text("client_id"), text("__STATE__"), method, &login, text("client_name"))
}

fn row(id: &str, state: &str, method: &str, login: &str, name: &str) -> String {
    let row = format!("{id:<32}  {state:<7}  {method:<19}  {login:<20}  {name}");
    // A name that another tool wrote must not command a terminal.
    row.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The admin API, open to us.
struct Api {
    clients: Url,
    token: String,
}

impl Access {
    async fn open(&self) -> Result<Api, Failure> {
        let (client_id, secret) = self.credentials()?;
        let server = self.server.discover().await?;
        let clients = match &self.admin_url {
            Some(url) => Url::parse(&format!("{}/clients", url.as_str().trim_end_matches('/')))?,
            None => server.beside_token_endpoint("/clients")?,
        };
        let secret = Credential::Secret(secret);
        let answer = credential::token(&server, &client_id, &secret, &[]).await?;
        let token = access_token(&server, &answer)?.to_owned();
        Ok(Api { clients, token })
    }

    /// What is named on the command line; else what the environment holds; else the file.
    fn credentials(&self) -> Result<(String, SecretString), Failure> {
        if let (Some(id), Some(file)) = (&self.client_id, &self.secret_file) {
            return Ok((id.clone(), secret_in(file)?));
        }
        if let Some(file) = &self.admin_file {
            return from_file(file)?
                .ok_or_else(|| format!("there is no `{}`", file.display()).into());
        }
        let id = variable("LATCHKEY_ADMIN_CLIENT_ID");
        if let (Some(id), Some(secret)) = (id, secret_in_environment("LATCHKEY_ADMIN_SECRET")?) {
            return Ok((id, secret));
        }
        from_file(Path::new(ADMIN_FILE))?.ok_or_else(|| {
            format!(
                "as whom? Run this where `{ADMIN_FILE}` is, name such a file with --admin-file, \
                 give --client-id and --secret-file, or set LATCHKEY_ADMIN_CLIENT_ID and \
                 LATCHKEY_ADMIN_SECRET"
            )
            .into()
        })
    }
}

fn from_file(path: &Path) -> Result<Option<(String, SecretString)>, Failure> {
    let found = admin_file::read(path)
        .map_err(|error| format!("`{}` cannot be used: {error}", path.display()))?;
    Ok(found.map(|found| {
        (found.client_id.to_string(), SecretString::from(found.secret.reveal().to_owned()))
    }))
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
