//! `latchkey clients update`.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use url::Url;

use super::Failure;
use super::api::revoke_tokens;
use super::lists::Lists;
use super::show::printed;
use crate::cli::access::json_of;
use crate::cli::access::{Access, Api};
use crate::cli::remote::{Answer, RemoteError};
use crate::cli::{Outcome, credential};
use crate::config::duration::in_seconds;
use crate::domain::auth_method::AuthMethod;

/// How often a change is made again on top of somebody else's.
const ATTEMPTS: usize = 8;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Which
    id: String,

    /// A name for people
    #[arg(long)]
    name: Option<String>,

    /// client_secret_basic, client_secret_post or private_key_jwt
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,

    #[command(flatten)]
    lists: Lists,

    /// What it may ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,

    /// How long its tokens live: 3600, 12h; `default` for the setting of the server
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    lifetime: Option<Lifetime>,

    /// Notes, as a JSON object in a file; a null in it removes one that is there
    #[arg(long, value_name = "FILE")]
    metadata: Option<String>,

    /// Anything else: a JSON merge patch (RFC 7396), or a file with one
    #[arg(long, value_name = "FILE|JSON")]
    patch: Option<String>,

    /// Only if it is still the one with this ETag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,

    /// End the tokens that were issued so far, too
    #[arg(long)]
    revoke_tokens: bool,

    /// Print JSON on a terminal, too
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy)]
enum Lifetime {
    Default,
    Given(Duration),
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    match text {
        "default" => Ok(Lifetime::Default),
        text => in_seconds(..)(text).map(Lifetime::Given),
    }
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let patch = arguments.patch()?;
    if patch.is_empty() && !arguments.lists.are_edited() && !arguments.revoke_tokens {
        return Err("say what to change; see `latchkey clients update --help`".into());
    }
    let api = arguments.access.open().await?;

    let answer = if arguments.lists.are_edited() {
        arguments.edit(&api, &patch).await?
    } else {
        let tag = arguments.if_match.as_deref();
        api.patch(&arguments.url(&api), &Value::Object(patch), tag).await?
    };

    printed(&json_of(answer, &api.at(&["clients"]))?, arguments.json)
}

impl Arguments {
    fn url(&self, api: &Api) -> Url {
        let mut url = api.client(&self.id, &[]);
        if self.revoke_tokens {
            revoke_tokens(&mut url);
        }
        url
    }

    /// What can be said without knowing the client. A flag stands over the patch.
    fn patch(&self) -> Result<Map<String, Value>, Failure> {
        let mut patch = match &self.patch {
            Some(text) => object("--patch", text)?,
            None => Map::new(),
        };
        let mut set = |name: &str, value: Value| drop(patch.insert(name.to_owned(), value));
        if let Some(file) = &self.metadata {
            set("metadata", Value::Object(object("--metadata", file)?));
        }
        for (name, text) in [("client_name", &self.name), ("scope", &self.scope)] {
            if let Some(text) = text {
                set(name, json!(text));
            }
        }
        if let Some(method) = self.auth_method {
            set("token_endpoint_auth_method", json!(method));
        }
        match self.lifetime {
            Some(Lifetime::Default) => set("access_token_lifetime", Value::Null),
            Some(Lifetime::Given(lives)) => set("access_token_lifetime", json!(lives.as_secs())),
            None => {}
        }
        for edit in self.lists.all().iter().filter(|edit| !edit.instead.is_empty()) {
            set(edit.name, json!(edit.instead));
        }
        Ok(patch)
    }

    /// Adds to lists and takes from them: on the client as it was read, or not at all.
    async fn edit(&self, api: &Api, patch: &Map<String, Value>) -> Result<Answer, Failure> {
        let url = api.client(&self.id, &[]);
        let mut left = ATTEMPTS;
        loop {
            let read = api.get(&url).await?;
            let tag = self.if_match.clone().or_else(|| read.etag.clone());
            let client = json_of(read, &url)?;
            let mut patch = patch.clone();
            patch.extend(self.lists.edited(&client));
            left -= 1;
            match api.patch(&self.url(api), &Value::Object(patch), tag.as_deref()).await {
                Err(RemoteError::Refused { status, .. })
                    if status == 412 && left > 0 && self.if_match.is_none() => {}
                answer => return Ok(answer?),
            }
        }
    }
}

/// A JSON object, as it stands there or in a file.
fn object(flag: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    let json = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        credential::read(Path::new(text))?
    };
    serde_json::from_str(&json)
        .map_err(|error| format!("{flag} must be a JSON object: {error}").into())
}
