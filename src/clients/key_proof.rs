//! Proof of possession: whoever registers a key shows that the private half is there.
//!
//! Without it, a key that is not one's own could be registered, and what its owner signs be taken
//! for the word of another client.

use std::time::Duration;

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::jwk::PublicJwk;
use crate::domain::short_lived_jwt::{Fault, Rules, ShortLived, is_of_type};
use crate::oauth::{ClientJwtReader, VerifiedJwt};

/// The `typ` of a proof: it is never good as an assertion, nor an assertion as a proof.
pub const PROOF_TYPE: &str = "latchkey-key-proof+jwt";

/// How long a proof may live.
pub const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofFault {
    /// Not for us, or not for us alone.
    #[error("`aud` must be the issuer, and nothing else")]
    Audience,
    /// Its life is over, has not begun, or is too long.
    #[error("`iat` and `exp` are required, at most 300 seconds apart, with now between them")]
    Life,
    /// No name to remember it by.
    #[error("`jti` is required: a string of 1 to 256 characters")]
    Jti,
    /// It is no text.
    #[error("must be a JWT, or a list of them")]
    Malformed,
    /// A key has none.
    #[error("each key needs one: a JWT, signed by it, of type latchkey-key-proof+jwt")]
    Missing,
    /// None of the keys signed it.
    #[error("none of the keys that are being registered signed it, or signed one already")]
    Signature,
    /// It names another key.
    #[error("`jkt` must be the RFC 7638 thumbprint of the key")]
    Thumbprint,
    /// A JWT for something else.
    #[error("`typ` must be latchkey-key-proof+jwt")]
    Type,
    /// It was used before.
    #[error("it was used before")]
    Used,
}

/// A proof that was found good; it is yet to be used up.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) thumbprint: String,
    pub(super) jti: String,
    pub(super) exp: Timestamp,
}

/// Checks every proof, each of another of the keys.
pub(super) fn check_all(
    proofs: &[String],
    keys: &[&PublicJwk],
    reader: &dyn ClientJwtReader,
    issuer: &str,
    (now, skew): (Timestamp, Duration),
) -> Result<Vec<Proof>, ProofFault> {
    // Each is tried with each key: no more than there can be.
    if proofs.len() > keys.len() {
        return Err(ProofFault::Signature);
    }
    let mut good: Vec<Proof> = Vec::with_capacity(proofs.len());
    for proof in proofs {
        let signed = keys.iter().find_map(|key| {
            let thumbprint = key.thumbprint();
            let is_new = good.iter().all(|proof| proof.thumbprint != thumbprint);
            let verified = reader.verify(proof, key).filter(|_| is_new)?;
            Some((thumbprint, verified))
        });
        let (thumbprint, verified) = signed.ok_or(ProofFault::Signature)?;
        good.push(check(verified, thumbprint, issuer, now, skew)?);
    }
    Ok(good)
}

fn check(
    VerifiedJwt { typ, mut claims }: VerifiedJwt,
    thumbprint: String,
    issuer: &str,
    now: Timestamp,
    skew: Duration,
) -> Result<Proof, ProofFault> {
    if !typ.is_some_and(|typ| is_of_type(&typ, &[PROOF_TYPE])) {
        return Err(ProofFault::Type);
    }
    let longest_life = LONGEST_LIFE;
    let rules = Rules { audience: issuer, other_audience: None, longest_life, skew };
    let ShortLived { iat, exp, jti } =
        ShortLived::judge(&mut claims, &rules, now).map_err(ProofFault::of)?;
    if iat.is_none() {
        return Err(ProofFault::Life);
    }
    if claims.get("jkt").and_then(Value::as_str) != Some(&*thumbprint) {
        return Err(ProofFault::Thumbprint);
    }
    Ok(Proof { thumbprint, jti, exp })
}

impl ProofFault {
    fn of(fault: Fault) -> Self {
        match fault {
            Fault::Audience => Self::Audience,
            Fault::Date | Fault::Expired | Fault::Future | Fault::LongLife | Fault::NoExpiry => {
                Self::Life
            }
            Fault::Jti => Self::Jti,
        }
    }
}
