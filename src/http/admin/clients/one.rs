//! `/clients/{client_id}`: read, change, remove.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::audit::Action;
use crate::clients::change::By;
use crate::clients::credentials::Tokens;
use crate::clients::error::ClientsError;
use crate::clients::update::Update;
use crate::domain::permission::{CLIENTS_READ, CLIENTS_WRITE};
use crate::domain::state::State;
use crate::web::carry_out::carry_out;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

use super::{client_id, done, precondition, shown, tokens};

/// RFC 7396 §4.
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(in crate::http) async fn show(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, CLIENTS_READ).await?;
    let id = client_id(&request)?;

    let found = app.repository.read(&id).await.map_err(ClientsError::from)?;

    Ok(shown(&app, &found.ok_or(ClientsError::NotFound)?))
}

pub(in crate::http) async fn patch(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let id = client_id(&request)?;
    let revoke_tokens = tokens(&request)? == Tokens::Revoke;
    let types = [MERGE_PATCH, json::MEDIA_TYPE];
    let patch = match json::object(&body::read_any(&request, payload, &types).await?)? {
        Value::Object(patch) => patch,
        _ => Map::new(),
    };

    let update = Update { patch, revoke_tokens };
    let longest = Duration::from_secs(app.config.settings.max_token_lifetime);
    let (condition, now) = (precondition(&request), app.clock.now());
    let client = app.clients.update(&id, &update, &condition, (&authority, longest), now).await?;

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

    let condition = precondition(&request);
    app.clients.bring_to(&id, to, &condition, &authority, app.clock.now()).await?;

    Ok(done())
}

pub(in crate::http) async fn delete(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, CLIENTS_WRITE).await?;
    let id = client_id(&request)?;

    let (app, condition) = (app.shared(), precondition(&request));
    carry_out(async move {
        let by = By { authority: &authority, action: Action::ClientDeleted, now: app.clock.now() };
        app.clients.remove(&id, &condition, by).await?;
        Ok(done())
    })
    .await
}
