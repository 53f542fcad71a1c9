//! Client assertions: reading those of others (and their proofs of possession), and signing our own
//! for the command line.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::domain::jwk::PublicJwk;
use crate::oauth::{ClientJwtReader, UnverifiedAssertion, VerifiedJwt};

use super::compact::{self, SigningError};
use super::private_key::PrivateKey;
use super::strict::Parts;
use super::verifying_key::VerifyingKey;

/// Reads strictly what clients sign.
#[derive(Clone, Copy, Debug)]
pub struct StrictReader;

impl ClientJwtReader for StrictReader {
    fn read(&self, assertion: &str) -> Option<UnverifiedAssertion> {
        let parts = Parts::of(assertion)?;
        let Subject { sub: subject } = serde_json::from_slice(&parts.payload).ok()?;
        let header = parts.header;
        Some(UnverifiedAssertion {
            algorithm: header.alg,
            kid: header.kid,
            typ: header.typ,
            subject,
        })
    }

    fn verify(&self, jwt: &str, key: &PublicJwk) -> Option<VerifiedJwt> {
        let parts = Parts::of(jwt)?;
        if !parts.is_signed_by(&VerifyingKey::of(key)?) {
            return None;
        }
        let claims = parts.claims()?;
        Some(VerifiedJwt { typ: parts.header.typ, claims })
    }
}

/// What is looked at before anything was proved: all other claims are passed over.
#[derive(Deserialize)]
struct Subject {
    sub: Option<String>,
}

/// The claims of an assertion: RFC 7523 §3, as RFC 10070 has them.
#[derive(Clone, Debug, Serialize)]
pub struct Assertion {
    /// The client.
    pub iss: String,
    /// The client again.
    pub sub: String,
    /// The issuer that it is for.
    pub aud: String,
    /// Used once.
    pub jti: String,
    /// When it was signed.
    pub iat: Timestamp,
    /// When it ends.
    pub exp: Timestamp,
}

/// Signs an assertion with a client's own key.
pub fn sign_assertion(
    assertion: &Assertion,
    key: &PrivateKey,
    kid: &str,
) -> Result<String, SigningError> {
    compact::sign("JWT", kid, assertion, key)
}
