//! Client authentication, access tokens, introspection and quotas. One file for each operation; the
//! ports are here.

pub mod authenticate;
pub mod bearer;
pub mod error;
pub mod introspect;
pub mod logins;
pub mod quota;
pub mod revoke;
pub mod token;
pub mod token_notice;
pub mod tokeninfo;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::domain::claims::AccessTokenClaims;
use crate::domain::client::{Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::ClientId;
use crate::domain::jwk::PublicJwk;
use crate::domain::jwks_uri::{JwksUri, KeysUnavailable};
use crate::domain::secret::ClientSecret;
use crate::domain::store_error::StoreError;
use crate::domain::submitted_jwk::SubmittedJwk;
use crate::revocation::OpenedToken;

use authenticate::Authenticator;
use introspect::Introspection;
use revoke::OwnTokens;
use token::TokenIssuer;
use tokeninfo::TokenJudge;

/// The use cases of tokens.
pub struct Tokens {
    /// Authenticates clients.
    pub authenticator: Authenticator,
    /// Issues tokens.
    pub issuer: TokenIssuer,
    /// Verifies tokens.
    pub judge: Arc<TokenJudge>,
    /// Answers about tokens of others.
    pub introspection: Introspection,
    /// Revokes tokens for the clients that own them.
    pub own: OwnTokens,
}

/// Where clients are looked up. On the path of every token.
#[async_trait]
pub trait ClientStore: Send + Sync {
    /// The client of that name, in whatever state, if there is one: as it was read after the epoch
    /// that is in force now was known.
    async fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;
}

/// Where used assertions are remembered: RFC 7523 §3, item 7, and RFC 10070.
#[async_trait]
pub trait AssertionStore: Send + Sync {
    /// Remembers, durably, that `client` used the assertion of this `jti`, until `until`.
    /// False if it was used before; of several at once exactly one gets true.
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The same, for an assertion of these dates. A store may answer before it is on the disk, if it
    /// refuses the assertion after a power failure.
    async fn use_assertion(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
        dates: AssertionDates,
    ) -> Result<AssertionUse, StoreError> {
        let _ = dates; // of no use to a store that always waits
        self.use_once(client, jti_digest, until).await.map(AssertionUse::of)
    }
}

/// The dates of an assertion that is being used.
#[derive(Clone, Copy, Debug)]
pub struct AssertionDates {
    /// When it was signed, if it says so.
    pub iat: Option<Timestamp>,
    /// When it ends.
    pub exp: Timestamp,
    /// When it is used.
    pub now: Timestamp,
    /// How long it may live from `iat` on.
    pub longest_life: Duration,
}

/// Whether an assertion was used before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AssertionUse {
    /// It was used before.
    Again,
    /// This is its first use.
    First,
    /// It may have been used before a power failure.
    InDoubt,
}

impl AssertionUse {
    /// What a store that forgets nothing says.
    #[must_use]
    pub fn of(first: bool) -> Self {
        if first { Self::First } else { Self::Again }
    }
}

/// The keys that clients publish.
#[async_trait]
pub trait RemoteKeys: Send + Sync {
    /// The keys at `uri`, as far as they are known. Where none of them is named `kid`, they are looked
    /// for once more, if that was not done a moment ago.
    async fn key_set(
        &self,
        uri: &JwksUri,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<[SubmittedJwk]>, KeysUnavailable>;
}

/// Replaces a hash by the one that we would make today, now that the secret is at hand.
pub trait HashUpgrade: Send + Sync {
    /// Sees to it in the background; failing is harmless, the next use tries again.
    fn upgrade(
        &self,
        client: &ClientId,
        secret: &Credential<StoredSecret>,
        presented: &ClientSecret,
    );
}

/// Signs access tokens, and answers about tokens.
pub trait Sealer: Send + Sync {
    /// The claims as a signed JWT with `typ: at+jwt`: RFC 9068 §2.1.
    fn seal(&self, claims: &AccessTokenClaims) -> Result<String, SealError>;

    /// How many bytes that JWT would have, without signing it; `None` while no key signs.
    fn sealed_length(&self, claims: &AccessTokenClaims) -> Option<usize>;

    /// The claims as a signed JWT with `typ: token-introspection+jwt`: RFC 9701 §5.
    fn seal_answer(&self, claims: &Value, now: Timestamp) -> Result<String, SealError>;
}

/// No token could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No key may sign yet: the first one of this replica is still being made known.
    #[error("no signing key is active yet")]
    NoActiveKey,
    /// The signature failed.
    #[error("signing failed")]
    Signature(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Verifies access tokens.
pub trait TokenOpener: Send + Sync {
    /// Checks that we signed it as an access token. Says nothing about time.
    fn open(&self, token: &str) -> Result<Arc<OpenedToken>, NotOurs>;
}

/// Why a token is none of ours. For the log: the caller is told nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotOurs {
    /// A claim is missing or malformed.
    #[error("a claim is missing or malformed")]
    Claims,
    /// Another issuer.
    #[error("another issuer")]
    Issuer,
    /// It does not have the form of a signed JWT.
    #[error("no signed JWT")]
    Malformed,
    /// The key that signed it was revoked.
    #[error("revoked key")]
    RevokedKey,
    /// The signature is wrong, or of another algorithm.
    #[error("wrong signature")]
    Signature,
    /// A JWT for something else.
    #[error("another type of JWT")]
    Type,
    /// A key that we do not know; another replica may just have made it.
    #[error("unknown key")]
    UnknownKey,
}

/// News of what other replicas, and other tools, changed.
#[async_trait]
pub trait News: Send + Sync {
    /// Waits until the store has been looked at again, if others write to it.
    /// False if there was nothing to wait for.
    async fn next(&self) -> Result<bool, StoreError>;

    /// For how long nothing has been heard. Zero where there are no others.
    fn staleness(&self) -> Duration;
}

/// What an assertion says before its signature is checked: enough to find the key, and no more.
#[derive(Debug)]
pub struct UnverifiedAssertion {
    /// The algorithm its header names.
    pub algorithm: String,
    /// The key its header names.
    pub kid: Option<String>,
    /// The type its header gives.
    pub typ: Option<String>,
    /// The `sub` claim, if it is a string.
    pub subject: Option<String>,
}

/// A JWT whose signature is right; nothing else of it was checked.
#[derive(Debug)]
pub struct VerifiedJwt {
    /// The type its header gives.
    pub typ: Option<String>,
    /// Its claims.
    pub claims: Map<String, Value>,
}

/// Reads and verifies what clients sign: assertions and proofs of possession.
pub trait ClientJwtReader: Send + Sync {
    /// Takes an assertion apart strictly; `None` if it is not a plain signed JWT. Verifies nothing.
    fn read(&self, assertion: &str) -> Option<UnverifiedAssertion>;

    /// What it says, if `key` signed it; `None` otherwise.
    fn verify(&self, jwt: &str, key: &PublicJwk) -> Option<VerifiedJwt>;
}
