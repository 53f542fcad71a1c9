//! `POST /revocations`: an administrator calls tokens back.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::app::App;
use crate::domain::permission::TOKENS_REVOKE;
use crate::domain::revocation::{Revocation, Revoked};
use crate::registry::actor::Actor;
use crate::registry::revoke::Order;

use super::carry_out::carry_out;
use super::error::Refusal;
use super::lobby::Running;
use super::{bearer, body, json};

/// How long a key that is revoked may keep signing until another can.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn post(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let actor = bearer::actor(&app, &request, TOKENS_REVOKE).await?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let (order, reason) = Order::parse(&object)?;
    let now = app.clock.now();

    let app = app.shared();
    let revoked = carry_out(async move {
        if let Order::SigningKey(kid) = &order {
            make_way(&app, &actor, kid).await;
        }
        let revoked = app.token_revocation.revoke(&actor, order, reason, now).await?;
        if revoked.iter().any(|it| matches!(it.revoked, Revoked::SigningKey { .. })) {
            // Here at once: the key leaves the ring when it is next looked at.
            let _ = app.feed.look().await;
            if !app.ring.can_sign() {
                tracing::error!("the only signing key was revoked: put another into the folder");
            }
        }
        Ok(revoked)
    })
    .await?;

    let revoked: Vec<Value> = revoked.iter().map(shown).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "revoked": revoked })))
}

/// The key that signs is retired first, and another signs before it goes: no token that is issued
/// meanwhile is lost. If none comes in time the key goes all the same.
async fn make_way(app: &App, actor: &Actor, kid: &str) {
    if app.ring.active_kid().as_deref() != Some(kid) {
        return;
    }
    let now = app.clock.now();
    if let Err(reason) = app.signing_keys.retire(actor, kid, now).await {
        tracing::warn!(%reason, kid, "the key is revoked before another can sign");
        return;
    }
    let another_signs = async {
        while app.ring.active_kid().as_deref() == Some(kid) {
            let _ = app.key_exchange.exchange().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, another_signs).await;
}

fn shown(revocation: &Revocation) -> Value {
    json!({ "name": revocation.revoked.name(), "until": revocation.until })
}
