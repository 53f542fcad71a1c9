//! `/-/…`: how the server is. Never under the service prefix.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::lobby::Lobby;

/// Whether the process lives.
pub(super) async fn healthz() -> HttpResponse {
    report(true)
}

/// Whether requests should be sent here: put together, with a key that signs, and not stopping.
pub(super) async fn ready(lobby: web::Data<Lobby>) -> HttpResponse {
    report(!lobby.is_stopping() && lobby.app().is_some_and(|app| app.ring.can_sign()))
}

/// Whether everything that it needs answers.
pub(super) async fn check_up(lobby: web::Data<Lobby>) -> HttpResponse {
    let answers = match lobby.app() {
        Some(app) => app.upkeep.ping().await.is_ok() && app.ring.can_sign(),
        None => false,
    };
    report(answers)
}

pub(super) async fn metrics(lobby: web::Data<Lobby>) -> HttpResponse {
    let answers = lobby.app().is_some_and(|app| app.feed.store_answers());
    lobby.metrics().store_up.set(i64::from(answers));
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(lobby.metrics().render())
}

fn report(good: bool) -> HttpResponse {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(json!({
        "status": if good { "OK" } else { "KO" },
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}
