//! Why a request about clients is refused.

use std::time::Duration;

use crate::domain::client::Client;
use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode, TOO_MANY_FAILURES};
use crate::domain::jwks_uri::{KeysUnavailable, MalformedJwksUri};
use crate::domain::key_fault::KeyFault;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::hashing::Busy;
use crate::oauth::authenticate::Throttled;
use crate::random::NoEntropy;
use crate::revocation::rate::TooManyRevocations;

use super::key_proof::ProofFault;

/// Why a registration or an admin's request is refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The queue for slow hashes is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The client is not as it was said to be: RFC 9110 §13.1.1.
    #[error("the client has changed; read it again")]
    Changed,
    /// A cursor that no list ended with.
    #[error("`cursor` is not valid")]
    Cursor,
    /// Nobody may register here.
    #[error("registration is closed; ask an administrator for a client")]
    Closed,
    /// The document of the client is damaged.
    #[error(
        "the document of this client cannot be read, and cannot be changed: delete the client, or \
         restore its document from a backup"
    )]
    Damaged,
    /// The client is on a damaged page of the database file.
    #[error(
        "this client is on a damaged page of the database file, and can be neither changed nor \
         deleted: restore the file from a backup, or copy what can be read into another store: \
         latchkey store copy"
    )]
    DamagedPage,
    /// There is a client of that id.
    #[error("a client with this client_id exists")]
    Duplicate,
    /// The initial access token is missing.
    #[error("registration needs an initial access token")]
    InitialTokenMissing,
    /// The initial access token is wrong.
    #[error("the initial access token is wrong")]
    InitialTokenWrong,
    /// The `jwks_uri` is none.
    #[error(transparent)]
    JwksUri(#[from] MalformedJwksUri),
    /// The key cannot be registered.
    #[error("{0}")]
    Key(#[from] KeyFault),
    /// There are no keys at the `jwks_uri`, as far as we can see.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
    /// Metadata that cannot be accepted.
    #[error("{0}")]
    Metadata(String),
    /// The body, or a parameter, cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The bearer does not hold the permission.
    #[error("this needs the permission `{0}`")]
    NotPermitted(&'static str),
    /// The client manages itself, and is not in use.
    #[error("the client is not published and cannot add credentials; ask an administrator")]
    NotPublished,
    /// There is no such signing key.
    #[error("no such signing key")]
    NoSigningKey,
    /// There is no such client.
    #[error("no such client")]
    NotFound,
    /// The client has no such credential.
    #[error("the client has no such credential")]
    NoCredential,
    /// The client or the key whose tokens shall be revoked is not there.
    #[error("no such {0}; if it is gone and its tokens are meant, say `force`")]
    NothingToRevoke(&'static str),
    /// Others change the same client all the time.
    #[error("the client is being changed by others; try again")]
    Raced,
    /// The registration access token is that of no client that is there.
    #[error("the registration access token is wrong, or the client is gone")]
    RegistrationToken,
    /// The registration access token is missing.
    #[error("this needs the registration access token of the client")]
    RegistrationTokenMissing,
    /// No client goes from one of these states to the other.
    #[error("transition from {0} to {1} not allowed.")]
    Transition(State, State),
    /// A proof of possession is missing or wrong.
    #[error("`proof`: {0}")]
    Proof(#[from] ProofFault),
    /// Another client has the key.
    #[error("another client has this key; generate a new one")]
    SharedKey,
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority revoked as many tokens one at a time as it may for now.
    #[error(transparent)]
    Revocations(#[from] TooManyRevocations),
    /// Too many wrong initial access tokens came from this address.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Too many registrations from this address, or changes that this client makes to itself.
    #[error("too many requests; try again in a minute")]
    TooMany,
}

impl ClientsError {
    /// Why a client whose document is damaged cannot be changed.
    pub(super) fn of_damaged(client: &Client) -> Self {
        if client.is_on_damaged_page() { Self::DamagedPage } else { Self::Damaged }
    }

    /// Whether what is kept is damaged: trying again does not help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged | Self::DamagedPage => true,
            Self::Store(error) => error.is_damaged(),
            _ => false,
        }
    }

    /// The code that the caller sees: the only place where a reason becomes one.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Closed | Self::NotPublished => ErrorCode::AccessDenied,
            Self::Changed => ErrorCode::PreconditionFailed,
            Self::Damaged | Self::DamagedPage | Self::Duplicate | Self::Raced => {
                ErrorCode::Conflict
            }
            Self::InitialTokenMissing | Self::RegistrationTokenMissing => ErrorCode::MissingToken,
            Self::InitialTokenWrong | Self::RegistrationToken => ErrorCode::InvalidToken,
            Self::JwksUri(_)
            | Self::Key(_)
            | Self::KeysUnavailable(_)
            | Self::Metadata(_)
            | Self::Proof(_)
            | Self::SharedKey => ErrorCode::InvalidClientMetadata,
            Self::Cursor | Self::Malformed(_) | Self::Transition(..) => ErrorCode::InvalidRequest,
            Self::NotPermitted(_) => ErrorCode::InsufficientScope,
            Self::NoCredential | Self::NoSigningKey | Self::NotFound | Self::NothingToRevoke(_) => {
                ErrorCode::NotFound
            }
            Self::NoEntropy(_) => ErrorCode::ServerError,
            Self::Busy(_) | Self::Store(_) => ErrorCode::TemporarilyUnavailable,
            Self::Revocations(_) | Self::Throttled(_) | Self::TooMany => ErrorCode::TooManyRequests,
        }
    }

    /// After how long the same may go well, where that is known: RFC 9110 §10.2.3.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(busy) => Some(busy.wait),
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

    /// What the caller is told beside the code.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Busy(_) | Self::NoEntropy(_) | Self::Store(_) => CANNOT_ANSWER.to_owned(),
            Self::Throttled(_) => TOO_MANY_FAILURES.to_owned(),
            Self::Changed
            | Self::Closed
            | Self::Cursor
            | Self::Damaged
            | Self::DamagedPage
            | Self::Duplicate
            | Self::InitialTokenMissing
            | Self::InitialTokenWrong
            | Self::JwksUri(_)
            | Self::Key(_)
            | Self::KeysUnavailable(_)
            | Self::Malformed(_)
            | Self::Metadata(_)
            | Self::NoCredential
            | Self::NoSigningKey
            | Self::NotFound
            | Self::NothingToRevoke(_)
            | Self::NotPermitted(_)
            | Self::NotPublished
            | Self::Raced
            | Self::RegistrationToken
            | Self::RegistrationTokenMissing
            | Self::Revocations(_)
            | Self::Transition(..)
            | Self::Proof(_)
            | Self::SharedKey
            | Self::TooMany => self.to_string(),
        }
    }
}

/// Refuses metadata.
pub(crate) fn refused<T>(why: impl Into<String>) -> Result<T, ClientsError> {
    Err(ClientsError::Metadata(why.into()))
}
