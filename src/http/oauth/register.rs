//! `POST /register`: RFC 7591 §3.

use std::net::IpAddr;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::assembly::App;
use crate::clients::Registered;
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::http::client_json::{ClientMetadata, view};
use crate::oauth::error::TokenFault;
use crate::web::rate::RegistrationRate;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, address, bearer, body, json, origin};

pub(in crate::http) async fn post(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let token = match bearer::token(request.headers()) {
        Err(TokenFault::Repeated) => return Err(TokenFault::Repeated.into()),
        token => token.ok(),
    };
    let now = app.clock.now();
    admit(&app, &request, token, now)?;
    let metadata: ClientMetadata =
        json::from_object(json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?)?;
    let new = metadata.read()?;
    // Not before: what proves nothing and says nothing must not be counted against others there.
    // Nor later: to judge keys takes a while.
    keep_to_the_rate(&app, &request, now)?;

    let origin = origin::of(&app, &request);
    let registered = app.clients.register(new, origin, now).await?;

    state.metrics().clients_registered.inc();
    Ok(created(&app, &registered))
}

/// Lets those in who may register, unless too many wrong tokens came from their address.
fn admit(
    app: &App,
    request: &HttpRequest,
    token: Option<&str>,
    now: Timestamp,
) -> Result<(), ClientsError> {
    let admit = || app.clients.registration.admit(token);
    match rate_and_address(app, request) {
        Some((rate, address)) => rate.shows_a_token(address, now, admit),
        None => admit(),
    }
}

/// Refuses registrations that come too often from one address.
fn keep_to_the_rate(app: &App, request: &HttpRequest, now: Timestamp) -> Result<(), ClientsError> {
    let known = rate_and_address(app, request);
    known.map_or(Ok(()), |(rate, address)| rate.registers(address, now))
}

fn rate_and_address<'a>(
    app: &App,
    request: &'a HttpRequest,
) -> Option<(&'a RegistrationRate, IpAddr)> {
    let address = address::caller(request.head(), &app.config.listen.trusted_proxies);
    ServerState::of(request).map(ServerState::rate).zip(address)
}

/// The URL of the client configuration endpoint: RFC 7592 §3.
pub(in crate::http) fn uri(app: &App, id: &ClientId) -> String {
    // An id of another platform may hold anything that is printable.
    let id: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    app.config.url(&format!("/register/{}", id.replace('+', "%20")))
}

/// The client information response of a new client.
pub(in crate::http) fn created(app: &App, registered: &Registered) -> HttpResponse {
    let shown = view::registration(registered, &uri(app, &registered.client.id));
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}
