//! `/register/{client_id}`: a client manages its registration, RFC 7592 §2.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use crate::assembly::App;
use crate::clients::Registered;
use crate::clients::change::By;
use crate::clients::error::{ClientsError, refused};
use crate::clients::precondition::Precondition;
use crate::clients::self_service::{Owner, Replacement};
use crate::domain::registration_token::RegistrationToken;
use crate::domain::secret::ClientSecret;
use crate::http::admin::clients::{done, segment};
use crate::http::client_json::{ClientMetadata, view};
use crate::oauth::error::TokenFault;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer, body, json, origin};

use super::register;

/// The client, if the bearer token of the request is its registration access token.
pub(in crate::http) async fn owner(app: &App, request: &HttpRequest) -> Result<Owner, Refusal> {
    let token = match bearer::token(request.headers()) {
        Err(TokenFault::Repeated) => return Err(TokenFault::Repeated.into()),
        token => token.ok().map(RegistrationToken::from),
    };
    let id = segment(request, "client_id");
    let now = app.clock.now();
    Ok(app.clients.owner(&id, token, origin::of(app, request), now).await?)
}

/// The same for requests that add or replace something, which a client may not make too often: they
/// cost hashes and writes.
pub(in crate::http) async fn changing(app: &App, request: &HttpRequest) -> Result<Owner, Refusal> {
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
    let members = json::members(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;

    let replacement = replacement(members)?;
    let registered = app.clients.replace(owner, replacement, app.clock.now()).await?;

    Ok(shown(&app, &registered))
}

pub(in crate::http) async fn delete(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let owner = owner(&app, &request).await?;

    let by = By { authority: owner.authority(), now: app.clock.now() };
    app.clients.remove(by, by.authority.id(), &Precondition::None).await?;

    Ok(done())
}

/// Members that are for the server to say: RFC 7592 §2.2.
const FOR_US_TO_SAY: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

fn replacement(members: Map<String, Value>) -> Result<Replacement, ClientsError> {
    if let Some(name) = FOR_US_TO_SAY.iter().find(|name| members.contains_key(**name)) {
        return refused(format!("`{name}` is for the server to say"));
    }
    // A member that is not a string matches no id and no secret.
    let text = |name: &str| members.get(name).map(|it| it.as_str().unwrap_or_default().to_owned());
    let (client_id, secret) = (text("client_id"), text("client_secret"));
    let client = json::from_object::<ClientMetadata>(Value::Object(members))?.read()?;
    Ok(Replacement { client_id, client_secret: secret.map(ClientSecret::from), client })
}
