//! `/-/…`: how the server is. Never under the service prefix.

pub(super) mod documentation;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value};

use crate::assembly::App;
use crate::domain::credential_report::WARNING_DAYS;
use crate::domain::error_code::ErrorCode;
use crate::oauth::News;
use crate::telemetry::{KindLabels, WithinDays};
use crate::web::ServerState;
use crate::web::refusal::Refusal;

/// Whether the process lives.
pub(super) async fn healthz() -> HttpResponse {
    report(true)
}

/// Whether requests should be sent here; with `for=tokeninfo`, those that only ask about tokens.
pub(super) async fn ready(
    state: web::Data<ServerState>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let mut only_judging = false;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        match (&*name, &*value) {
            ("for", "tokeninfo") => only_judging = true,
            ("for", _) => {
                return Err(Refusal::new(ErrorCode::InvalidRequest, "`for` must be tokeninfo"));
            }
            _ => {}
        }
    }
    let good = if only_judging { state.can_judge() } else { state.is_ready() };
    Ok(reported(good, &with_store(status(good), state.app())))
}

/// That the store can be read only, if so: `/tokeninfo` and whatever needs no write is served.
fn with_store(mut status: Map<String, Value>, app: Option<&Arc<App>>) -> Map<String, Value> {
    if app.is_some_and(|app| !app.health.store.takes_writes()) {
        status.insert("store".to_owned(), "cannot be written".into());
    }
    status
}

/// Whether everything that it needs answers; and for how long nothing was heard of other replicas,
/// while tokens are judged by what was known then.
pub(super) async fn check_up(state: web::Data<ServerState>) -> HttpResponse {
    let Some(app) = state.app() else { return report(false) };
    let has_files = app.signing.ring.are_files_readable();
    let good = app.health.store.ping().await.is_ok() && app.signing.ring.can_sign() && has_files;
    let mut status = with_store(status(good), Some(app));
    if !has_files {
        status.insert("signing_key_files".to_owned(), "unreadable".into());
    }
    let staleness = app.feed.staleness().as_secs();
    if staleness > 0 {
        status.insert("stale_seconds".to_owned(), staleness.into());
    }
    reported(good, &status)
}

pub(super) async fn metrics(state: web::Data<ServerState>) -> HttpResponse {
    let answers =
        state.app().is_some_and(|app| app.feed.store_answers() && app.health.store.takes_writes());
    let metrics = state.metrics();
    metrics.store_up.set(i64::from(answers));
    if let Some(app) = state.app() {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.revocations.set(count(app.health.revocations.len()));
        metrics.key_files_readable.set(i64::from(app.signing.ring.are_files_readable()));
        metrics.staleness.set(app.feed.staleness().as_secs_f64());
        let found = app.clients.watch.found();
        for (days, expiring) in WARNING_DAYS.into_iter().zip(found.expiring) {
            let label = WithinDays { within_days: days.into() };
            metrics.credentials_expiring.get_or_create(&label).set(count(expiring));
        }
        metrics.credentials_removable.set(count(found.removable));
        // Nothing to worry about where there is none.
        let is_current = app.gatekeeper.policy.as_ref().is_none_or(|file| file.is_current());
        metrics.policy_current.set(i64::from(is_current));
        let copy = |from: u64, to: &Counter| to.inner().store(from, Ordering::Relaxed);
        let unreadable = app.health.store.unreadable();
        for (kind, count) in [("client", unreadable.clients), ("audit_record", unreadable.records)]
        {
            copy(count, &metrics.unreadable.get_or_create(&KindLabels { kind }));
        }
        if let Some(delivery) = &app.health.delivery {
            let tally = &delivery.tally;
            copy(tally.delivered.load(Ordering::Relaxed), &metrics.webhook_delivered);
            copy(tally.failed.load(Ordering::Relaxed), &metrics.webhook_failed);
            let age = tally.oldest_age(app.clock.now());
            metrics.webhook_oldest.set(i64::try_from(age).unwrap_or(i64::MAX));
        }
    }
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(metrics.render())
}

fn report(good: bool) -> HttpResponse {
    reported(good, &status(good))
}

fn status(good: bool) -> Map<String, Value> {
    let status = if good { "OK" } else { "KO" };
    let version = env!("CARGO_PKG_VERSION");
    let members = [("status", status), ("name", env!("CARGO_PKG_NAME")), ("version", version)];
    members.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect()
}

fn reported(good: bool, status: &Map<String, Value>) -> HttpResponse {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(code).insert_header((CACHE_CONTROL, "no-store")).json(status)
}
