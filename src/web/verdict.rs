//! What a verdict about a request of a gateway is to the log, to the metrics and to who asked: the
//! same however it was asked.

use crate::domain::error_code::ErrorCode;
use crate::domain::printable;
use crate::domain::store_error::StoreError;
use crate::oauth::error::TokenFault;
use crate::policy::Reason;
use crate::policy::gatekeeper::{Answer, Verdict, Why};
use crate::telemetry::DecisionLabels;

use super::ServerState;
use super::refusal::Refusal;

/// What the log says of the question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked<'a> {
    /// The method of the original request, if that is clear.
    pub(crate) method: Option<&'a str>,
    /// The header because of which it is not.
    pub(crate) header: Option<&'a str>,
    /// The client, where it is named and no token shows it.
    pub(crate) client_id: Option<&'a str>,
}

/// Counts a verdict. Only a yes remains; a no is logged and becomes what the caller is told, and so
/// does trouble.
pub(crate) fn settle(
    state: &ServerState,
    judged: Result<Verdict, StoreError>,
    asked: Asked<'_>,
) -> Result<Verdict, Refusal> {
    let verdict = note(state, judged, asked)?;
    match verdict.why.answer() {
        Answer::Yes => Ok(verdict),
        answer @ (Answer::Unauthorized | Answer::Forbidden) => Err(refusal(&verdict, answer)),
    }
}

/// Counts a verdict, and logs a no. Trouble becomes what the caller is told.
pub(crate) fn note(
    state: &ServerState,
    judged: Result<Verdict, StoreError>,
    asked: Asked<'_>,
) -> Result<Verdict, Refusal> {
    let count = |answer, reason| {
        state.metrics().decisions.get_or_create(&DecisionLabels { answer, reason }).inc();
    };
    let verdict = judged.map_err(|error| {
        count("unavailable", "store");
        TokenFault::from(error)
    })?;
    if verdict.why == Why::Policy(Reason::Permitted) {
        state.metrics().permitted.inc(); // without a look into the family
        return Ok(verdict);
    }
    count(verdict.why.answer().as_str(), verdict.why.as_str());
    log(&verdict, asked);
    Ok(verdict)
}

fn log(verdict: &Verdict, asked: Asked<'_>) {
    let shown = verdict.token.as_ref().map(|live| live.claims().client_id.as_str());
    let client_id = shown.or(asked.client_id).map(|id| begun(id, 128));
    let fault = verdict.fault.as_ref().map(|fault| printable::ascii(&fault.to_string()));
    let method = asked.method.map(|method| begun(method, 16));
    tracing::info!(
        reason = %verdict.why,
        cause = fault,
        rule = verdict.rule.as_deref(),
        method,
        header = asked.header,
        client_id,
        "denied"
    );
}

/// What somebody wrote who might like to fill the log: its first characters.
fn begun(text: &str, most: usize) -> String {
    printable::ascii(&text.chars().take(most).collect::<String>())
}

/// Whoever has no good token is told the same, whatever the policy says.
fn refusal(verdict: &Verdict, answer: Answer) -> Refusal {
    match (answer, &verdict.fault, &verdict.token) {
        (Answer::Yes | Answer::Forbidden, ..) => {
            Refusal::new(ErrorCode::AccessDenied, "this request is not permitted")
        }
        (Answer::Unauthorized, Some(fault), _) => Refusal::new(fault.code(), fault.description()),
        (Answer::Unauthorized, None, None) => {
            Refusal::new(ErrorCode::MissingToken, TokenFault::Missing.description())
        }
        (Answer::Unauthorized, None, Some(_)) => {
            Refusal::new(ErrorCode::MissingToken, "no rule covers this request")
        }
    }
}
