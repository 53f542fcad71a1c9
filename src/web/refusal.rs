//! Every refusal: the status, the headers it demands and the body, in one function.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;

use crate::clients::error::ClientsError;
use crate::domain::error_code::ErrorCode;
use crate::domain::printable::message;
use crate::oauth::error::{OAuthError, TokenFault};

/// What a caller is told when it is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: ErrorCode,
    description: String,
    allow: Option<String>,
    accepted: Vec<(HeaderName, String)>,
    retry_after: Option<Duration>,
    resource_metadata: Option<String>,
}

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

impl Refusal {
    pub(crate) fn new(code: ErrorCode, description: &str) -> Self {
        Self {
            code,
            description: printable(description),
            allow: None,
            accepted: Vec::new(),
            retry_after: None,
            resource_metadata: None,
        }
    }

    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let description = format!("allowed methods: {allow}");
        let refusal = Self::new(ErrorCode::MethodNotAllowed, &description);
        Self { allow: Some(allow.to_owned()), ..refusal }
    }

    /// The same about a request for a resource whose metadata is there: RFC 9728 §5.1.
    pub(crate) fn about(self, resource_metadata: Option<String>) -> Self {
        Self { resource_metadata, ..self }
    }

    /// The same, with a header that says what would be accepted.
    pub(crate) fn accepting(mut self, name: HeaderName, value: &str) -> Self {
        self.accepted.push((name, value.to_owned()));
        self
    }

    /// The headers that the status demands: RFC 9110 §15.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, String)> {
        let mut headers = vec![(CACHE_CONTROL, "no-store".to_owned())];
        headers.extend(self.challenge().map(|challenge| (WWW_AUTHENTICATE, challenge)));
        let unless_known = match self.code {
            ErrorCode::TemporarilyUnavailable => Some(1),
            ErrorCode::TooManyRequests => Some(60),
            _ => None,
        };
        headers.extend(unless_known.map(|seconds| {
            let wait = self.retry_after.map_or(seconds, whole_seconds);
            (RETRY_AFTER, wait.to_string())
        }));
        headers.extend(self.allow.clone().map(|allow| (ALLOW, allow)));
        headers.extend(self.accepted.iter().cloned());
        headers
    }

    /// The body, as JSON.
    pub(crate) fn body(&self) -> impl Serialize {
        Body {
            code: self.code.as_str(),
            description: &self.description,
            status_code: self.status_code().as_u16(),
            message: &self.description,
        }
    }

    fn challenge(&self) -> Option<String> {
        let challenge = self.challenge_of_code()?;
        Some(match &self.resource_metadata {
            Some(url) if self.status_code() == StatusCode::UNAUTHORIZED => {
                format!(r#"{challenge}, resource_metadata="{url}""#)
            }
            _ => challenge,
        })
    }

    fn challenge_of_code(&self) -> Option<String> {
        match self.code {
            ErrorCode::InvalidClient => {
                Some(r#"Basic realm="latchkey", charset="UTF-8""#.to_owned())
            }
            ErrorCode::MissingToken => Some(r#"Bearer realm="latchkey""#.to_owned()),
            ErrorCode::InvalidToken | ErrorCode::InsufficientScope => {
                let (code, description) = (self.code.as_str(), &self.description);
                Some(format!(
                    r#"Bearer realm="latchkey", error="{code}", error_description="{description}""#
                ))
            }
            _ => None,
        }
    }
}

/// Rounded up: whoever comes back earlier is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The characters that RFC 6749 §5.2 allows in a description, and as many as may be.
pub(crate) fn printable(text: &str) -> String {
    message(text)
        .chars()
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::AccessDenied | ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ErrorCode::InvalidClient | ErrorCode::InvalidToken | ErrorCode::MissingToken => {
            StatusCode::UNAUTHORIZED
        }
        ErrorCode::InvalidClientMetadata
        | ErrorCode::InvalidRequest
        | ErrorCode::InvalidScope
        | ErrorCode::InvalidTarget
        | ErrorCode::UnauthorizedClient
        | ErrorCode::UnsupportedGrantType => StatusCode::BAD_REQUEST,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        status(self.code)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for header in self.headers() {
            response.insert_header(header);
        }
        response.json(self.body())
    }
}

impl Responder for Refusal {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

/// The log is told everything, once, here; the caller what it may know.
fn refused(
    code: ErrorCode,
    description: &str,
    reason: &dyn std::error::Error,
    has_failed: bool,
) -> Refusal {
    let (error, cause) = (code.as_str(), reason.source());
    // A reason may quote the caller, who might like to write a line of the log.
    let reason = printable(&reason.to_string());
    if has_failed {
        tracing::error!(error, reason, cause = ?cause, "failed");
    } else {
        tracing::info!(error, reason, "refused");
    }
    Refusal::new(code, description)
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        let (code, retry_after) = (error.code(), error.retry_after());
        let has_failed = status(code).is_server_error() && !error.is_crowd();
        Self { retry_after, ..refused(code, &error.description(), &error, has_failed) }
    }
}

impl From<ClientsError> for Refusal {
    fn from(error: ClientsError) -> Self {
        let (code, retry_after) = (error.code(), error.retry_after());
        let has_failed = status(code).is_server_error() && !error.is_crowd();
        Self { retry_after, ..refused(code, &error.description(), &error, has_failed) }
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        let has_failed = status(fault.code()).is_server_error();
        refused(fault.code(), fault.description(), &fault, has_failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::authenticate::{Limit, Throttled};

    /// RFC 9110 §10.2.3: in whole seconds.
    #[test]
    fn a_refusal_says_when_to_come_back() {
        let throttled = |millis| {
            let wait = Duration::from_millis(millis);
            Throttled { limit: Limit::Address, wait }
        };
        #[rustfmt::skip]
        let cases = [
            // why                       refusal                                                  Retry-After
            ("a while",                  Refusal::from(OAuthError::Throttled(throttled(7200))),   Some("8")),
            ("a moment",                 Refusal::from(OAuthError::Throttled(throttled(20))),     Some("1")),
            ("a queue",                  Refusal::from(ClientsError::Busy(<_>::default())),      Some("1")),
            ("for now",                  Refusal::new(ErrorCode::TemporarilyUnavailable, ""),     Some("1")),
            ("too often",                Refusal::new(ErrorCode::TooManyRequests, ""),            Some("60")),
            ("for good",                 Refusal::new(ErrorCode::InvalidScope, ""),               None),
        ];
        for (why, refusal, wanted) in cases {
            let headers = refusal.headers();
            let found = headers.iter().find(|(name, _)| name == RETRY_AFTER);
            assert_eq!(found.map(|(_, wait)| wait.as_str()), wanted, "{why}");
        }
    }

    #[test]
    fn rfc6749_s5_2_description_alphabet() {
        let refusal = Refusal::new(ErrorCode::InvalidScope, "a\"b\\c\nd é `e`");
        assert_eq!(refusal.description, "a'b/c/u000ad ? `e`");
    }
}
