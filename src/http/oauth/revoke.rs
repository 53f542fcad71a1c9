//! `POST /oauth/revoke`: RFC 7009 §2.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::oauth::error::OAuthError;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, form, origin};

use super::credentials;

pub(in crate::http) async fn post(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let form = form::read_with_token(&app, &request, payload).await?;
    let presented = credentials::presented(&request, &form)?;
    let token = form.value("token").ok_or(OAuthError::Missing("token"))?.to_owned();
    let (now, origin) = (app.clock.now(), origin::of(&app, &request));

    let client = credentials::authenticated(&app, &state, &request, &presented, now).await?;
    app.tokens.own.revoke(&app.tokens.judge, &client, &token, origin, now).await?;

    // Of a JSON type, though nothing is said: some clients refuse others.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({})))
}
