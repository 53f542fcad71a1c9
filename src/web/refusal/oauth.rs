//! Refusals in the words of OAuth: RFC 6749 §5.2, with the challenges of RFC 6750 §3.
//!
//! What a handler returns is written so. A door that speaks another dialect has an error type of its
//! own, made from a [`Refusal`], and a `write` like this one.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;

use crate::domain::error_code::ErrorCode;
use crate::domain::printable;

use super::{Accepted, Refusal, Written};

/// RFC 5789 §3.1.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// RFC 6749 §5.2, and beside it what tools of other platforms print.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(rename = "error")]
    code: &'static str,
    #[serde(rename = "error_description")]
    description: &'a str,
    status_code: u16,
    message: &'a str,
}

/// The status, the headers that it demands (RFC 9110 §15) and the body.
pub(crate) fn write(refusal: &Refusal) -> Written {
    let status = refusal.status();
    let description = &printable::ascii(&refusal.description);

    let mut headers = vec![(CACHE_CONTROL, "no-store".to_owned())];
    headers.extend(challenge(refusal, description).map(|challenge| (WWW_AUTHENTICATE, challenge)));
    headers.extend(refusal.retry_after().map(|seconds| (RETRY_AFTER, seconds.to_string())));
    headers.extend(refusal.allowed_methods.iter().map(|methods| (ALLOW, methods.to_string())));
    headers.extend(refusal.accepted.iter().map(|accepted| match accepted {
        Accepted::ContentCoding(coding) => (ACCEPT_ENCODING, (*coding).to_owned()),
        Accepted::PatchTypes(types) => (ACCEPT_PATCH, types.clone()),
    }));
    headers.push((CONTENT_TYPE, "application/json".to_owned()));

    let body = Body {
        code: refusal.code.as_str(),
        description,
        status_code: status.as_u16(),
        message: description,
    };
    // Texts and a number: this does not fail.
    let body = serde_json::to_string(&body).unwrap_or_default();
    Written { status, headers, body }
}

fn challenge(refusal: &Refusal, description: &str) -> Option<String> {
    let code = refusal.code;
    let mut challenge = match code {
        ErrorCode::InvalidClient => r#"Basic realm="latchkey", charset="UTF-8""#.to_owned(),
        ErrorCode::MissingToken => r#"Bearer realm="latchkey""#.to_owned(),
        ErrorCode::InvalidToken | ErrorCode::InsufficientScope => {
            let code = code.as_str();
            format!(r#"Bearer realm="latchkey", error="{code}", error_description="{description}""#)
        }
        _ => return None,
    };
    // RFC 9728 §5.1.
    let url = refusal.resource_metadata.as_ref();
    if let Some(url) = url.filter(|_| refusal.status() == StatusCode::UNAUTHORIZED) {
        challenge = format!(r#"{challenge}, resource_metadata="{url}""#);
    }
    Some(challenge)
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        write(self).into()
    }
}

impl Responder for Refusal {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_s5_2_description_alphabet() {
        let refusal = Refusal::new(ErrorCode::InvalidToken, "a\"b\\c\nd é `e`");
        let Written { headers, body, .. } = write(&refusal);
        let said = "a'b/c/u000ad ? `e`";
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["error_description"], &body["message"]), (&said.into(), &said.into()));
        let challenge = headers.iter().find(|(name, _)| name == WWW_AUTHENTICATE);
        let (_, challenge) = challenge.unwrap();
        assert!(challenge.ends_with(&format!(r#"error_description="{said}""#)), "{challenge}");
    }
}
