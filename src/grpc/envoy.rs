//! What Envoy asks over gRPC, decided and refused as over HTTP.

use std::time::Instant;

use async_trait::async_trait;

use crate::domain::error_code::ErrorCode;
use crate::oauth::bearer;
use crate::oauth::tokeninfo::LiveToken;
use crate::policy::{AnswerHeader, Decision, Identity};
use crate::telemetry::{RequestLabels, Status};
use crate::web::refusal::{Refusal, Written, oauth};
use crate::web::{ServerState, decision};

use super::{Answer, Asked, Gate, Refused};

/// The name of the route in the metrics.
const ROUTE: &str = "envoy.service.auth.v3.Authorization/Check";

#[async_trait]
impl Gate for ServerState {
    async fn ask(&self, asked: Asked<'_>) -> Answer {
        let started = Instant::now();
        let decided = decide(self, asked).await;

        let status = decided.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
        let labels = RequestLabels { route: ROUTE, status: Status(status) };
        let seconds = started.elapsed().as_secs_f64();
        self.metrics().requests.get_or_create(&labels).observe(seconds);
        tracing::debug!(route = ROUTE, status, duration_ms = seconds * 1000.0, "answered");
        match decided {
            Ok(decision) => Answer::Pass(identity(self, &decision)),
            Err(refusal) => Answer::Refuse(refused(&refusal)),
        }
    }

    fn is_ready(&self) -> bool {
        ServerState::is_ready(self)
    }
}

async fn decide(state: &ServerState, asked: Asked<'_>) -> Result<Decision, Refusal> {
    if asked.header_size > state.config().settings.header_limit {
        return Err(Refusal::new(ErrorCode::HeaderTooLarge, "the request header is too large"));
    }
    let Some(request) = asked.request else { return Err(decision::deny_unclear(state, None)) };
    decision::decide(state, &request, bearer::sole_token(asked.authorization)).await
}

fn identity(state: &ServerState, decision: &Decision) -> Vec<(String, String)> {
    let claims = decision.token.as_ref().map(LiveToken::claims);
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
