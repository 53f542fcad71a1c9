//! Why a question is refused: reasons inside, codes outside, and the one `match` between.

mod auth_failure;
mod token_fault;

use std::time::Duration;

use crate::domain::audience::Audience;
use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode, TOO_MANY_FAILURES};
use crate::domain::free_form::DEEPEST;
use crate::domain::printable::excerpt;
use crate::domain::store_error::StoreError;
use crate::hashing::Busy;
use crate::revocation::rate::TooManyRevocations;

use super::SealError;
use super::authenticate::Throttled;
use super::quota::QuotaUsed;

pub use auth_failure::AuthFailure;
pub use token_fault::TokenFault;

/// Why a token request is refused. Rich for the log; the wire sees [`code`](Self::code) and
/// [`description`](Self::description).
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// An audience is not granted to the client.
    #[error("the audience `{}` is not granted to this client", excerpt(.0.as_str()))]
    Audience(Audience),
    /// An audience was required and none was asked for.
    #[error("an `audience` is required")]
    AudienceRequired,
    /// Two lists of audiences that differ.
    #[error("`audience`, `resource` and `requested_audiences` differ")]
    AudiencesDiffer,
    /// The queue for slow hashes is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The client was changed while it proved itself.
    #[error("the client changed during authentication; try again")]
    Changed,
    /// The client is not who it says.
    #[error("client authentication failed: {0}")]
    Client(#[from] AuthFailure),
    /// A claim of the assertion that the client may not set.
    #[error("the claim `{}` is not allowed for this client", excerpt(.0))]
    CustomClaim(String),
    /// A claim of the assertion with too many levels.
    #[error("the claim `{}` must not be nested deeper than {DEEPEST} levels", excerpt(.0))]
    DeepClaim(String),
    /// The client may not use this grant.
    #[error("the client may not use this grant")]
    GrantNotAllowed,
    /// A parameter cannot be read.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// A parameter is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The body is no form.
    #[error("the body is not UTF-8, or not form-urlencoded")]
    NotAForm,
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] crate::random::NoEntropy),
    /// The caller does not hold the permission.
    #[error("this needs the permission `{0}`")]
    NotPermitted(&'static str),
    /// The client got as many tokens as it may for now.
    #[error(transparent)]
    Quota(#[from] QuotaUsed),
    /// Credentials in the query string, where they end up in logs.
    #[error("credentials must not be in the query string")]
    QueryCredentials,
    /// A parameter was sent twice.
    #[error("`{}` is repeated", excerpt(.0))]
    Repeated(String),
    /// The client revoked as many tokens as it may for now.
    #[error(transparent)]
    Revocations(#[from] TooManyRevocations),
    /// The scope is not granted to the client.
    #[error("the scope is not granted to this client")]
    Scope,
    /// A resource is not an absolute URI without a fragment.
    #[error("a `resource` is malformed: it must be an absolute URI without a fragment")]
    MalformedResource,
    /// The scope cannot be read.
    #[error("the scope is malformed")]
    MalformedScope,
    /// A token that no route would take.
    #[error(
        "the token would have {size} bytes, and at most {most} are taken; ask for less, or have the \
         client granted less"
    )]
    TokenTooLarge {
        /// How many bytes it would have.
        size: usize,
        /// How many it may have.
        most: usize,
    },
    /// More audiences than may be asked for at once.
    #[error("at most {0} audiences may be asked for")]
    TooManyAudiences(usize),
    /// More parameters than a form may have.
    #[error("a form may have at most {0} parameters")]
    TooManyParameters(usize),
    /// More scopes than may be asked for at once.
    #[error("at most {0} scopes may be asked for")]
    TooManyScopes(usize),
    /// No token could be signed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many attempts failed before this one.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Two ways of authentication at once: RFC 6749 §2.3.
    #[error("more than one client authentication method was used")]
    TwoCredentials,
    /// Two client ids that differ.
    #[error("`client_id` differs from the authenticated client")]
    TwoClients,
    /// Another grant.
    #[error("the grant type is not supported; use client_credentials")]
    UnsupportedGrant,
}

impl OAuthError {
    /// The code that the caller sees: the only place where a reason becomes one.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Audience(_) | Self::MalformedResource | Self::TooManyAudiences(_) => {
                ErrorCode::InvalidTarget
            }
            Self::Client(_) => ErrorCode::InvalidClient,
            Self::AudienceRequired
            | Self::AudiencesDiffer
            | Self::CustomClaim(_)
            | Self::DeepClaim(_)
            | Self::Malformed(_)
            | Self::Missing(_)
            | Self::NotAForm
            | Self::QueryCredentials
            | Self::Repeated(_)
            | Self::TokenTooLarge { .. }
            | Self::TooManyParameters(_)
            | Self::TwoClients
            | Self::TwoCredentials => ErrorCode::InvalidRequest,
            Self::GrantNotAllowed => ErrorCode::UnauthorizedClient,
            Self::NoEntropy(_) | Self::Seal(SealError::Signature(_)) => ErrorCode::ServerError,
            Self::NotPermitted(_) => ErrorCode::InsufficientScope,
            Self::Scope | Self::MalformedScope | Self::TooManyScopes(_) => ErrorCode::InvalidScope,
            Self::Busy(_) | Self::Changed | Self::Seal(SealError::NoActiveKey) | Self::Store(_) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Quota(_) | Self::Revocations(_) | Self::Throttled(_) => {
                ErrorCode::TooManyRequests
            }
            Self::UnsupportedGrant => ErrorCode::UnsupportedGrantType,
        }
    }

    /// After how long the same may go well, where that is known: RFC 9110 §10.2.3.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(busy) => Some(busy.wait),
            Self::Quota(used) => Some(used.wait),
            Self::Revocations(refused) => Some(refused.wait),
            Self::Throttled(throttled) => Some(throttled.wait),
            _ => None,
        }
    }

    /// Whether it is the crowd before a queue: no failure of ours, and each of it would be a line.
    #[must_use]
    pub fn is_crowd(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    /// What the caller is told beside the code. About authentication always the same, unless the
    /// caller has shown that it holds the key.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Client(AuthFailure::Claim(fault)) => (*fault).to_owned(),
            Self::Client(failure @ AuthFailure::InDoubt) => failure.to_string(),
            Self::Client(_) => "client authentication failed".to_owned(),
            Self::Busy(_) | Self::Changed | Self::NoEntropy(_) | Self::Seal(_) | Self::Store(_) => {
                CANNOT_ANSWER.to_owned()
            }
            Self::Throttled(_) => TOO_MANY_FAILURES.to_owned(),
            Self::Audience(_)
            | Self::AudienceRequired
            | Self::AudiencesDiffer
            | Self::CustomClaim(_)
            | Self::DeepClaim(_)
            | Self::GrantNotAllowed
            | Self::Malformed(_)
            | Self::MalformedResource
            | Self::MalformedScope
            | Self::Missing(_)
            | Self::NotAForm
            | Self::NotPermitted(_)
            | Self::QueryCredentials
            | Self::Quota(_)
            | Self::Repeated(_)
            | Self::Revocations(_)
            | Self::Scope
            | Self::TokenTooLarge { .. }
            | Self::TooManyAudiences(_)
            | Self::TooManyParameters(_)
            | Self::TooManyScopes(_)
            | Self::TwoClients
            | Self::TwoCredentials
            | Self::UnsupportedGrant => self.to_string(),
        }
    }
}
