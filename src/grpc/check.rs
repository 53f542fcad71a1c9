//! `Check`: one request of the gateway's client, read and decided.

use std::time::Instant;

use crate::domain::error_code::ErrorCode;
use crate::oauth::bearer;
use crate::policy::{Decision, Request};
use crate::telemetry::{RequestLabels, Status};
use crate::web::origin::{self, Caller};
use crate::web::refusal::{Refusal, Refused};
use crate::web::{ServerState, decision};

use super::messages::{CheckRequest, CheckResponse, HeaderValue, HttpRequest};
use super::response;

/// The name of the route in the metrics.
const ROUTE: &str = "envoy.service.auth.v3.Authorization/Check";

pub(super) async fn answer(state: &ServerState, check: &CheckRequest) -> CheckResponse {
    let started = Instant::now();
    let http = check.attributes.as_ref();
    let http = http.and_then(|about| about.request.as_ref()?.http.as_ref());

    let decided = decide(state, http).await;

    let status = decided.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
    observe(state, status, started);
    // Also of trouble on our side a denial and no error of gRPC: an Envoy that was told to let
    // requests pass when it gets no answer must not take this for none.
    match decided {
        Ok(decision) => response::pass(&decision, &state.config().gateways.headers),
        Err(refusal) => {
            if refusal.id_in_log().is_none() {
                let caller = &caller(http);
                refusal.log(&Refused { caller, route: ROUTE, client_id: None });
            }
            response::deny(&refusal)
        }
    }
}

async fn decide(state: &ServerState, http: Option<&HttpRequest>) -> Result<Decision, Refusal> {
    if http.map_or(0, header_size) > state.config().listen.header_limit {
        return Err(Refusal::new(ErrorCode::HeaderTooLarge, "the request header is too large"));
    }
    let caller = || caller(http);
    let Some(http) = http else { return Err(decision::deny_unclear(state, None, caller)) };
    // Nothing that a client can send makes it one of the back office, or of a kind.
    let request = Request::new(&http.method, &http.path);
    let token = bearer::sole_token(headers(http, "authorization"));
    decision::decide(state, &request, token, caller).await
}

/// Whom the log names: the id that Envoy gave the request. Its address tells nothing.
fn caller(http: Option<&HttpRequest>) -> Caller {
    let sent = http.and_then(|http| headers(http, "x-request-id").next());
    let sent = sent.and_then(|sent| std::str::from_utf8(sent).ok());
    Caller { address: None, request_id: origin::request_id(sent) }
}

/// The headers of a name, from whichever of the two forms Envoy was told to send. It may have joined
/// several by a comma.
fn headers<'a>(http: &'a HttpRequest, wanted: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = move |name: &str| name.eq_ignore_ascii_case(wanted);
    let joined = http.headers.iter().filter(move |(name, _)| named(name));
    let single = http.header_map.iter().flat_map(|map| &map.headers);
    let single = single.filter(move |header| named(&header.key));
    joined.map(|(_, value)| value.as_bytes()).chain(single.map(value))
}

/// The value of a header that is sent by itself; as text, or as bytes.
fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}

/// Names and values in bytes, and the path.
fn header_size(http: &HttpRequest) -> usize {
    let joined = http.headers.iter().map(|(name, value)| name.len() + value.len());
    let single = http.header_map.iter().flat_map(|map| &map.headers);
    let single = single.map(|header| header.key.len() + value(header).len());
    http.path.len() + joined.chain(single).sum::<usize>()
}

fn observe(state: &ServerState, status: u16, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let labels = RequestLabels { route: ROUTE, status: Status(status) };
    state.metrics().requests.get_or_create(&labels).observe(seconds);
    tracing::debug!(route = ROUTE, status, duration_ms = seconds * 1000.0, "answered");
}
