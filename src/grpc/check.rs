//! `Check`: one request of the gateway's client, read and answered.

use tonic::Code;

use crate::policy::Request;

use super::messages::{
    CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue,
    HeaderValueOption, HttpRequest, HttpResponse, HttpStatus, OkHttpResponse, Status,
};
use super::{Answer, Asked, Gate, Refused};

/// How many dashes a name may have for all of its lookalikes to be removed.
const MANY: usize = 5;

/// What the gate says, as Envoy takes it.
pub(super) async fn answer(gate: &dyn Gate, request: &CheckRequest) -> CheckResponse {
    let http = request.attributes.as_ref();
    let http = http.and_then(|about| about.request.as_ref()?.http.as_ref());

    // Also of trouble on our side a denial and no error of gRPC: an Envoy that was told to let
    // requests pass when it gets no answer must not take this for none.
    match gate.ask(asked(http)).await {
        Answer::Pass(headers) => pass(headers),
        Answer::Refuse(refused) => refuse(refused),
    }
}

fn asked(http: Option<&HttpRequest>) -> Asked<'_> {
    Asked {
        // Nothing that a client can send makes it one of the back office, or of a kind.
        request: http.map(|http| Request::new(&http.method, &http.path)),
        authorization: http.map(authorization).unwrap_or_default(),
        header_size: http.map_or(0, header_size),
    }
}

/// The `Authorization` headers, from whichever of the two forms Envoy was told to send.
fn authorization(http: &HttpRequest) -> Vec<&[u8]> {
    let named = |name: &str| name.eq_ignore_ascii_case("authorization");
    let joined = http.headers.iter().filter(|(name, _)| named(name));
    let single = http.header_map.iter().flat_map(|map| &map.headers).filter(|it| named(&it.key));
    joined.map(|(_, value)| value.as_bytes()).chain(single.map(value)).collect()
}

/// The value of a header that is sent by itself; as text, or as bytes.
fn value(header: &HeaderValue) -> &[u8] {
    if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
}

fn header_size(http: &HttpRequest) -> usize {
    let joined = http.headers.iter().map(|(name, value)| name.len() + value.len());
    let single = http.header_map.iter().flat_map(|map| &map.headers);
    let single = single.map(|header| header.key.len() + value(header).len());
    http.path.len() + joined.chain(single).sum::<usize>()
}

fn pass(headers: Vec<(String, String)>) -> CheckResponse {
    let lookalikes = headers.iter().flat_map(|(name, _)| lookalikes(name)).collect();
    let ok = OkHttpResponse {
        headers: headers.into_iter().map(overwrite).collect(),
        headers_to_remove: lookalikes,
    };
    response(Code::Ok, HttpResponse::Ok(ok))
}

fn refuse(refused: Refused) -> CheckResponse {
    let code = match refused.status {
        401 => Code::Unauthenticated,
        500.. => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: refused.status.into() }),
        headers: refused.headers.into_iter().map(overwrite).collect(),
        body: refused.body,
    };
    response(code, HttpResponse::Denied(denied))
}

fn response(code: Code, http: HttpResponse) -> CheckResponse {
    CheckResponse { status: Some(Status { code: code.into() }), http_response: Some(http) }
}

/// In place of what the client may have sent under that name, also where there is nothing to say.
fn overwrite((name, value): (String, String)) -> HeaderValueOption {
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
