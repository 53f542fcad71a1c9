//! What a caller is refused: the reason, and the facts that there are to tell. A dialect writes it,
//! one module each: [`oauth`] is the only one yet.

pub(crate) mod oauth;
mod written;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use tracing::field::display;

use crate::clients::error::ClientsError;
use crate::domain::error_code::ErrorCode;
use crate::domain::printable;
use crate::oauth::error::{OAuthError, TokenFault};

use super::origin::{Caller, LONGEST_ID};

pub(crate) use written::Written;

/// Why a request is refused. It belongs to no protocol: dialects read it, and write it their way.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    /// For people. It may quote the caller.
    pub(crate) description: String,
    /// The methods that are allowed, where another was used.
    pub(crate) allowed_methods: Option<Box<str>>,
    /// What would have been accepted.
    pub(crate) accepted: Vec<Accepted>,
    /// The URL of the metadata of the resource that was asked for.
    pub(crate) resource_metadata: Option<Box<str>>,
    wait: Option<Duration>,
    for_log: Box<ForLog>,
}

/// What the log is told and the caller is not.
#[derive(Debug, Default)]
struct ForLog {
    /// Why; the description, if there is no more to say.
    reason: Option<String>,
    cause: Option<String>,
    has_failed: bool,
    /// Why a client is not who it says, in a word.
    failure: Option<&'static str>,
    /// The id of the request, if the log was told already.
    known_as: Option<String>,
}

/// Who was refused, and where.
#[derive(Debug)]
pub(crate) struct Refused<'a> {
    pub(crate) caller: &'a Caller,
    /// The route as it is documented.
    pub(crate) route: &'a str,
    /// Whoever the caller says it is.
    pub(crate) client_id: Option<&'a str>,
}

/// What would have been accepted instead of the body that was sent.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A body in this content coding.
    ContentCoding(&'static str),
    /// A patch of one of these media types.
    PatchTypes(String),
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, description: &str) -> Self {
        Self {
            code,
            description: description.to_owned(),
            allowed_methods: None,
            accepted: Vec::new(),
            resource_metadata: None,
            wait: None,
            for_log: Box::default(),
        }
    }

    fn because(code: ErrorCode, description: &str, error: &dyn Error) -> Self {
        let mut refusal = Self::new(code, description);
        *refusal.for_log = ForLog {
            reason: Some(error.to_string()),
            cause: error.source().map(|cause| format!("{cause:?}")),
            has_failed: status(code).is_server_error(),
            ..ForLog::default()
        };
        refusal
    }

    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let description = format!("allowed methods: {allowed}");
        let refusal = Self::new(ErrorCode::MethodNotAllowed, &description);
        Self { allowed_methods: Some(allowed.into()), ..refusal }
    }

    /// The same about a request for a resource that has metadata.
    pub(crate) fn about(self, resource_metadata: Option<String>) -> Self {
        Self { resource_metadata: resource_metadata.map(Into::into), ..self }
    }

    /// The same, with what would have been accepted.
    pub(crate) fn accepting(mut self, accepted: Accepted) -> Self {
        self.accepted.push(accepted);
        self
    }

    /// The same, of which the log knows under this id.
    pub(crate) fn logged_as(mut self, request_id: &str) -> Self {
        self.for_log.known_as = Some(request_id.to_owned());
        self
    }

    /// The id under which the log knows of it, if it does.
    pub(crate) fn id_in_log(&self) -> Option<&str> {
        self.for_log.known_as.as_deref()
    }

    /// Why a client is not who it says, if that is the reason.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        self.for_log.failure
    }

    /// Tells the log everything; the caller is told what it may know.
    pub(crate) fn log(&self, refused: &Refused<'_>) {
        let (error, status) = (self.code.as_str(), self.status().as_u16());
        // A reason may quote the caller, who might like to write a line of the log.
        let ForLog { reason, cause, has_failed, .. } = &*self.for_log;
        let reason = printable::ascii(reason.as_ref().unwrap_or(&self.description));
        let cause = cause.as_deref();
        let Refused { caller: Caller { address, request_id }, route, client_id } = *refused;
        let address = address.map(display);
        let client_id = client_id.map(|id| printable::begun(id, LONGEST_ID));
        if *has_failed {
            tracing::error!(
                error, reason, cause, client_id, address, route, status, request_id, "failed"
            );
        } else {
            tracing::info!(
                error, reason, cause, client_id, address, route, status, request_id, "refused"
            );
        }
    }

    /// The HTTP status of the reason.
    pub(crate) fn status(&self) -> StatusCode {
        status(self.code)
    }

    /// In how many seconds the caller may try again, if that would help.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let unless_known = match self.code {
            ErrorCode::TemporarilyUnavailable => 1,
            ErrorCode::TooManyRequests => 60,
            _ => return None,
        };
        Some(self.wait.map_or(unless_known, whole_seconds))
    }
}

/// Rounded up: a caller that comes back earlier is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), printable::ascii(&self.description))
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        let mut refusal = Self::because(error.code(), &error.description(), &error);
        refusal.wait = error.retry_after();
        refusal.for_log.has_failed &= !error.is_crowd();
        if let OAuthError::Client(failure) = error {
            refusal.for_log.failure = Some(failure.into());
        }
        refusal
    }
}

impl From<ClientsError> for Refusal {
    fn from(error: ClientsError) -> Self {
        let mut refusal = Self::because(error.code(), &error.description(), &error);
        refusal.wait = error.retry_after();
        refusal.for_log.has_failed &= !error.is_crowd();
        refusal
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        Self::because(fault.code(), fault.description(), &fault)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::domain::store_error::StoreError;
    use crate::oauth::authenticate::{Limit, Throttled};

    /// The log of a test.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Both are a 503, and only a failure of the store needs attention.
    #[test]
    fn a_crowd_is_no_error_in_the_log_and_a_store_that_fails_is_one() {
        let away = || StoreError::new("away");
        let make: [(&str, &dyn Fn() -> Refusal, &str); 4] = [
            ("a crowd", &|| OAuthError::Busy(<_>::default()).into(), " INFO "),
            ("a crowd of registrations", &|| ClientsError::Busy(<_>::default()).into(), " INFO "),
            ("a store", &|| OAuthError::Store(away()).into(), "ERROR "),
            ("a store of clients", &|| ClientsError::Store(away()).into(), "ERROR "),
        ];
        for (why, make, level) in make {
            let lines = Lines::default();
            let writer = lines.clone();
            let builder = tracing_subscriber::fmt().with_ansi(false).without_time();
            let log = builder.with_writer(move || writer.clone()).finish();
            let caller = Caller { address: None, request_id: "r".to_owned() };
            let refused = Refused { caller: &caller, route: "/", client_id: None };
            let refusal = make();
            tracing::subscriber::with_default(log, || refusal.log(&refused));
            assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE, "{why}");
            let told = String::from_utf8(lines.0.lock().clone()).unwrap();
            assert!(told.starts_with(level) && told.lines().count() == 1, "{why}: {told:?}");
        }
    }

    /// RFC 9110 §10.2.3: in whole seconds.
    #[test]
    fn a_refusal_says_when_to_come_back() {
        let throttled = |millis| {
            let wait = Duration::from_millis(millis);
            Throttled { limit: Limit::Address, wait }
        };
        let busy = |millis| {
            let OAuthError::Busy(mut busy) = OAuthError::Busy(<_>::default()) else {
                unreachable!()
            };
            busy.wait = Duration::from_millis(millis);
            busy
        };
        #[rustfmt::skip]
        let cases = [
            // why                       refusal                                                  seconds
            ("a while",                  Refusal::from(OAuthError::Throttled(throttled(7200))),   Some(8)),
            ("a moment",                 Refusal::from(OAuthError::Throttled(throttled(20))),     Some(1)),
            ("a queue",                  Refusal::from(OAuthError::Busy(busy(7200))),             Some(8)),
            ("a queue of registrations", Refusal::from(ClientsError::Busy(busy(2000))),           Some(2)),
            ("a queue of no known length", Refusal::from(ClientsError::Busy(<_>::default())),     Some(1)),
            ("for now",                  Refusal::new(ErrorCode::TemporarilyUnavailable, ""),     Some(1)),
            ("too often",                Refusal::new(ErrorCode::TooManyRequests, ""),            Some(60)),
            ("for good",                 Refusal::new(ErrorCode::InvalidScope, ""),               None),
        ];
        for (why, refusal, seconds) in cases {
            assert_eq!(refusal.retry_after(), seconds, "{why}");
        }
    }
}
