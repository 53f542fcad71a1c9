//! `POST /register`: RFC 7591 §3.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use crate::app::App;
use crate::domain::id::ClientId;
use crate::oauth::error::TokenFault;
use crate::registry::draft::ClientMetadata;
use crate::registry::error::RegistryError;
use crate::registry::view;

use super::error::Refusal;
use super::lobby::{Lobby, Running};
use super::{address, bearer, body, json, origin};

pub(super) async fn post(
    app: Running,
    lobby: web::Data<Lobby>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    keep_to_the_rate(&app, &request)?;
    let token = match bearer::token(&request) {
        Err(TokenFault::Repeated) => return Err(TokenFault::Repeated.into()),
        token => token.ok(),
    };
    app.registration.admit(token)?;
    let metadata: ClientMetadata =
        json::from_object(json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?)?;

    let origin = origin::of(&app, &request);
    let registered = app.registration.register(&metadata, origin, app.clock.now()).await?;

    lobby.metrics().clients_registered.inc();
    let uri = uri(&app, &registered.client.id);
    Ok(created(&view::registration(&registered, &uri)))
}

/// Refuses what comes too often from one address: registering, and what clients do to themselves
/// later. Both cost slow hashes and writes.
pub(super) fn keep_to_the_rate(app: &App, request: &HttpRequest) -> Result<(), Refusal> {
    let address = address::caller(request, &app.config.settings.trusted_proxies);
    let rate = Lobby::of(request).map(Lobby::rate);
    match rate.zip(address).is_none_or(|(rate, address)| rate.admits(address)) {
        true => Ok(()),
        false => Err(RegistryError::TooMany.into()),
    }
}

/// Where a client looks after its registration: RFC 7592 §3.
pub(super) fn uri(app: &App, id: &ClientId) -> String {
    // An id of another platform may hold anything that is printable.
    let id: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    app.config.url(&format!("/register/{}", id.replace('+', "%20")))
}

pub(super) fn created(shown: &Value) -> HttpResponse {
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}
