//! `latchkey clients create`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::Failure;
use super::shown_once::SecretOut;
use crate::cli::access::Access;
use crate::cli::access::json_of;
use crate::cli::{Outcome, public_key};
use crate::domain::auth_method::AuthMethod;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    draft: Draft,

    #[command(flatten)]
    secret_out: SecretOut,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let body = arguments.draft.body()?;
    arguments.secret_out.check()?;
    let api = arguments.access.open().await?;

    let answer = api.post(&api.at(&["clients"]), &body).await?;

    arguments.secret_out.deliver(&json_of(answer, &api.at(&["clients"]))?)
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
            let (name, key) = public_key::in_file(file)?;
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
