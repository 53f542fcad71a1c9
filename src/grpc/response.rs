//! What Envoy is answered: a decision, or a refusal, as it takes them.

use tonic::Code;

use crate::oauth::tokeninfo::LiveToken;
use crate::policy::{AnswerHeader, AnswerHeaders, Decision, Identity};
use crate::web::refusal::{Refusal, Written, oauth};

use super::messages::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue, HeaderValueOption,
    HttpResponse, HttpStatus, OkHttpResponse, Status,
};

/// How many dashes a name may have for all of its lookalikes to be removed.
const MANY: usize = 5;

/// The request passes, with headers that say who asks.
pub(super) fn pass(decision: &Decision, names: &AnswerHeaders) -> CheckResponse {
    let claims = decision.token.as_ref().map(LiveToken::claims);
    let identity = Identity { allowed: true, claims, properties: &[] };
    let headers = AnswerHeader::OF_OTHERS.map(|header| (names.name(header), header));
    let ok = OkHttpResponse {
        headers: headers
            .iter()
            .map(|(name, header)| {
                overwrite((*name).to_owned(), identity.value(*header).into_owned())
            })
            .collect(),
        headers_to_remove: headers.iter().flat_map(|(name, _)| lookalikes(name)).collect(),
    };
    response(Code::Ok, HttpResponse::Ok(ok))
}

/// The client of Envoy is sent the refusal.
pub(super) fn deny(refusal: &Refusal) -> CheckResponse {
    let Written { status, headers, body } = oauth::write(refusal);
    let status = status.as_u16();
    let code = match status {
        401 => Code::Unauthenticated,
        500.. => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let headers = headers.into_iter();
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: headers.map(|(name, value)| overwrite(name.to_string(), value)).collect(),
        body,
    };
    response(code, HttpResponse::Denied(denied))
}

fn response(code: Code, http: HttpResponse) -> CheckResponse {
    CheckResponse { status: Some(Status { code: code.into() }), http_response: Some(http) }
}

/// In place of what the client may have sent under that name, also where there is nothing to say.
fn overwrite(name: String, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name, value, ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        keep_empty_value: true,
    }
}

/// The names that many back ends take for this one: those with `_` for some of its dashes. A name
/// with many dashes has too many of them; of these, the one without a dash.
fn lookalikes(name: &str) -> impl Iterator<Item = String> {
    let dashes = name.matches('-').count();
    let (first, last) = if dashes <= MANY { (1, (1 << dashes) - 1) } else { (u32::MAX, u32::MAX) };
    (first..=last).map(move |replaced| {
        let mut dash = 0;
        let spelled = name.chars().map(|c| {
            if c != '-' {
                return c;
            }
            dash += 1;
            if replaced.checked_shr(dash - 1).is_none_or(|bits| bits & 1 == 1) { '_' } else { '-' }
        });
        spelled.collect()
    })
}
