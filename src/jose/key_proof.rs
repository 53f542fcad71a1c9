//! Proofs of possession: signing our own for the command line.

use serde::Serialize;

use crate::clients::key_proof::PROOF_TYPE;
use crate::domain::clock::Timestamp;

use super::compact::{self, SigningError};
use super::private_key::PrivateKey;

/// The claims of a proof of possession.
#[derive(Clone, Debug, Serialize)]
pub struct KeyProof {
    /// The issuer that it is for.
    pub aud: String,
    /// The thumbprint of the key.
    pub jkt: String,
    /// Used once.
    pub jti: String,
    /// When it was signed.
    pub iat: Timestamp,
    /// When it ends.
    pub exp: Timestamp,
}

/// Signs a proof with the key that it is about.
pub fn sign_key_proof(proof: &KeyProof, key: &PrivateKey) -> Result<String, SigningError> {
    compact::sign(PROOF_TYPE, &key.public().kid, proof, key)
}
