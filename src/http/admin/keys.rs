//! `/keys`: what an admin does with the server's own signing keys.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::change::By;
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::jwk::Algorithm;
use crate::domain::permission::KEYS_WRITE;
use crate::signing::administration::ListedKey;
use crate::signing::keys::RotationRequest;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

pub(in crate::http) async fn list(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    bearer::authority(&app, &request, KEYS_WRITE).await?;

    let now = app.clock.now();
    let keys = app.signing.keys.list(now).await?;

    let keys: Vec<Value> = keys.iter().map(|listed| view(listed, now)).collect();
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

    let by = By { authority: &authority, now: app.clock.now() };
    let asked = app.signing.keys.rotate(by, rotation).await?;

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
    let by = By { authority: &authority, now: app.clock.now() };

    app.signing.keys.retire(by, &kid).await?;

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

fn view(listed: &ListedKey, now: Timestamp) -> Value {
    let ListedKey { key, is_here, retired, drops } = listed;
    let mut shown = json!({
        "kid": key.jwk.kid,
        "alg": key.jwk.algorithm,
        "state": key.state_at(now),
        "published_at": key.published,
        "signs_from": key.signs_from,
        "this_replica": is_here,
    });
    if let (Some(retired), Some(shown)) = (retired, shown.as_object_mut()) {
        shown.insert("retired_at".to_owned(), json!(retired));
        shown.insert("drops_at".to_owned(), json!(drops));
    }
    shown
}
