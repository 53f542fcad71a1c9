//! Why a deed is refused.

use crate::domain::entropy::NoEntropy;
use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};
use crate::domain::key_judge::KeyFault;
use crate::domain::store_error::StoreError;
use crate::hashing::Busy;

/// Why a registration or an admin's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The queue for slow hashes is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A cursor that no list ended with.
    #[error("`cursor` is none that this server gave")]
    Cursor,
    /// Nobody may register here.
    #[error("registration is closed; ask an administrator for a client")]
    Closed,
    /// There is a client of that id.
    #[error("a client with this client_id exists")]
    Duplicate,
    /// The initial access token is missing.
    #[error("registration needs an initial access token")]
    InitialTokenMissing,
    /// The initial access token is wrong.
    #[error("the initial access token is wrong")]
    InitialTokenWrong,
    /// The key cannot be registered.
    #[error("{0}")]
    Key(#[from] KeyFault),
    /// Metadata that cannot be accepted.
    #[error("{0}")]
    Metadata(String),
    /// The body, or a parameter, cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The bearer does not hold the permission.
    #[error("this needs the permission `{0}`")]
    NotPermitted(&'static str),
    /// There is no such client.
    #[error("there is no such client")]
    NotFound,
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many registrations from this address.
    #[error("too many registrations from this address; try again in a minute")]
    TooMany,
}

impl RegistryError {
    /// The code that the caller sees: the only place where a reason becomes one.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Closed => ErrorCode::AccessDenied,
            Self::Duplicate => ErrorCode::Conflict,
            Self::InitialTokenMissing => ErrorCode::MissingToken,
            Self::InitialTokenWrong => ErrorCode::InvalidToken,
            Self::Key(_) | Self::Metadata(_) => ErrorCode::InvalidClientMetadata,
            Self::Cursor | Self::Malformed(_) => ErrorCode::InvalidRequest,
            Self::NotPermitted(_) => ErrorCode::InsufficientScope,
            Self::NotFound => ErrorCode::NotFound,
            Self::NoEntropy(_) => ErrorCode::ServerError,
            Self::Busy(_) | Self::Store(_) => ErrorCode::TemporarilyUnavailable,
            Self::TooMany => ErrorCode::TooManyRequests,
        }
    }

    /// What the caller is told beside the code.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Busy(_) | Self::NoEntropy(_) | Self::Store(_) => CANNOT_ANSWER.to_owned(),
            Self::Closed
            | Self::Cursor
            | Self::Duplicate
            | Self::InitialTokenMissing
            | Self::InitialTokenWrong
            | Self::Key(_)
            | Self::Malformed(_)
            | Self::Metadata(_)
            | Self::NotFound
            | Self::NotPermitted(_)
            | Self::TooMany => self.to_string(),
        }
    }
}
