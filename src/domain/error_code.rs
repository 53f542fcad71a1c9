//! The error codes that callers see.

use oxide_auth::code_grant::error::AccessTokenErrorType;

/// What a caller is told of whatever is wrong on our side.
pub const CANNOT_ANSWER: &str = "the server cannot answer now";

/// What a caller is told that failed too often: which limit it was would tell what others do.
pub const TOO_MANY_FAILURES: &str = "too many failed attempts; try again later";

/// The `error` member of a refusal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorCode {
    /// The caller may never do this here: RFC 6749 §4.1.2.1, also used for closed registration.
    AccessDenied,
    /// There is already one of that name.
    Conflict,
    /// The token is good, and does not allow this: RFC 6750 §3.1.
    InsufficientScope,
    /// Client authentication failed: RFC 6749 §5.2.
    InvalidClient,
    /// The metadata is not acceptable: RFC 7591 §3.2.2.
    InvalidClientMetadata,
    /// The request is malformed: RFC 6749 §5.2.
    InvalidRequest,
    /// The scope is malformed or not granted: RFC 6749 §5.2.
    InvalidScope,
    /// The audience is not granted: RFC 8707 §2.
    InvalidTarget,
    /// The bearer token is no good: RFC 6750 §3.1.
    InvalidToken,
    /// No bearer token was sent: RFC 6750 §3, which wants no code on the wire.
    MissingToken,
    /// The route knows other methods: RFC 9110 §15.5.6.
    MethodNotAllowed,
    /// There is no such thing.
    NotFound,
    /// The body is over the limit: RFC 9110 §15.5.14.
    ContentTooLarge,
    /// The header is over the limit: RFC 6585 §5.
    HeaderTooLarge,
    /// It is not as the caller takes it to be: RFC 9110 §15.5.13.
    PreconditionFailed,
    /// Our fault.
    ServerError,
    /// Not now; perhaps in a moment.
    TemporarilyUnavailable,
    /// Too often: RFC 6585 §4.
    TooManyRequests,
    /// The client may not use this grant: RFC 6749 §5.2.
    UnauthorizedClient,
    /// There is no such grant here: RFC 6749 §5.2.
    UnsupportedGrantType,
    /// The body is of another type: RFC 9110 §15.5.16.
    UnsupportedMediaType,
}

impl ErrorCode {
    /// The code on the wire. Those of RFC 6749 are spelled by `oxide_auth`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::Conflict => "conflict",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => spelled(&AccessTokenErrorType::InvalidClient),
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidRequest
            | Self::ContentTooLarge
            | Self::HeaderTooLarge
            | Self::MethodNotAllowed
            | Self::UnsupportedMediaType => spelled(&AccessTokenErrorType::InvalidRequest),
            Self::InvalidScope => spelled(&AccessTokenErrorType::InvalidScope),
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken | Self::MissingToken => "invalid_token",
            Self::NotFound => "not_found",
            Self::PreconditionFailed => "precondition_failed",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable | Self::TooManyRequests => "temporarily_unavailable",
            Self::UnauthorizedClient => spelled(&AccessTokenErrorType::UnauthorizedClient),
            Self::UnsupportedGrantType => spelled(&AccessTokenErrorType::UnsupportedGrantType),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the name borrows from the code")]
fn spelled(code: &'static AccessTokenErrorType) -> &'static str {
    code.as_ref()
}
