//! Proof of possession: whoever registers a key shows that the private half is there.
//!
//! Without it, a key that is not one's own could be registered, and what its owner signs be taken
//! for the word of another client.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::clock::Timestamp;
use crate::domain::jwk::PublicJwk;

use super::{ProofReader, VerifiedProof};

/// The `typ` of a proof: it is never good as an assertion, nor an assertion as a proof.
pub const PROOF_TYPE: &str = "latchkey-key-proof+jwt";

/// How long a proof may live.
pub const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// How long a `jti` may be, in characters.
const LONGEST_JTI: usize = 256;

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
    reader: &dyn ProofReader,
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
    VerifiedProof { typ, claims }: VerifiedProof,
    thumbprint: String,
    issuer: &str,
    now: Timestamp,
    skew: Duration,
) -> Result<Proof, ProofFault> {
    let typ = typ.unwrap_or_default().to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != PROOF_TYPE {
        return Err(ProofFault::Type);
    }
    if !is_for(issuer, claims.get("aud")) {
        return Err(ProofFault::Audience);
    }
    if claims.get("jkt").and_then(Value::as_str) != Some(&*thumbprint) {
        return Err(ProofFault::Thumbprint);
    }
    let exp = end_of_life(&claims, now, skew).ok_or(ProofFault::Life)?;
    let jti = claims.get("jti").and_then(Value::as_str);
    let jti = jti.filter(|jti| (1..=LONGEST_JTI).contains(&jti.chars().count()));
    let jti = jti.ok_or(ProofFault::Jti)?.to_owned();
    Ok(Proof { thumbprint, jti, exp })
}

fn is_for(issuer: &str, aud: Option<&Value>) -> bool {
    match aud {
        Some(Value::String(only)) => only == issuer,
        Some(Value::Array(list)) => matches!(&list[..], [Value::String(only)] if only == issuer),
        _ => false,
    }
}

/// `exp`, if the proof is alive and does not live too long. The skew forgives `iat` and `nbf`, and
/// never `exp`.
fn end_of_life(claims: &Map<String, Value>, now: Timestamp, skew: Duration) -> Option<Timestamp> {
    let date = |name| claims.get(name).map(|date| date.as_u64().map(Timestamp));
    let (iat, exp) = (date("iat")??, date("exp")??);
    let nbf = date("nbf").unwrap_or(Some(iat))?;
    let begun = iat.max(nbf) <= now + skew;
    let short = exp <= iat + LONGEST_LIFE && exp <= now + LONGEST_LIFE + skew;
    (begun && short && now < exp).then_some(exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_proof_lives_five_minutes_at_the_most() {
        #[rustfmt::skip]
        let cases = [
            // why                          iat            exp          alive from, to
            ("five minutes",                json!(1000),   json!(1300), Some((970, 1299))),
            ("a second too long",           json!(1000),   json!(1301), None),
            ("an instant",                  json!(1000),   json!(1001), Some((970, 1000))),
            ("ends before it begins",       json!(1000),   json!(999),  Some((970, 998))),
            ("no exp",                      json!(1000),   json!(null), None),
            ("no iat",                      json!(null),   json!(1300), None),
            ("dates that are texts",        json!("1000"), json!("1300"), None),
        ];
        for (why, iat, exp, life) in cases {
            let claims = json!({ "iat": iat, "exp": exp });
            let claims = claims.as_object().unwrap();
            for now in 900..1400 {
                let alive = life.is_some_and(|(from, to)| (from..=to).contains(&now));
                let end = end_of_life(claims, Timestamp(now), Duration::from_secs(30));
                assert_eq!(end.is_some(), alive, "{why}, at {now}");
            }
        }
    }
}
