//! Why a token is not valid.

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};
use crate::domain::store_error::StoreError;
use crate::oauth::NotOurs;

/// Why a bearer token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// None of its audiences is one of ours.
    #[error("for another audience")]
    Audience,
    /// Its life is over, or has not begun.
    #[error("expired, or not yet valid")]
    Expired,
    /// No bearer token was sent.
    #[error("no bearer token")]
    Missing,
    /// We did not sign it.
    #[error("not an access token of ours: {0}")]
    NotOurs(#[from] NotOurs),
    /// Whether it is ours cannot be said while the store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two bearer tokens, or one in a place where none may be.
    #[error("more than one Authorization header")]
    Repeated,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
}

impl TokenFault {
    /// The code that the caller sees.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Missing => ErrorCode::MissingToken,
            Self::Audience | Self::Expired | Self::NotOurs(_) | Self::Repeated | Self::Revoked => {
                ErrorCode::InvalidToken
            }
            Self::Store(_) => ErrorCode::TemporarilyUnavailable,
        }
    }

    /// What the caller is told. Whatever is wrong with a token, its bearer is told the same.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Missing => "a bearer token is required",
            Self::Audience | Self::Expired | Self::NotOurs(_) | Self::Repeated | Self::Revoked => {
                "the token is invalid or has expired"
            }
            Self::Store(_) => CANNOT_ANSWER,
        }
    }
}
