//! Proofs of possession: verifying those of others, and signing our own for the command line.

use jsonwebtoken::Header;
use serde::Serialize;

use crate::domain::clock::Timestamp;
use crate::domain::jwk::PublicJwk;
use crate::registry::key_proof::PROOF_TYPE;
use crate::registry::{ProofReader, VerifiedProof};

use super::assertion::StrictReader;
use super::private_key::PrivateKey;
use super::provider;
use super::strict::{Parts, decoding_key};

impl ProofReader for StrictReader {
    fn verify(&self, proof: &str, key: &PublicJwk) -> Option<VerifiedProof> {
        let parts = Parts::of(proof)?;
        if !parts.is_signed_by(key.algorithm, &decoding_key(key)) {
            return None;
        }
        let claims = serde_json::from_slice(&parts.payload).ok()?;
        Some(VerifiedProof { typ: parts.header.typ, claims })
    }
}

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
pub fn sign_key_proof(
    proof: &KeyProof,
    key: &PrivateKey,
) -> Result<String, jsonwebtoken::errors::Error> {
    provider::install();
    let mut header = Header::new(super::algorithm(key.public().algorithm));
    header.kid = Some(key.public().kid.clone());
    header.typ = Some(PROOF_TYPE.to_owned());
    jsonwebtoken::encode(&header, proof, &key.encoding_key())
}
