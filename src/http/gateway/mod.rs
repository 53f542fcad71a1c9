//! `/auth` and `/forward-auth`: may this request pass? Asked by gateways about requests of theirs.

mod names;
mod original;

use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{FutureExt, StreamExt};

use crate::config::{AuthSource, ForwardAuthSource};
use crate::oauth::tokeninfo::LiveToken;
use crate::policy::{AnswerHeader, Decision, Identity, Request};
use crate::web::refusal::Refusal;
use crate::web::{ServerState, bearer, decision, origin};

use original::{FORWARDED, MIA, ORIGINAL, Source, Unclear};

pub(super) use names::Names;

/// How long the body of a call is waited for, which nobody looks at.
const PATIENCE: Duration = Duration::from_secs(1);

/// For Mia-Platform's gateway and Envoy.
pub(super) async fn auth(
    state: Data<ServerState>,
    names: Data<Names>,
    call: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let answer = mia(&state, &names, call.head()).await;
    skip(call.head(), body).await;
    answer
}

/// For nginx, Traefik, Caddy and others.
pub(super) async fn forward_auth(
    state: Data<ServerState>,
    names: Data<Names>,
    call: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let answer = others(&state, &names, call.head()).await;
    skip(call.head(), body).await;
    answer
}

/// The answer of [`auth`], unless there is something to wait for.
pub(super) fn auth_at_once(
    state: &ServerState,
    names: &Names,
    call: &RequestHead,
) -> Option<HttpResponse> {
    if announces_body(call) { None } else { mia(state, names, call).now_or_never() }
}

/// The answer of [`forward_auth`], unless there is something to wait for.
pub(super) fn forward_auth_at_once(
    state: &ServerState,
    names: &Names,
    call: &RequestHead,
) -> Option<HttpResponse> {
    if announces_body(call) { None } else { others(state, names, call).now_or_never() }
}

async fn mia(state: &ServerState, names: &Names, call: &RequestHead) -> HttpResponse {
    let gateways = &state.config().gateways;
    let source = match gateways.auth {
        AuthSource::Mia => Source::Headers(&MIA),
        AuthSource::Path => Source::Call { route: &names.auth_route },
    };

    let request = original::request(call, &source);
    let request = request.and_then(|request| names.told(call, request));
    let nobody = |answer| with(answer, &names.mia, &Identity::NOBODY);
    match decide(state, call, request).await {
        Ok(decision) => yes(&decision, &names.mia, &gateways.properties),
        Err(no) if !gateways.strict && no.status().is_client_error() => nobody(empty()),
        Err(no) => nobody(HttpResponse::from_error(no)),
    }
}

async fn others(state: &ServerState, names: &Names, call: &RequestHead) -> HttpResponse {
    let source = match state.config().gateways.forward_auth {
        ForwardAuthSource::Forwarded => Source::Headers(&FORWARDED),
        ForwardAuthSource::Original => Source::Headers(&ORIGINAL),
    };

    match decide(state, call, original::request(call, &source)).await {
        Ok(decision) => yes(&decision, &names.others, &[]),
        Err(no) => HttpResponse::from_error(no),
    }
}

async fn decide(
    state: &ServerState,
    call: &RequestHead,
    request: Result<Request<'_>, Unclear<'_>>,
) -> Result<Decision, Refusal> {
    let caller = || origin::caller(call, &state.config().listen.trusted_proxies);
    let token = bearer::sole_token(call.headers());
    match request {
        Ok(request) => decision::decide(state, &request, token, caller).await,
        Err(Unclear { header }) => Err(decision::deny_unclear(state, header, caller)),
    }
}

/// The answer begins when the body is over, because a connection with a body that was not read to
/// its end must be closed. A body that was announced and does not come is not waited for.
async fn skip(call: &RequestHead, mut body: Payload) {
    // What follows these is no body.
    let switches = call.method == Method::CONNECT || call.headers().contains_key(UPGRADE);
    if announces_body(call) && !switches {
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        let _ = tokio::time::timeout(PATIENCE, rest).await;
    }
}

fn announces_body(call: &RequestHead) -> bool {
    let headers = call.headers();
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn yes(
    decision: &Decision,
    names: &[(AnswerHeader, HeaderName)],
    properties: &[String],
) -> HttpResponse {
    let claims = decision.token.as_ref().map(LiveToken::claims);
    with(empty(), names, &Identity { allowed: true, claims, properties })
}

fn empty() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish()
}

/// With every header that says who asks: a gateway may pass on what its client sent in one that is
/// not there.
fn with(
    mut answer: HttpResponse,
    names: &[(AnswerHeader, HeaderName)],
    identity: &Identity<'_>,
) -> HttpResponse {
    for (header, name) in names {
        answer.headers_mut().insert(name.clone(), names::value(identity, *header));
    }
    answer
}
