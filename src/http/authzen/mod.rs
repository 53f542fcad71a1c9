//! OpenID AuthZEN, [Authorization API 1.0](https://openid.net/specs/authorization-api-1_0.html):
//! may this client do that? Asked by whoever enforces the answer.

mod evaluation;

use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::assembly::App;
use crate::domain::permission::DECIDE;
use crate::policy::{Decision, Reason, Subject};
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer, body, decision, json, origin};

use super::oauth::well_known;

use evaluation::{Batch, Evaluation, Malformed, Semantic};

/// Echoed, as the binding to HTTPS wants it: who asks tells its requests apart by it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One evaluation: §6.
pub(super) async fn evaluation(
    app: Result<Running, Refusal>,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let answer = async {
        let app = app?;
        let asked = asked(&app, &request, payload).await?;
        one(&state, &app, &request, &asked).await
    };
    echoing(&request, answer.await)
}

/// Several at once: §7. Without any it is as one evaluation.
pub(super) async fn evaluations(
    app: Result<Running, Refusal>,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let answer = async {
        let app = app?;
        let asked = asked(&app, &request, payload).await?;
        match Batch::of(&asked)? {
            Some(batch) => several(&state, &app, &request, &batch).await,
            None => one(&state, &app, &request, &asked).await,
        }
    };
    echoing(&request, answer.await)
}

/// What clients need to know: §9.
pub(super) async fn configuration(app: Running) -> HttpResponse {
    let config = &app.config;
    let is_url = well_known::is_url(&config.issuer);
    well_known::open(&mut HttpResponse::Ok()).json(json!({
        "policy_decision_point": if is_url { &config.issuer } else { config.root() },
        "access_evaluation_endpoint": config.url("/access/v1/evaluation"),
        "access_evaluations_endpoint": config.url("/access/v1/evaluations"),
    }))
}

/// What is asked, if the caller may.
async fn asked(app: &App, request: &HttpRequest, payload: web::Payload) -> Result<Value, Refusal> {
    bearer::asker(app, request, DECIDE).await?;
    Ok(json::object(&body::read(request, payload, json::MEDIA_TYPE).await?)?)
}

async fn one(
    state: &ServerState,
    app: &App,
    request: &HttpRequest,
    asked: &Value,
) -> Result<Value, Refusal> {
    let evaluation = Evaluation::read(asked, &Value::Null)?;
    Ok(shown(&decide(state, app, request, &evaluation).await?))
}

async fn several(
    state: &ServerState,
    app: &App,
    request: &HttpRequest,
    batch: &Batch<'_>,
) -> Result<Value, Refusal> {
    let mut answers = Vec::new();
    for evaluation in &batch.evaluations {
        let (is_allowed, shown) = match evaluation {
            Ok(evaluation) => {
                let decision = decide(state, app, request, evaluation).await?;
                (decision.is_allowed(), shown(&decision))
            }
            Err(malformed) => (false, error(malformed)),
        };
        answers.push(shown);
        let is_over = match batch.semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !is_allowed,
            Semantic::PermitOnFirstPermit => is_allowed,
        };
        if is_over {
            break;
        }
    }
    Ok(json!({ "evaluations": answers }))
}

async fn decide(
    state: &ServerState,
    app: &App,
    call: &HttpRequest,
    evaluation: &Evaluation<'_>,
) -> Result<Decision, Refusal> {
    let Evaluation { subject, is_route, request } = evaluation;
    let decided = match subject {
        None => Ok(Reason::UnknownSubject.into()),
        Some(_) if !is_route => Ok(Reason::UnknownResource.into()),
        Some(subject) => app.gatekeeper.decide_for(*subject, request, app.clock.now()).await,
    };
    let caller = || origin::caller(call.head(), &app.config.listen.trusted_proxies);
    let client_id = subject.and_then(Subject::client_id);
    decision::note(state, decided, request, client_id, caller).map(|(decision, _)| decision)
}

/// A yes has no context: a caller that does not understand one may take it for a no, §5.5.
fn shown(decision: &Decision) -> Value {
    if decision.is_allowed() {
        return json!({ "decision": true });
    }
    let reason = decision.reason;
    json!({
        "decision": false,
        "context": { "reason": reason.as_str(), "reason_admin": { "en": reason.to_string() } },
    })
}

/// §7.2.1: what is wrong with one evaluation concerns that one.
fn error(malformed: &Malformed) -> Value {
    let error = json!({ "status": 400, "message": malformed.to_string() });
    json!({ "decision": false, "context": { "error": error } })
}

fn echoing(request: &HttpRequest, answer: Result<Value, Refusal>) -> HttpResponse {
    let mut response = match answer {
        Ok(answer) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer),
        Err(refusal) => HttpResponse::from_error(refusal),
    };
    let mut sent = request.headers().get_all(&REQUEST_ID);
    if let (Some(id), None) = (sent.next(), sent.next()) {
        response.headers_mut().insert(REQUEST_ID, HeaderValue::clone(id));
    }
    response
}
