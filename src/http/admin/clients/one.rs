//! `/clients/{client_id}`: read, change, remove.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::clients::change::By;
use crate::domain::permission::{CLIENTS_READ, CLIENTS_WRITE};
use crate::domain::state::State;
use crate::http::client_json::client_patch;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

use super::{client_id, credential_id, done, precondition, shown, tokens};

/// RFC 7396 §4.
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(in crate::http) async fn show(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, CLIENTS_READ).await?;
    let id = client_id(&request)?;

    Ok(shown(&app, &app.clients.read(&id).await?))
}

pub(in crate::http) async fn patch(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let id = client_id(&request)?;
    let (tokens, condition) = (tokens(&request)?, precondition(&request));
    let types = [MERGE_PATCH, json::MEDIA_TYPE];
    let patch = json::object(&body::read_any(&request, payload, &types).await?)?;
    let patch = client_patch(patch)?;

    let by = By { authority: &authority, now: app.clock.now() };
    let client = app.clients.update(by, &id, &condition, &patch, tokens).await?;

    Ok(shown(&app, &client))
}

/// As the platform's own tools send it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transition {
    #[serde(rename = "stateTo")]
    to: State,
}

pub(in crate::http) async fn state(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let id = client_id(&request)?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let Transition { to } = json::from_object(object)?;

    let by = By { authority: &authority, now: app.clock.now() };
    app.clients.bring_to(by, &id, to, &precondition(&request)).await?;

    Ok(done())
}

pub(in crate::http) async fn delete(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let id = client_id(&request)?;

    let by = By { authority: &authority, now: app.clock.now() };
    app.clients.remove(by, &id, &precondition(&request)).await?;

    Ok(done())
}

pub(in crate::http) async fn delete_registration_token(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let (id, token) = (client_id(&request)?, credential_id(&request));

    let by = By { authority: &authority, now: app.clock.now() };
    app.clients.delete_registration_token(by, &id, &token).await?;

    Ok(done())
}
