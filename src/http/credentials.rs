//! `/clients/{client_id}/secrets`, `/keys` and `/regenerate`, of administrators; and the same below
//! `/register/{client_id}`, of a client that manages itself.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::assembly::App;
use crate::clients::authority::Authority;
use crate::clients::change::By;
use crate::clients::credentials::Lives;
use crate::clients::error::{ClientsError, refused};
use crate::clients::recorded;
use crate::domain::id::ClientId;
use crate::domain::permission::CLIENTS_WRITE;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

use super::admin::clients::{self, client_id, credential_id, done, tokens};
use super::client_json::{new_keys, view};
use super::oauth::{register, self_service};

/// A client whose credentials change, and the authority that changes them.
struct Subject {
    id: ClientId,
    authority: Authority,
    is_admin: bool,
}

impl Subject {
    /// For requests that add credentials, which a client may not make too often: they cost hashes and
    /// writes.
    async fn gaining(app: &App, request: &HttpRequest) -> Result<Self, Refusal> {
        match is_own(request) {
            true => Ok(Self::owner(self_service::changing(app, request).await?.into())),
            false => Self::admins(app, request).await,
        }
    }

    async fn losing(app: &App, request: &HttpRequest) -> Result<Self, Refusal> {
        match is_own(request) {
            true => Ok(Self::owner(self_service::owner(app, request).await?.into())),
            false => Self::admins(app, request).await,
        }
    }

    async fn admins(app: &App, request: &HttpRequest) -> Result<Self, Refusal> {
        let authority = bearer::authority(app, request, CLIENTS_WRITE).await?;
        Ok(Self { id: client_id(request)?, authority, is_admin: true })
    }

    fn owner(authority: Authority) -> Self {
        Self { id: authority.id().clone(), authority, is_admin: false }
    }

    fn by(&self, app: &App) -> By<'_> {
        By { authority: &self.authority, now: app.clock.now() }
    }
}

/// Whether the client manages itself.
fn is_own(request: &HttpRequest) -> bool {
    request.match_pattern().is_some_and(|route| route.contains("/register/{client_id}/"))
}

/// The body of a request for a new secret; it may be empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRequest {
    /// In seconds.
    expires_in: Option<u64>,
    /// In seconds.
    overlap: Option<u64>,
}

pub(super) async fn add_secret(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let subject = Subject::gaining(&app, &request).await?;
    let members = optional_object(&request, payload).await?;
    let SecretRequest { expires_in, overlap } = json::from_object(Value::Object(members))?;
    let lives = lives(expires_in, overlap)?;

    let added = app.clients.add_secret(subject.by(&app), &subject.id, lives).await?;

    let held = added.client.secrets.iter().find(|held| held.id == added.id);
    let expires = held.and_then(|held| held.expires).map_or(0, |end| end.0);
    Ok(created(&json!({
        "id": added.id,
        "client_id": added.client.id,
        "client_secret": added.credential.reveal(),
        "client_secret_expires_at": expires,
        "secrets": recorded::secrets(&added.client),
    })))
}

pub(super) async fn add_key(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let subject = Subject::gaining(&app, &request).await?;
    let mut members = optional_object(&request, payload).await?;
    let mut number = |name: &str| match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            None => refused(format!("`{name}` must be a number of seconds")),
            seconds => Ok(seconds),
        },
    };
    let lives = lives(number("expires_in")?, number("overlap")?)?;
    let keys = new_keys(members)?;

    let added = app.clients.add_key(subject.by(&app), &subject.id, keys, lives).await?;

    let mut shown = json!({
        "id": added.id,
        "client_id": added.client.id,
        "kid": added.credential.kid,
        "keys": recorded::keys(&added.client),
    });
    view::warn(&mut shown, &added.left_out);
    if subject.is_admin {
        view::warn(&mut shown, &added.shared_keys);
    }
    Ok(created(&shown))
}

pub(super) async fn delete_secret(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let subject = Subject::losing(&app, &request).await?;
    let (secret, tokens) = (credential_id(&request), tokens(&request)?);

    app.clients.delete_secret(subject.by(&app), &subject.id, &secret, tokens).await?;

    Ok(done())
}

pub(super) async fn delete_key(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let subject = Subject::losing(&app, &request).await?;
    let (key, tokens) = (credential_id(&request), tokens(&request)?);

    app.clients.delete_key(subject.by(&app), &subject.id, &key, tokens).await?;

    Ok(done())
}

pub(super) async fn regenerate(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let subject = Subject::gaining(&app, &request).await?;
    let keys = new_keys(optional_object(&request, payload).await?)?;

    let registered = app.clients.regenerate(subject.by(&app), &subject.id, keys).await?;

    Ok(match subject.is_admin {
        true => clients::created(&app, &registered),
        false => register::created(&app, &registered),
    })
}

fn lives(expires_in: Option<u64>, overlap: Option<u64>) -> Result<Lives, ClientsError> {
    if expires_in == Some(0) {
        return refused("`expires_in` must be at least 1");
    }
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    Ok(Lives { expires_in: seconds(expires_in), overlap: seconds(overlap) })
}

/// The members of the body; an empty body has none.
async fn optional_object(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Map<String, Value>, Refusal> {
    let body = body::read(request, payload, json::MEDIA_TYPE).await?;
    Ok(if body.is_empty() { Map::new() } else { json::members(&body)? })
}

fn created(shown: &Value) -> HttpResponse {
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}
