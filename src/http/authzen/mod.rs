//! OpenID AuthZEN, [Authorization API 1.0](https://openid.net/specs/authorization-api-1_0.html):
//! may this client do that? Asked by whoever enforces the answer.

mod question;

use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::{Value, json};

use crate::assembly::App;
use crate::domain::permission::DECIDE;
use crate::policy::gatekeeper::{Answer, Question, Subject, Verdict, Why};
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::verdict::{self, Asked};
use crate::web::{ServerState, bearer, body, json};

use super::oauth::well_known;

use question::{Batch, Malformed, Semantic, Sent};

/// Echoed, as the binding to HTTPS wants it: who asks tells its requests apart by it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One question: §6.
pub(super) async fn evaluation(
    app: Result<Running, Refusal>,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let answer = async {
        let app = app?;
        let asked = asked(&app, &request, payload).await?;
        one(&state, &app, &asked).await
    };
    echoing(&request, answer.await)
}

/// Several at once: §7. Without any it is as one question.
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
            Some(batch) => several(&state, &app, &batch).await,
            None => one(&state, &app, &asked).await,
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

async fn one(state: &ServerState, app: &App, asked: &Value) -> Result<Value, Refusal> {
    let sent = Sent::read(asked, &Value::Null)?;
    Ok(shown(&judge(state, app, &sent).await?))
}

async fn several(state: &ServerState, app: &App, batch: &Batch<'_>) -> Result<Value, Refusal> {
    let mut answers = Vec::new();
    for sent in &batch.evaluations {
        let (answer, shown) = match sent {
            Ok(sent) => {
                let verdict = judge(state, app, sent).await?;
                (verdict.why.answer(), shown(&verdict))
            }
            Err(malformed) => (Answer::Forbidden, error(malformed)),
        };
        answers.push(shown);
        match (batch.semantic, answer) {
            (Semantic::DenyOnFirstDeny, Answer::Unauthorized | Answer::Forbidden)
            | (Semantic::PermitOnFirstPermit, Answer::Yes) => break,
            (Semantic::DenyOnFirstDeny, Answer::Yes)
            | (Semantic::PermitOnFirstPermit, Answer::Unauthorized | Answer::Forbidden)
            | (Semantic::ExecuteAll, _) => {}
        }
    }
    Ok(json!({ "evaluations": answers }))
}

async fn judge(state: &ServerState, app: &App, sent: &Sent<'_>) -> Result<Verdict, Refusal> {
    let judged = match (sent.subject, sent.path) {
        (None, _) => Ok(Verdict::at_once(Why::UnknownSubject)),
        (_, None) => Ok(Verdict::at_once(Why::UnknownResource)),
        (Some(subject), Some(path)) => {
            let question = Question {
                method: sent.method,
                path,
                client_type: sent.client_type,
                backoffice: sent.backoffice,
            };
            app.gatekeeper.judge_subject(&question, subject, app.clock.now()).await
        }
    };
    let client_id = sent.subject.and_then(Subject::client_id);
    verdict::note(state, judged, Asked { method: Some(sent.method), header: None, client_id })
}

/// A yes has no context: who does not understand one may take it for a no, §5.5.
fn shown(verdict: &Verdict) -> Value {
    let why = verdict.why;
    match why.answer() {
        Answer::Yes => json!({ "decision": true }),
        Answer::Unauthorized | Answer::Forbidden => json!({
            "decision": false,
            "context": { "reason": why.as_str(), "reason_admin": { "en": why.to_string() } },
        }),
    }
}

/// §7.2.1: what is wrong with one question concerns that one.
fn error(malformed: &Malformed) -> Value {
    let error = json!({ "status": 400, "message": malformed.to_string() });
    json!({ "decision": false, "context": { "error": error } })
}

fn echoing(request: &HttpRequest, answer: Result<Value, Refusal>) -> HttpResponse {
    let mut response = match answer {
        Ok(answer) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer),
        Err(refusal) => refusal.error_response(),
    };
    let mut sent = request.headers().get_all(&REQUEST_ID);
    if let (Some(id), None) = (sent.next(), sent.next()) {
        response.headers_mut().insert(REQUEST_ID, HeaderValue::clone(id));
    }
    response
}
