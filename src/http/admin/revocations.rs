//! `POST /revocations`: an administrator revokes tokens.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::clients::change::By;
use crate::domain::permission::TOKENS_REVOKE;
use crate::domain::revocation::Revocation;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

use super::revocation_order;

pub(in crate::http) async fn post(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, TOKENS_REVOKE).await?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let instruction = revocation_order::instruction(&object)?;

    let by = By { authority: &authority, now: app.clock.now() };
    let revoked = app.revocation_orders.carry_out(by, instruction).await?;

    let revoked: Vec<Value> = revoked.iter().map(shown).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "revoked": revoked })))
}

fn shown(revocation: &Revocation) -> Value {
    json!({ "name": revocation.revoked.name(), "until": revocation.until })
}
