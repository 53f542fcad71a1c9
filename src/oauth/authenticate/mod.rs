//! Who is asking? Client authentication: RFC 6749 §2.3, RFC 7523 §2.2 and RFC 10070.

mod assertion;
mod secret;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::secret::{ClientSecret, Pepper};
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::revocation::list::Revocations;

use super::error::{AuthFailure, OAuthError};
use super::{
    AssertionStore, ClientJwtReader, ClientStore, HashUpgrade, News, RemoteKeys,
    UnverifiedAssertion,
};

pub use crate::domain::bucket::Rate;
pub use secret::SecretChecks;
pub use throttle::{CallerAddress, FailureLimits, FailureThrottle, Limit, Throttled};

/// A client may have been unpublished that long ago, unheard of, before nobody is proved any more.
const STALEST: Duration = Duration::from_secs(10);

/// What the caller shows to prove who it is.
#[derive(Debug)]
pub enum Presented {
    /// A name and a secret.
    Secret {
        /// The name, as sent.
        client_id: String,
        /// The secret.
        secret: ClientSecret,
    },
    /// A signed assertion.
    Assertion {
        /// The name beside it, if one was sent.
        client_id: Option<String>,
        /// The JWT.
        assertion: String,
    },
}

impl Presented {
    /// Whoever it says to be; empty if it says nothing that can be read.
    fn name<'a>(&'a self, unverified: Option<&'a UnverifiedAssertion>) -> &'a str {
        match self {
            Self::Secret { client_id, .. } => client_id,
            Self::Assertion { client_id, .. } => unverified
                .and_then(|assertion| assertion.subject.as_deref())
                .or(client_id.as_deref())
                .unwrap_or_default(),
        }
    }
}

/// What an operator may set about assertions.
#[derive(Clone, Debug)]
pub struct AssertionRules {
    /// The value that `aud` must have.
    pub issuer: String,
    /// The URL that clients marked `legacyAudience` may use instead.
    pub token_endpoint: String,
    /// Until when every client may do so.
    pub legacy_audience_until: Option<Timestamp>,
    /// How long an assertion may live.
    pub longest_life: Duration,
    /// How far the caller's clock may be ahead.
    pub skew: Duration,
}

/// A client that has proved its identity.
///
/// The fields are private and only this module fills them: holding one *is* the proof.
#[derive(Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    credential: CredentialId,
    asserted: Asserted,
    epoch: u64,
}

/// What an assertion asks for beside the authentication.
#[derive(Debug, Default)]
pub struct Asserted {
    /// `requested_audiences`.
    pub audiences: Option<Vec<Audience>>,
    /// Every claim that is not part of the proof.
    pub custom: Map<String, Value>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The credential that proved it.
    #[must_use]
    pub fn credential(&self) -> &CredentialId {
        &self.credential
    }

    /// What the assertion asked for, if there was one.
    #[must_use]
    pub fn asserted(&self) -> &Asserted {
        &self.asserted
    }

    /// The epoch that was in force when the client was looked up: of that one, and of no later one,
    /// is it proved that it is in use.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn proved(found: Found, credential: CredentialId, asserted: Asserted) -> Self {
        Self { client: found.client, credential, asserted, epoch: found.epoch }
    }
}

/// Proves clients.
pub struct Authenticator {
    /// Where clients are looked up.
    pub clients: Arc<dyn ClientStore>,
    /// Where used assertions are remembered.
    pub assertions: Arc<dyn AssertionStore>,
    /// The keys that clients publish.
    pub remote_keys: Arc<dyn RemoteKeys>,
    /// What reads assertions.
    pub reader: Arc<dyn ClientJwtReader>,
    /// Which epochs are in force.
    pub revocations: Arc<Revocations>,
    /// How old what is known of clients may be.
    pub news: Arc<dyn News>,
    /// What replaces hashes that were made elsewhere.
    pub upgrade: Arc<dyn HashUpgrade>,
    /// What checks secrets.
    pub secrets: SecretChecks,
    /// What slows down those who fail.
    pub throttle: FailureThrottle,
    /// The server's part of the checksums.
    pub pepper: Pepper,
    /// What assertions must obey.
    pub rules: AssertionRules,
}

impl Authenticator {
    /// Proves that the caller is the client it says, or says why not. Who failed too often is
    /// refused before anything is looked up or computed.
    pub async fn authenticate(
        &self,
        presented: &Presented,
        caller: CallerAddress,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, OAuthError> {
        if self.news.staleness() > STALEST {
            let why = "nothing was heard of other replicas for too long";
            return Err(StoreError::new(why).into());
        }
        let unverified = self.unverified(presented);
        let name = presented.name(unverified.as_ref());
        let mut attempt = self.throttle.admit(caller, name, now).await?;
        let outcome = match presented {
            Presented::Secret { client_id, secret } => self.by_secret(client_id, secret, now).await,
            Presented::Assertion { client_id, assertion } => {
                let named = client_id.as_deref();
                self.by_assertion(named, assertion, unverified.as_ref(), &mut attempt, now).await
            }
        };
        // What went wrong on our side, or where keys are published, is nobody's failure.
        match &outcome {
            Err(OAuthError::Client(AuthFailure::InDoubt | AuthFailure::KeysUnavailable)) => {}
            Err(OAuthError::Client(_)) => attempt.failed(now),
            _ => {}
        }
        outcome
    }

    /// Whoever the caller says it is, proved or not; empty if it says nothing that can be read.
    #[must_use]
    pub fn claimed(&self, presented: &Presented) -> String {
        presented.name(self.unverified(presented).as_ref()).to_owned()
    }

    fn unverified(&self, presented: &Presented) -> Option<UnverifiedAssertion> {
        match presented {
            Presented::Secret { .. } => None,
            Presented::Assertion { assertion, .. } => self.reader.read(assertion),
        }
    }

    /// A text that is no client id is an unknown client: it costs and says the same.
    async fn find(&self, client_id: &str) -> Result<Found, OAuthError> {
        let id: ClientId = client_id.parse().map_err(|_| AuthFailure::Unknown)?;
        // Before the client: what ends its tokens while it is proved must not be passed over. The
        // client was read since this epoch is in force, so it is in use in this one.
        let in_force = self.revocations.epoch(&id);
        let client = self.clients.find(&id).await?.ok_or(AuthFailure::Unknown)?;
        let epoch = client.token_epoch.max(in_force);
        Ok(Found { client, epoch })
    }
}

/// A client as it was found, and the epoch that was in force then.
struct Found {
    client: Arc<Client>,
    epoch: u64,
}

/// Checked last, so that a right credential is needed to see it even in the log.
fn published(client: &Client) -> Result<(), AuthFailure> {
    match client.state {
        State::Public if client.unreadable.is_empty() => Ok(()),
        State::Public => Err(AuthFailure::Unreadable),
        State::Draft | State::Trash | State::Deleted => Err(AuthFailure::Unpublished),
    }
}
