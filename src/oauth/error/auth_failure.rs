//! Why a client cannot be authenticated.

use crate::domain::jwk::Algorithm;

/// Why a client is not who it says. The caller sees `invalid_client` and the same words for all of
/// them, but for a claim of an assertion whose signature was right.
#[derive(Clone, Copy, Debug, Eq, PartialEq, strum::IntoStaticStr, thiserror::Error)]
#[strum(serialize_all = "snake_case")]
pub enum AuthFailure {
    /// No credentials at all.
    #[error("no credentials")]
    Missing,
    /// An `Authorization` header that holds no Basic credentials.
    #[error("malformed Authorization header")]
    MalformedHeader,
    /// No such client.
    #[error("unknown client")]
    Unknown,
    /// The client is registered for another method.
    #[error("the client is registered for another authentication method")]
    Method,
    /// The checksum of the secret is wrong.
    #[error("the secret's checksum is wrong")]
    Checksum,
    /// The secret ended, or was taken away.
    #[error("the secret has ended")]
    Ended,
    /// The secret is wrong.
    #[error("wrong secret")]
    WrongSecret,
    /// The client is not `PUBLIC`.
    #[error("the client is not published")]
    Unpublished,
    /// A limit in the client's document cannot be read.
    #[error("a limit in the client's document cannot be read")]
    Unreadable,
    /// The assertion is no plain signed JWT, or names another client than the request.
    #[error("malformed assertion")]
    MalformedAssertion,
    /// No live key of the client has this name.
    #[error("no such key")]
    Key,
    /// The key signs with another algorithm than the assertion names.
    #[error("the key is for {0}")]
    Algorithm(Algorithm),
    /// The client registered another algorithm than the assertion names.
    #[error("the client is registered for {0}")]
    Registered(Algorithm),
    /// The keys that the client publishes cannot be had.
    #[error("the keys at the client's `jwks_uri` cannot be fetched")]
    KeysUnavailable,
    /// The signature is wrong.
    #[error("wrong signature")]
    Signature,
    /// The signature is right, and this is wrong.
    #[error("{0}")]
    Claim(&'static str),
    /// The `jti` was seen before.
    #[error("the assertion was used before")]
    Replayed,
    /// The `jti` may have been seen before a power failure. Nobody's fault, and told to those who
    /// hold the key.
    #[error(
        "the server lost power and cannot tell whether this assertion was used before; sign a new \
         one"
    )]
    InDoubt,
}
