//! `POST /revocations`: an administrator revokes tokens.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::assembly::App;
use crate::clients::authority::Authority;
use crate::clients::error::ClientsError;
use crate::clients::revoke::Order;
use crate::domain::clock::Timestamp;
use crate::domain::permission::TOKENS_REVOKE;
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::signing_key::KeyState;
use crate::web::carry_out::carry_out;
use crate::web::error::Refusal;
use crate::web::state::Running;
use crate::web::{bearer, body, json};

/// How long a key that is revoked may keep signing until another can.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether another can.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(in crate::http) async fn post(
    app: Running,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let authority = bearer::authority(&app, &request, TOKENS_REVOKE).await?;
    let object = json::object(&body::read(&request, payload, json::MEDIA_TYPE).await?)?;
    let (order, reason) = Order::parse(&object)?;
    let now = app.clock.now();

    let app = app.shared();
    let revoked = carry_out(async move {
        if let Order::SigningKey(kid) = &order {
            make_way(&app, &authority, kid).await;
        }
        let revoked = app.token_revocation.revoke(&authority, order, reason, now).await?;
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
async fn make_way(app: &App, authority: &Authority, kid: &str) {
    let retired = app.clock.now();
    let is_ours = || app.ring.active_kid().as_deref() == Some(kid);
    match app.signing_keys.retire(authority, kid, retired).await {
        Ok(true) => {}
        Ok(false) if is_ours() => {}
        Ok(false) | Err(ClientsError::NoSigningKey) => return, // it signs no more
        Err(reason) => {
            tracing::warn!(%reason, kid, "the key is revoked before another can sign");
            return;
        }
    }
    let another_signs = async {
        let was_ours = is_ours();
        loop {
            let _ = app.key_exchange.exchange().await;
            let waits = if was_ours { is_ours() } else { !has_successor(app, retired).await };
            if !waits {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, another_signs).await;
}

/// Whether a key signs that a replica made when one was retired.
async fn has_successor(app: &App, retired: Timestamp) -> bool {
    let shared = app.signing_keys.store.published().await.unwrap_or_default();
    let now = app.clock.now();
    shared.keys.iter().any(|key| key.published >= retired && key.state_at(now) == KeyState::Active)
}

fn shown(revocation: &Revocation) -> Value {
    json!({ "name": revocation.revoked.name(), "until": revocation.until })
}
