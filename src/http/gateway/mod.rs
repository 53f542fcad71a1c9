//! `/auth` and `/forward-auth`: may this request pass? Asked by gateways about requests of theirs.

mod names;
mod original;

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use futures_util::StreamExt;

use crate::config::{AuthSource, ForwardAuthSource};
use crate::domain::resource::ProtectedResource;
use crate::oauth::tokeninfo::LiveToken;
use crate::policy::gatekeeper::{Question, Verdict, Why};
use crate::policy::{AnswerHeader, Identity};
use crate::web::refusal::Refusal;
use crate::web::verdict::{self, Asked};
use crate::web::{ServerState, bearer, state};

use original::{FORWARDED, MIA, ORIGINAL, Original, Source, Unclear};

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
    let gateways = &state.config().gateways;
    let source = match gateways.auth {
        AuthSource::Mia => Source::Headers(&MIA),
        AuthSource::Path => Source::Call { route: &names.auth_route },
    };

    let question = Original::of(&call, &source).and_then(|original| names.told(&call, original));
    let judged = judge(&state, &call, question).await;
    skip(&call, body).await;

    let nobody = |answer| with(answer, &names.mia, &Identity::NOBODY);
    match judged {
        Ok(verdict) => yes(&verdict, &names.mia, &gateways.properties),
        Err(no) if !gateways.strict && no.status_code().is_client_error() => nobody(empty()),
        Err(no) => nobody(no.error_response()),
    }
}

/// For nginx, Traefik, Caddy and others.
pub(super) async fn forward_auth(
    state: Data<ServerState>,
    names: Data<Names>,
    call: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let source = match state.config().gateways.forward_auth {
        ForwardAuthSource::Forwarded => Source::Headers(&FORWARDED),
        ForwardAuthSource::Original => Source::Headers(&ORIGINAL),
    };

    let question = Original::of(&call, &source).map(Original::untold);
    let judged = judge(&state, &call, question).await;
    skip(&call, body).await;

    match judged {
        Ok(verdict) => yes(&verdict, &names.others, &[]),
        Err(no) => no.error_response(),
    }
}

async fn judge(
    state: &ServerState,
    call: &HttpRequest,
    question: Result<Question<'_>, Unclear<'_>>,
) -> Result<Verdict, Refusal> {
    let app = state.app().ok_or_else(state::starting)?;
    let resource = |path| state.config().gateways.resource_of(path);
    let mut metadata = None;
    let (judged, asked) = match question {
        Ok(question) => {
            metadata = resource(question.path);
            let token = bearer::sole_token(call);
            let judged = app.gatekeeper.judge(&question, token, app.clock.now()).await;
            (judged, Asked { method: Some(question.method), ..Asked::default() })
        }
        Err(Unclear { header }) => {
            (Ok(Verdict::at_once(Why::Unclear)), Asked { header, ..Asked::default() })
        }
    };
    let settled = verdict::settle(state, judged, asked);
    settled.map_err(|no| no.about(metadata.map(ProtectedResource::metadata_url)))
}

/// The answer begins when the body is over, because a connection with a body that was not read to
/// its end must be closed. A body that was announced and does not come is not waited for.
async fn skip(call: &HttpRequest, mut body: Payload) {
    let headers = call.headers();
    let is_announced =
        headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    // What follows these is no body.
    let switches = call.method() == Method::CONNECT || headers.contains_key(UPGRADE);
    if is_announced && !switches {
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        let _ = tokio::time::timeout(PATIENCE, rest).await;
    }
}

fn yes(
    verdict: &Verdict,
    names: &[(AnswerHeader, HeaderName)],
    properties: &[String],
) -> HttpResponse {
    let claims = verdict.token.as_ref().map(LiveToken::claims);
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
