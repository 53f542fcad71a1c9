//! `POST /oauth/token`: RFC 6749 §4.4.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::oauth::token::check_grant;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, form};

use super::credentials;

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct Success {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

pub(in crate::http) async fn post(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let form = form::read(&app, &request, payload).await?;
    check_grant(form.value("grant_type"))?;
    let presented = credentials::presented(&request, &form)?;
    let now = app.clock.now();

    let client = credentials::authenticated(&app, &state, &request, &presented, now).await?;
    // Not before: a list of whatever length must cost nothing to those who have proved nothing.
    let asked = form.token_request(&app.tokens.issuer.rules.lists)?;
    let issued = app.tokens.issuer.issue(&client, asked, now);
    let issued = issued.inspect_err(|error| credentials::count(error, state.metrics()))?;

    state.metrics().tokens_issued.inc();
    tracing::debug!(client_id = %client.client().id, "token issued");
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Success {
        access_token: issued.access_token,
        token_type: "Bearer",
        expires_in: issued.lifetime.as_secs(),
        scope: issued.scope.map(String::from),
    }))
}
