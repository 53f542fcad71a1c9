//! What a decision about a request of a gateway is to the log, to the metrics and to the caller: the
//! same however it was asked for.

use tracing::field::display;

use crate::domain::error_code::ErrorCode;
use crate::domain::printable::{self, begun};
use crate::domain::resource::ProtectedResource;
use crate::domain::store_error::StoreError;
use crate::oauth::error::TokenFault;
use crate::policy::{Decision, Outcome, Reason, Request};
use crate::telemetry::DecisionLabels;

use super::ServerState;
use super::origin::{Caller, LONGEST_ID};
use super::refusal::Refusal;
use super::state::starting;

/// Decides a request by the token that came with it. Only what may pass remains: a denial is logged
/// and becomes what the caller is told, and so does trouble.
pub(crate) async fn decide(
    state: &ServerState,
    request: &Request<'_>,
    token: Result<&str, TokenFault>,
    caller: impl Fn() -> Caller,
) -> Result<Decision, Refusal> {
    let app = state.app().ok_or_else(starting)?;
    let decided = app.gatekeeper.decide(request, token, app.clock.now()).await;

    let (decision, id) = note(state, decided, request, None, caller)?;
    let Some(id) = id else { return Ok(decision) };
    let path = request.path.split('?').next().unwrap_or_default();
    let resource = state.config().gateways.resource_of(path);
    let refusal = refusal(&decision).logged_as(&id);
    Err(refusal.about(resource.map(ProtectedResource::metadata_url)))
}

/// Denies what cannot be decided: it is not clear what the original request was. The header because
/// of which it is not is logged.
pub(crate) fn deny_unclear(
    state: &ServerState,
    header: Option<&str>,
    caller: impl Fn() -> Caller,
) -> Refusal {
    if state.app().is_none() {
        return starting();
    }
    let decision = Decision::from(Reason::Unclear);
    count(state, label(decision.outcome()), decision.reason.as_str());
    let Caller { address, request_id } = caller();
    let address = address.map(display);
    tracing::info!(reason = %decision.reason, header, address, request_id, "denied");
    refusal(&decision).logged_as(&request_id)
}

/// Counts a decision, and logs a denial, of the client that is named if no token shows it; under which
/// id. Trouble becomes what the caller is told.
pub(crate) fn note(
    state: &ServerState,
    decided: Result<Decision, StoreError>,
    request: &Request<'_>,
    client_id: Option<&str>,
    caller: impl Fn() -> Caller,
) -> Result<(Decision, Option<String>), Refusal> {
    let decision = decided.map_err(|error| {
        count(state, "unavailable", "store");
        TokenFault::from(error)
    })?;
    if decision.is_allowed() {
        state.metrics().permitted.inc(); // without a look into the family
        return Ok((decision, None));
    }
    count(state, label(decision.outcome()), decision.reason.as_str());
    let caller = caller();
    log(&decision, request, client_id, &caller);
    Ok((decision, Some(caller.request_id)))
}

fn count(state: &ServerState, answer: &'static str, reason: &'static str) {
    state.metrics().decisions.get_or_create(&DecisionLabels { answer, reason }).inc();
}

/// The outcome as a label of the metrics.
fn label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "yes",
        Outcome::NotLoggedIn | Outcome::UnknownRoute => "unauthorized",
        Outcome::Forbidden => "forbidden",
    }
}

fn log(decision: &Decision, request: &Request<'_>, client_id: Option<&str>, caller: &Caller) {
    let shown = decision.token.as_ref().map(|live| live.claims().client_id.as_str());
    let client_id = shown.or(client_id).map(|id| begun(id, LONGEST_ID));
    let fault = decision.fault.as_ref().map(|fault| printable::ascii(&fault.to_string()));
    tracing::info!(
        reason = %decision.reason,
        cause = fault,
        rule = decision.rule.as_deref(),
        method = begun(request.method, 16),
        client_id,
        address = caller.address.map(display),
        request_id = caller.request_id,
        "denied"
    );
}

/// Callers without a valid token get the same answer, whatever the policy says.
fn refusal(decision: &Decision) -> Refusal {
    match (decision.outcome(), &decision.fault, &decision.token) {
        (Outcome::Allowed | Outcome::Forbidden, ..) => {
            Refusal::new(ErrorCode::AccessDenied, "this request is not permitted")
        }
        (Outcome::NotLoggedIn | Outcome::UnknownRoute, Some(fault), _) => {
            Refusal::new(fault.code(), fault.description())
        }
        (Outcome::NotLoggedIn | Outcome::UnknownRoute, None, None) => {
            Refusal::new(ErrorCode::MissingToken, TokenFault::Missing.description())
        }
        (Outcome::NotLoggedIn | Outcome::UnknownRoute, None, Some(_)) => {
            Refusal::new(ErrorCode::MissingToken, "no rule covers this request")
        }
    }
}
