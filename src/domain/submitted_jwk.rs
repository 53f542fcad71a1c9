//! A public key as its owner shows it.

use serde_json::Value;

use super::algorithm::Algorithm;
use super::client::ClientKey;
use super::clock::Timestamp;
use super::credential::Credential;
use super::jwk::PublicJwk;
use super::key_fault::KeyFault;

/// A key that was judged and found good, and may leave open what it signs with.
#[derive(Clone, Debug)]
pub struct SubmittedJwk {
    jwk: PublicJwk,
    says_algorithm: bool,
}

impl SubmittedJwk {
    /// Reads and judges a JWK.
    pub fn parse(jwk: &Value) -> Result<Self, KeyFault> {
        let says_algorithm = jwk.get("alg").is_some_and(|alg| !alg.is_null());
        Ok(Self { jwk: PublicJwk::parse(jwk)?, says_algorithm })
    }

    /// A key that comes in a form which knows no algorithms.
    #[must_use]
    pub fn silent(jwk: PublicJwk) -> Self {
        Self { jwk, says_algorithm: false }
    }

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// The key of a client that registered this `token_endpoint_auth_signing_alg`, if it did: that
    /// decides where the key says nothing. [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2).
    pub fn signing_with(&self, registered: Option<Algorithm>) -> Result<PublicJwk, KeyFault> {
        match registered {
            Some(algorithm) if algorithm != self.jwk.algorithm => {
                if self.says_algorithm || !self.jwk.material.fits(algorithm) {
                    return Err(KeyFault::Pinned);
                }
                Ok(PublicJwk { algorithm, ..self.jwk.clone() })
            }
            _ => Ok(self.jwk.clone()),
        }
    }

    /// The same as a key that a client registers now.
    pub fn of_client(
        &self,
        registered: Option<Algorithm>,
        created: Timestamp,
    ) -> Result<Credential<ClientKey>, KeyFault> {
        let jwk = self.signing_with(registered)?;
        let mut key = Credential::of_key(jwk, created);
        key.verifier.algorithm_is_open = !self.says_algorithm;
        Ok(key)
    }
}
