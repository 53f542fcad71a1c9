//! `/clients`: what an admin does with them.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::domain::id::ClientId;
use crate::domain::permission::{CLIENTS_READ, CLIENTS_WRITE};
use crate::registry::create::{self, Grants};
use crate::registry::draft::ClientMetadata;
use crate::registry::error::RegistryError;
use crate::registry::{Cursor, ListQuery, view};

use super::error::Refusal;
use super::lobby::{Lobby, Running};
use super::{bearer, body, json, register};

/// How many clients a page has, unless the caller says otherwise; and at the most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;

pub(super) async fn post(
    app: Running,
    lobby: web::Data<Lobby>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let actor = bearer::actor(&app, &request, CLIENTS_WRITE).await?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    create::refuse_unknown(&object)?;
    let metadata: ClientMetadata = json::from_object(object.clone())?;
    let grants: Grants = json::from_object(object)?;

    let longest = Duration::from_secs(app.config.settings.max_token_lifetime);
    let now = app.clock.now();
    let registered =
        create::create(&app.enrolment, &actor, &metadata, grants, longest, now).await?;

    lobby.metrics().clients_registered.inc();
    let client_id = &registered.client.id;
    let mut response = register::created(&view::created(&registered));
    // Relative: the admin's listener may be reached by another name than the issuer's.
    if let Ok(location) = format!("clients/{client_id}").parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(app: Running, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    bearer::actor(&app, &request, CLIENTS_READ).await?;
    let query: web::Query<Query> = web::Query::from_query(request.query_string())
        .map_err(|error| RegistryError::Malformed(format!("query: {error}")))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        let why = format!("`limit` must be from 1 to {LONGEST_PAGE}");
        return Err(RegistryError::Malformed(why).into());
    }
    let after = query.into_inner().cursor.map(Cursor);

    let page = app.registry.list(&ListQuery { after, limit }).await.map_err(RegistryError::from)?;

    let page = page.ok_or(RegistryError::Cursor)?;
    let clients: Vec<_> = page.clients.iter().map(view::client).collect();
    let next = page.next.map(|cursor| cursor.0);
    Ok(no_store().json(serde_json::json!({ "clients": clients, "next_cursor": next })))
}

pub(super) async fn show(app: Running, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    bearer::actor(&app, &request, CLIENTS_READ).await?;
    let id = request.match_info().query("client_id");
    let id: ClientId = id.parse().map_err(|_| RegistryError::NotFound)?;

    let found = app.registry.read(&id).await.map_err(RegistryError::from)?;

    let client = found.ok_or(RegistryError::NotFound)?;
    Ok(no_store().json(view::client(&client)))
}

fn no_store() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}
