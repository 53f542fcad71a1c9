//! What is decided: [`Decision`], and why.

use std::sync::Arc;

use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::LiveToken;

use super::path::PathError;

/// Whether a request may pass.
#[derive(Debug)]
pub struct Decision {
    /// Why it may or may not.
    pub reason: Reason,
    /// The path whose rules deny the request, as the policy writes it; for the log.
    pub rule: Option<Arc<str>>,
    /// The token, if it is good.
    pub token: Option<LiveToken>,
    /// What is wrong with the token, if one came with the request and it is not good.
    pub fault: Option<TokenFault>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// The request may pass.
    Allowed,
    /// It may not, and a good token is missing.
    NotLoggedIn,
    /// It may not, whoever asks or with this token.
    Forbidden,
    /// The policy has no rule for it.
    UnknownRoute,
}

/// Why a request may pass or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The expression is true.
    #[error("the expression is true")]
    Permitted,
    /// There is no good token, and the rule is not public.
    #[error("the rule is not public, and there is no valid token")]
    LoginRequired,
    /// There is no good token, and without one the expression is false.
    #[error("the expression is false, and there is no valid token")]
    AnonymousNotPermitted,
    /// The token is good, and the expression is false.
    #[error("the expression is false")]
    NotPermitted,
    /// Programs behind the gateway would not agree about the path.
    #[error("the path is refused: {0}")]
    Path(PathError),
    /// No rule covers the path.
    #[error("no rule covers the path")]
    UnknownPath,
    /// The rule of the path says nothing of the method.
    #[error("the rule has no entry for this method")]
    UnknownMethod,
    /// The rule is for requests of the back office alone.
    #[error("the rule applies to back-office requests only")]
    BackofficeOnly,
    /// There is no policy.
    #[error("no policy is loaded")]
    NoPolicy,
    /// Which of them counts is not for the sender to choose.
    #[error("more than one credential was sent")]
    TwoCredentials,
    /// The gateway passed on what its caller invented, or is not set up as we are told.
    #[error("the original request is ambiguous")]
    Unclear,
    /// No published client has this id, or nothing is known of this kind of subject.
    #[error("unknown subject")]
    UnknownSubject,
    /// The policy is about routes.
    #[error("the resource is not a route")]
    UnknownResource,
    /// The token of the subject is dead, or none.
    #[error("the token is invalid or has expired")]
    BadToken,
    /// The token of the subject is another client's.
    #[error("the token was issued to another client")]
    OtherClient,
}

impl Decision {
    /// What is answered.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.reason.outcome()
    }

    /// Whether the request may pass.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome() == Outcome::Allowed
    }
}

/// A decision for which neither a rule nor a token was looked at.
impl From<Reason> for Decision {
    fn from(reason: Reason) -> Self {
        Self { reason, rule: None, token: None, fault: None }
    }
}

impl Reason {
    /// What is answered for this reason. The only place where one becomes the other.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Permitted => Outcome::Allowed,
            Self::LoginRequired
            | Self::AnonymousNotPermitted
            | Self::BadToken
            | Self::TwoCredentials => Outcome::NotLoggedIn,
            Self::NoPolicy
            | Self::NotPermitted
            | Self::OtherClient
            | Self::Path(_)
            | Self::Unclear
            | Self::UnknownResource
            | Self::UnknownSubject => Outcome::Forbidden,
            Self::UnknownPath | Self::UnknownMethod | Self::BackofficeOnly => Outcome::UnknownRoute,
        }
    }

    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::LoginRequired => "login_required",
            Self::AnonymousNotPermitted => "anonymous_not_permitted",
            Self::NotPermitted => "not_permitted",
            Self::Path(_) => "path_refused",
            Self::UnknownPath => "unknown_path",
            Self::UnknownMethod => "unknown_method",
            Self::BackofficeOnly => "backoffice_only",
            Self::NoPolicy => "no_policy",
            Self::TwoCredentials => "two_credentials",
            Self::Unclear => "unclear_request",
            Self::UnknownSubject => "unknown_subject",
            Self::UnknownResource => "unknown_resource",
            Self::BadToken => "invalid_token",
            Self::OtherClient => "other_client",
        }
    }
}

impl Outcome {
    /// Its name where a decision is explained.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::NotLoggedIn => "not_logged_in",
            Self::Forbidden => "forbidden",
            Self::UnknownRoute => "unknown_route",
        }
    }
}
