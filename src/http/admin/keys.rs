//! `/keys`: what an admin does with the server's own signing keys.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::assembly::App;
use crate::clients::error::ClientsError;
use crate::domain::jwk::Algorithm;
use crate::domain::permission::KEYS_WRITE;
use crate::signing::Ring;
use crate::signing::keys::{self, RotationRequest};
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

pub(in crate::http) async fn list(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, KEYS_WRITE).await?;

    let shared = app.signing.keys.store.published().await.map_err(ClientsError::from)?;

    let (now, tokens) = (app.clock.now(), &app.config.tokens);
    let times = (tokens.max_lifetime, tokens.clock_skew);
    let own: Vec<String> = app.signing.ring.own().into_iter().map(|own| own.jwk.kid).collect();
    let mut keys = shared.keys;
    keys.sort_by(|a, b| (b.published, &b.jwk.kid).cmp(&(a.published, &a.jwk.kid)));
    let here = |kid: &String| own.contains(kid);
    let keys: Vec<Value> =
        keys.iter().map(|key| keys::view(key, here(&key.jwk.kid), now, times)).collect();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "keys": keys })))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    algorithm: Option<String>,
    now: bool,
}

pub(in crate::http) async fn rotate(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, KEYS_WRITE).await?;
    let rotation = rotation(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;

    let asked = app.signing.keys.rotate(&authority, rotation, app.clock.now()).await?;
    carried_out(&app).await;

    Ok(HttpResponse::Accepted().insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "requested_at": asked.at,
        "algorithm": asked.algorithm,
        "now": asked.hasty,
    })))
}

pub(in crate::http) async fn retire(
    app: Running,
    request: HttpRequest,
    kid: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, KEYS_WRITE).await?;
    let kid = kid.as_str();

    app.signing.keys.retire(&authority, kid, app.clock.now()).await?;
    carried_out(&app).await;

    Ok(HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish())
}

/// The members of the body, each of which may be left out, as may the body.
fn rotation(body: &[u8]) -> Result<RotationRequest, ClientsError> {
    if body.is_empty() {
        return Ok(RotationRequest::default());
    }
    let object = json::object(body)?;
    let malformed = |error: ClientsError| ClientsError::Malformed(error.to_string());
    let asked: Asked = json::from_object(object).map_err(malformed)?;
    let algorithm = asked.algorithm.as_deref().map(Algorithm::for_tokens).transpose();
    let algorithm =
        algorithm.map_err(|error| ClientsError::Malformed(format!("`algorithm` {error}")))?;
    Ok(RotationRequest { algorithm, hasty: asked.now })
}

/// Sees to it at once here. It is durable: what fails now is done at the next look.
async fn carried_out(app: &App) {
    if let Err(reason) = app.signing.exchange.exchange().await {
        tracing::warn!(%reason, "cannot apply the change of signing keys now; trying again");
    }
}
