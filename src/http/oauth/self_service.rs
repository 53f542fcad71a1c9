//! `/register/{client_id}`: a client looks after itself, RFC 7592 §2.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use crate::assembly::App;
use crate::audit::Action;
use crate::clients::change::{By, Precondition};
use crate::clients::draft::ClientMetadata;
use crate::clients::self_service::Owner;
use crate::clients::{Registered, view};
use crate::domain::registration_token::RegistrationToken;
use crate::http::admin::clients::{
    NewKey, NewKeys, credential_id, done, new_key, new_keys, new_secret, removal, segment,
    shown_key, shown_secret,
};
use crate::oauth::error::TokenFault;
use crate::web::carry_out::carry_out;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer, body, json, origin};

use super::register;

/// The client, if the bearer token of the request is its registration access token.
async fn owner(app: &App, request: &HttpRequest) -> Result<Owner, Refusal> {
    let token = match bearer::token(request) {
        Err(TokenFault::Repeated) => return Err(TokenFault::Repeated.into()),
        token => token.ok().map(RegistrationToken::from),
    };
    let id = segment(request, "client_id");
    let now = app.clock.now();
    let owner = app.clients.owner(&id, token, origin::of(app, request), now).await?;
    app.logins.note_use(&owner.client().id, &owner.credential(), now);
    Ok(owner)
}

/// The same, about to do what costs slow hashes and writes. To end something costs little, and is
/// never refused for how often it is done.
async fn changing(app: &App, request: &HttpRequest) -> Result<Owner, Refusal> {
    let owner = owner(app, request).await?;
    if let Some(state) = ServerState::of(request) {
        state.rate().changes(owner.client(), app.clock.now())?;
    }
    Ok(owner)
}

fn shown(app: &App, registered: &Registered) -> HttpResponse {
    let uri = register::uri(app, &registered.client.id);
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response.json(view::own(registered, &uri))
}

pub(in crate::http) async fn get(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let owner = owner(&app, &request).await?;

    Ok(shown(&app, &owner.registration()))
}

pub(in crate::http) async fn put(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let owner = changing(&app, &request).await?;
    let object: Value = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let metadata: ClientMetadata = json::from_object(object.clone())?;

    let now = app.clock.now();
    let replaced = app.clients.replace_metadata(&app.keys, owner, &object, &metadata, now);
    let registered = replaced.await?;

    Ok(shown(&app, &registered))
}

pub(in crate::http) async fn delete(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let owner = owner(&app, &request).await?;

    let app = app.shared();
    carry_out(async move {
        let authority = owner.authority();
        let by = By { authority, action: Action::ClientDeleted, now: app.clock.now() };
        app.clients.remove(authority.id(), &Precondition::None, by).await?;
        Ok(done())
    })
    .await
}

pub(in crate::http) async fn add_secret(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let owner = changing(&app, &request).await?;
    let lives = new_secret(&request, payload).await?;

    let authority = owner.authority();
    let added = app.clients.add_secret(authority.id(), lives, authority, app.clock.now()).await?;

    Ok(shown_secret(&added))
}

pub(in crate::http) async fn add_key(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let owner = changing(&app, &request).await?;
    let NewKey { key, proofs, lives } = new_key(&request, payload).await?;

    let (authority, now) = (owner.authority(), app.clock.now());
    let key = (key, &*proofs);
    let added = app.clients.add_key(&app.keys, authority.id(), key, lives, authority, now).await?;

    Ok(shown_key(&added))
}

pub(in crate::http) async fn delete_secret(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let owner = owner(&app, &request).await?;
    let (secret, tokens) = (credential_id(&request), removal(&request)?);

    let authority = owner.authority();
    app.clients.delete_secret(authority.id(), &secret, tokens, authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn delete_key(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let owner = owner(&app, &request).await?;
    let (key, tokens) = (credential_id(&request), removal(&request)?);

    let authority = owner.authority();
    app.clients.delete_key(authority.id(), &key, tokens, authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn regenerate(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let owner = changing(&app, &request).await?;
    let NewKeys { keys, proofs } = new_keys(&request, payload).await?;

    let app = app.shared();
    carry_out(async move {
        let (authority, keys, now) = (owner.authority(), (keys, &*proofs), app.clock.now());
        let registered =
            app.clients.regenerate(&app.keys, authority.id(), keys, authority, now).await?;
        let uri = register::uri(&app, &registered.client.id);
        Ok(register::created(&view::registration(&registered, &uri)))
    })
    .await
}
