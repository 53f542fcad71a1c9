//! `/clients/{client_id}/secrets`, `/keys` and `/regenerate`. The same for a client that looks
//! after itself is in `http/oauth/self_service.rs`.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clients::credentials::{Added, Lives, Tokens};
use crate::clients::draft::ClientMetadata;
use crate::clients::error::ClientsError;
use crate::clients::public_key::SentKeys;
use crate::clients::view;
use crate::domain::jwk::PublicJwk;
use crate::domain::permission::CLIENTS_WRITE;
use crate::domain::printable::excerpt;
use crate::domain::secret::ClientSecret;
use crate::web::carry_out::carry_out;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

use super::{client_id, credential_id, done, tokens};

/// How long the new one and the old ones live, in seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRequest {
    expires_in: Option<u64>,
    overlap: Option<u64>,
}

fn lives(expires_in: Option<u64>, overlap: Option<u64>) -> Result<Lives, ClientsError> {
    if expires_in == Some(0) {
        return Err(ClientsError::Metadata("`expires_in` must be at least 1".to_owned()));
    }
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    Ok(Lives { expires_in: seconds(expires_in), overlap: seconds(overlap) })
}

/// What is asked of a new secret; an empty body asks for nothing.
pub(in crate::http) async fn new_secret(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Lives, Refusal> {
    let members = optional_object(request, payload).await?;
    let SecretRequest { expires_in, overlap } = json::from_object(Value::Object(members))?;
    Ok(lives(expires_in, overlap)?)
}

/// The members that keys may come as, with their proofs.
const KEYS: [&str; 4] = ["jwks", "proof", "public_key", "public_key_pem"];

/// Keys that were sent, and the proofs beside them.
pub(in crate::http) struct NewKeys {
    pub(in crate::http) keys: SentKeys,
    pub(in crate::http) proofs: Vec<String>,
}

/// One key that was sent.
pub(in crate::http) struct NewKey {
    pub(in crate::http) key: SentKeys,
    pub(in crate::http) proofs: Vec<String>,
    pub(in crate::http) lives: Lives,
}

/// A key, and what is asked of it.
pub(in crate::http) async fn new_key(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<NewKey, Refusal> {
    let mut members = optional_object(request, payload).await?;
    let mut number = |name: &str| match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| ClientsError::Metadata(format!("`{name}` must be a number of seconds"))),
    };
    let lives = lives(number("expires_in")?, number("overlap")?)?;
    let NewKeys { keys: key, proofs } = keys_of(members)?;
    Ok(NewKey { key, proofs, lives })
}

/// Any number of keys. An empty body brings none.
pub(in crate::http) async fn new_keys(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<NewKeys, Refusal> {
    Ok(keys_of(optional_object(request, payload).await?)?)
}

/// The members of the body; an empty body has none.
async fn optional_object(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Map<String, Value>, Refusal> {
    let body = body::read(request, payload, json::MEDIA_TYPE).await?;
    let object = if body.is_empty() { json!({}) } else { json::object(&body)? };
    Ok(match object {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

/// Keys in whichever form, and nothing beside them but their proofs.
fn keys_of(members: Map<String, Value>) -> Result<NewKeys, ClientsError> {
    if let Some(name) = members.keys().find(|name| !KEYS.contains(&name.as_str())) {
        let name = excerpt(name);
        return Err(ClientsError::Metadata(format!("unknown member `{name}`")));
    }
    let metadata: ClientMetadata = json::from_object(Value::Object(members))?;
    Ok(NewKeys { keys: metadata.keys()?, proofs: metadata.proofs()? })
}

/// Which credential goes, and what becomes of its tokens.
pub(in crate::http) fn removal(request: &HttpRequest) -> Result<Tokens, Refusal> {
    Ok(tokens(request)?)
}

pub(in crate::http) fn shown_secret(added: &Added<ClientSecret>) -> HttpResponse {
    let held = added.client.secrets.iter().find(|held| held.id == added.id);
    let expires = held.and_then(|held| held.expires).map_or(0, |end| end.0);
    created(&json!({
        "id": added.id,
        "client_id": added.client.id,
        "client_secret": added.credential.reveal(),
        "client_secret_expires_at": expires,
        "secrets": view::secrets(&added.client),
    }))
}

pub(in crate::http) fn shown_key(added: &Added<PublicJwk>) -> HttpResponse {
    let mut shown = key(added);
    view::warn(&mut shown, &added.left_out);
    created(&shown)
}

fn key(added: &Added<PublicJwk>) -> Value {
    json!({
        "id": added.id,
        "client_id": added.client.id,
        "kid": added.credential.kid,
        "keys": view::keys(&added.client),
    })
}

fn created(shown: &Value) -> HttpResponse {
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}

pub(in crate::http) async fn add_secret(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let lives = new_secret(&request, payload).await?;

    let id = client_id(&request)?;
    let added = app.clients.add_secret(&id, lives, &authority, app.clock.now()).await?;

    Ok(shown_secret(&added))
}

pub(in crate::http) async fn add_key(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let NewKey { key: new, proofs, lives } = new_key(&request, payload).await?;

    let (id, now) = (client_id(&request)?, app.clock.now());
    let new = (new, &*proofs);
    let added = app.clients.add_key(&app.keys, &id, new, lives, &authority, now).await?;

    let mut shown = key(&added);
    view::warn(&mut shown, &added.left_out);
    view::warn(&mut shown, &added.shared_keys);
    Ok(created(&shown))
}

pub(in crate::http) async fn delete_secret(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let (id, secret, tokens) = (client_id(&request)?, credential_id(&request), removal(&request)?);

    app.clients.delete_secret(&id, &secret, tokens, &authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn delete_key(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let (id, key, tokens) = (client_id(&request)?, credential_id(&request), removal(&request)?);

    app.clients.delete_key(&id, &key, tokens, &authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn delete_registration_token(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let (id, token) = (client_id(&request)?, credential_id(&request));

    app.clients.delete_registration_token(&id, &token, &authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn regenerate(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let NewKeys { keys, proofs } = new_keys(&request, payload).await?;

    let (id, now) = (client_id(&request)?, app.clock.now());
    let app = app.shared();
    carry_out(async move {
        let keys = (keys, &*proofs);
        let registered = app.clients.regenerate(&app.keys, &id, keys, &authority, now).await?;
        Ok(super::created(&app, &registered))
    })
    .await
}
