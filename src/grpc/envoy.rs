//! What Envoy asks over gRPC, decided and refused as over HTTP.

use std::time::Instant;

use async_trait::async_trait;

use crate::domain::error_code::ErrorCode;
use crate::domain::resource::ProtectedResource;
use crate::oauth::bearer;
use crate::oauth::tokeninfo::LiveToken;
use crate::policy::gatekeeper::{Verdict, Why};
use crate::policy::{AnswerHeader, Identity};
use crate::telemetry::{RequestLabels, Status};
use crate::web::refusal::{Refusal, Written, oauth};
use crate::web::{ServerState, state, verdict};

use super::{Answer, Asked, Gate, Refused};

/// The name of the route in the metrics.
const ROUTE: &str = "envoy.service.auth.v3.Authorization/Check";

#[async_trait]
impl Gate for ServerState {
    async fn ask(&self, asked: Asked<'_>) -> Answer {
        let started = Instant::now();
        let judged = judge(self, asked).await;

        let status = judged.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
        let labels = RequestLabels { route: ROUTE, status: Status(status) };
        let seconds = started.elapsed().as_secs_f64();
        self.metrics().requests.get_or_create(&labels).observe(seconds);
        tracing::debug!(route = ROUTE, status, duration_ms = seconds * 1000.0, "answered");
        match judged {
            Ok(verdict) => Answer::Pass(identity(self, &verdict)),
            Err(refusal) => Answer::Refuse(refused(&refusal)),
        }
    }

    fn is_ready(&self) -> bool {
        ServerState::is_ready(self)
    }
}

async fn judge(state: &ServerState, asked: Asked<'_>) -> Result<Verdict, Refusal> {
    if asked.header_size > state.config().settings.header_limit {
        return Err(Refusal::new(ErrorCode::HeaderTooLarge, "the request header is too large"));
    }
    let app = state.app().ok_or_else(state::starting)?;
    let judged = match asked.question {
        Some(question) => {
            let token = bearer::sole_token(asked.authorization);
            app.gatekeeper.judge(&question, token, app.clock.now()).await
        }
        None => Ok(Verdict::at_once(Why::Unclear)),
    };
    let method = asked.question.map(|question| question.method);
    let asked_path = asked.question.map(|question| question.path);
    let asked = verdict::Asked { method, ..verdict::Asked::default() };
    verdict::settle(state, judged, asked).map_err(|no| {
        let path = asked_path.map(|path| path.split('?').next().unwrap_or_default());
        let resource = path.and_then(|path| state.config().gateways.resource_of(path));
        no.about(resource.map(ProtectedResource::metadata_url))
    })
}

fn identity(state: &ServerState, verdict: &Verdict) -> Vec<(String, String)> {
    let claims = verdict.token.as_ref().map(LiveToken::claims);
    let identity = Identity { allowed: true, claims, properties: &[] };
    let names = &state.config().gateways.headers;
    let said =
        |header: AnswerHeader| (names.name(header).to_owned(), identity.value(header).into_owned());
    AnswerHeader::OF_OTHERS.into_iter().map(said).collect()
}

fn refused(refusal: &Refusal) -> Refused {
    let Written { status, headers, body } = oauth::write(refusal);
    let headers = headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    Refused { status: status.as_u16(), headers, body }
}
