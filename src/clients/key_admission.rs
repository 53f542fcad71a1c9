//! A key on its way to a client, whichever route it comes by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::client::{Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::jwk::PublicJwk;
use crate::domain::jwks_uri::KeysUnavailable;
use crate::domain::lists;
use crate::domain::submitted_jwk::SubmittedJwk;
use crate::hashing::Busy;
use crate::oauth::{ClientJwtReader, RemoteKeys};

use super::ClientRepository;
use super::error::ClientsError;
use super::key_proof::{self, Proof, ProofFault};
use super::used_proofs::UsedProofs;

/// How many clients are named that have a key too.
const MOST_NAMED: usize = 10;

/// What an operator may set about keys.
#[derive(Clone, Debug)]
pub struct KeyRules {
    /// The value that `aud` of a proof must have.
    pub issuer: String,
    /// How far the caller's clock may be ahead.
    pub skew: Duration,
    /// Whether each key needs a proof. Keys behind a `jwks_uri` come without one: that they are
    /// published there is for TLS to show.
    pub proof_required: bool,
    /// Whether a key that another client has is refused.
    pub sharing_refused: bool,
}

/// Lets keys in.
pub struct KeyAdmission {
    /// Where clients are kept.
    pub repository: Arc<dyn ClientRepository>,
    /// The keys that clients publish.
    pub remote: Arc<dyn RemoteKeys>,
    /// What verifies proofs.
    pub reader: Arc<dyn ClientJwtReader>,
    /// Where used proofs are remembered.
    pub used: UsedProofs,
    /// What is asked of keys.
    pub rules: KeyRules,
}

/// A key that another client has too.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SharedKey {
    /// The key.
    pub key: CredentialId,
    /// The other client.
    pub holder: ClientId,
}

impl fmt::Display for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {} is also one of the client {}", self.key.as_str(), self.holder)
    }
}

impl KeyAdmission {
    /// Lets in what a new client begins with: its keys, or the place where it publishes them.
    pub async fn admit_first(
        &self,
        client: &Client,
        proofs: &[String],
        now: Timestamp,
    ) -> Result<Vec<SharedKey>, ClientsError> {
        self.admit_uri(client, now).await?;
        self.admit(&client.id, &client.keys, proofs, now).await
    }

    /// Lets in the `jwks_uri` of a client, if it has none or there are usable keys at it.
    pub async fn admit_uri(&self, client: &Client, now: Timestamp) -> Result<(), ClientsError> {
        let Some(uri) = &client.jwks_uri else { return Ok(()) };
        let keys = self.remote.key_set(uri, None, now).await?;
        let is_usable = |key: &SubmittedJwk| key.signing_with(client.signing_algorithm).is_ok();
        if keys.iter().any(is_usable) { Ok(()) } else { Err(KeysUnavailable::Unusable.into()) }
    }

    /// Lets in keys that shall be added to a client, with their proofs, and uses these up. Says
    /// which of the keys other clients have: an admin may know, the client itself may not.
    pub async fn admit(
        &self,
        client: &ClientId,
        keys: &[Credential<ClientKey>],
        proofs: &[String],
        now: Timestamp,
    ) -> Result<Vec<SharedKey>, ClientsError> {
        let skew = self.rules.skew;
        let proofs = self.proved(keys, proofs, now).await?;
        let mut thumbprints = keys.iter().map(|key| key.verifier.jwk.thumbprint());
        let proven = |wanted: &String| proofs.iter().any(|proof| proof.thumbprint == *wanted);
        if self.rules.proof_required && !thumbprints.all(|wanted| proven(&wanted)) {
            return Err(ProofFault::Missing.into());
        }

        let shared = self.admit_shared(client, keys).await?;

        // Last, so that a proof is not lost to another fault.
        for proof in proofs {
            let until = proof.exp + skew + skew + Duration::from_secs(60);
            if !self.used.use_once(&proof.thumbprint, &proof.jti, until).await? {
                return Err(ProofFault::Used.into());
            }
        }
        Ok(shared)
    }

    /// Checks proofs, each with each key, which takes a while: on another thread than those that
    /// serve requests.
    async fn proved(
        &self,
        keys: &[Credential<ClientKey>],
        proofs: &[String],
        now: Timestamp,
    ) -> Result<Vec<Proof>, ClientsError> {
        if proofs.is_empty() {
            return Ok(Vec::new());
        }
        let jwks: Vec<PublicJwk> = keys.iter().map(|key| key.verifier.jwk.clone()).collect();
        let (proofs, reader) = (proofs.to_vec(), self.reader.clone());
        let (issuer, time) = (self.rules.issuer.clone(), (now, self.rules.skew));
        let check = move || {
            let jwks: Vec<&PublicJwk> = jwks.iter().collect();
            key_proof::check_all(&proofs, &jwks, &*reader, &issuer, time)
        };
        Ok(tokio::task::spawn_blocking(check).await.map_err(|_| Busy::default())??)
    }

    /// Says which of the keys of a client others have too, unless such keys are refused. For keys
    /// that come without a proof: an administrator brings them from another platform.
    pub async fn admit_shared(
        &self,
        client: &ClientId,
        keys: &[Credential<ClientKey>],
    ) -> Result<Vec<SharedKey>, ClientsError> {
        let shared = self.shared(client, keys).await?;
        if self.rules.sharing_refused && !shared.is_empty() {
            return Err(ClientsError::SharedKey);
        }
        for SharedKey { key, holder } in &shared {
            tracing::warn!(client_id = %client, key = key.as_str(), %holder, "key_shared");
        }
        Ok(shared)
    }

    async fn shared(
        &self,
        client: &ClientId,
        keys: &[Credential<ClientKey>],
    ) -> Result<Vec<SharedKey>, ClientsError> {
        let mut thumbprints: Vec<String> =
            keys.iter().map(|key| key.verifier.jwk.thumbprint()).collect();
        thumbprints.sort_unstable();
        thumbprints.dedup();
        if thumbprints.is_empty() {
            return Ok(Vec::new());
        }
        let holders = self.repository.key_holders(&thumbprints, MOST_NAMED + 1).await?;
        let others = holders.iter().filter(|other| other.id != *client).take(MOST_NAMED);
        let shared = others.flat_map(|other| {
            let is_same = |key: &&Credential<ClientKey>| {
                thumbprints.binary_search(&key.verifier.jwk.thumbprint()).is_ok()
            };
            let keys = other.keys.iter().filter(is_same);
            keys.map(|key| SharedKey { key: key.id.clone(), holder: other.id.clone() })
        });
        Ok(lists::unique(shared))
    }
}
