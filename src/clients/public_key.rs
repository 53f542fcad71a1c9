//! The keys of a registration: as one JWK, a JWK Set or PEM.

use std::fmt;

use serde_json::Value;

use crate::domain::algorithm::Algorithm;
use crate::domain::client::ClientKey;
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::jwk::PublicJwk;
use crate::domain::key_fault::KeyFault;
use crate::domain::printable::excerpt;
use crate::domain::submitted_jwk::SubmittedJwk;
use crate::domain::{pem, spki};

/// How many keys may be sent at once, whether a client may have them or not: each is judged, which
/// takes a while.
pub const MOST_LISTED: usize = 64;

/// Keys as they were sent. None of them is judged yet: of many or large ones that takes a while.
#[derive(Debug, Default)]
pub enum SentKeys {
    /// None.
    #[default]
    None,
    /// One as a JWK.
    Jwk(Value),
    /// Those of a JWK Set.
    Set(Vec<Value>),
    /// One as PEM.
    Pem(String),
}

impl SentKeys {
    /// Whether no key was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Judges them. If keys were sent there is at least one that can be used.
    pub(super) fn judge(self) -> Result<KeySet, KeyFault> {
        match self {
            Self::None => Ok(KeySet::default()),
            Self::Jwk(jwk) => Ok(KeySet::of(SubmittedJwk::parse(&jwk)?)),
            Self::Set(listed) => from_jwks(&listed),
            Self::Pem(text) => Ok(KeySet::of(from_pem(&text)?)),
        }
    }
}

/// Keys that were sent: those that can be used, and those that are passed over.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    usable: Vec<SubmittedJwk>,
    left_out: Vec<LeftOut>,
}

/// A key that is not taken although others are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeftOut {
    name: String,
    why: KeyFault,
}

impl LeftOut {
    /// The key of this place in its list.
    pub(super) fn at(place: usize, jwk: &Value, why: KeyFault) -> Self {
        let name = match jwk.get("kid").and_then(Value::as_str) {
            Some(kid) => format!("`{}`", excerpt(kid)),
            None => format!("number {}", place + 1),
        };
        Self { name, why }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {} is left out: {}", self.name, self.why)
    }
}

impl KeySet {
    fn of(key: SubmittedJwk) -> Self {
        Self { usable: vec![key], left_out: Vec::new() }
    }

    /// The keys of a client that registered this `token_endpoint_auth_signing_alg`, if it did, each
    /// under a name of its own. If keys were sent there is at least one.
    pub(super) fn of_client(
        self,
        registered: Option<Algorithm>,
        created: Timestamp,
    ) -> Result<(Vec<Credential<ClientKey>>, Vec<LeftOut>), KeyFault> {
        let Self { usable, mut left_out } = self;
        let mut keys: Vec<Credential<ClientKey>> = Vec::with_capacity(usable.len());
        for key in &usable {
            match key.of_client(registered, created) {
                Ok(key) => keys.push(key),
                Err(why) => {
                    let name = format!("`{}`", excerpt(key.kid()));
                    left_out.push(LeftOut { name, why });
                }
            }
        }
        if let (true, Some(LeftOut { why, .. })) = (keys.is_empty(), left_out.last()) {
            return Err(*why);
        }
        let mut names: Vec<&str> = keys.iter().map(|key| key.verifier.jwk.kid.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() == keys.len() { Ok((keys, left_out)) } else { Err(KeyFault::RepeatedKid) }
    }
}

/// Reads the keys of a JWK Set: [RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5), which says to
/// pass over keys that cannot be used. One at least can; what must not be sent at all refuses the
/// whole.
fn from_jwks(listed: &[Value]) -> Result<KeySet, KeyFault> {
    let mut keys = KeySet::default();
    for (place, jwk) in listed.iter().enumerate() {
        match SubmittedJwk::parse(jwk) {
            Ok(key) => keys.usable.push(key),
            Err(why) if why.refuses_all() => return Err(why),
            Err(why) => keys.left_out.push(LeftOut::at(place, jwk, why)),
        }
    }
    match keys.left_out.first() {
        _ if !keys.usable.is_empty() => Ok(keys),
        Some(LeftOut { why, .. }) => Err(*why),
        None => Err(KeyFault::Member("keys")),
    }
}

/// Reads a public key in PEM, as SPKI (`PUBLIC KEY`) or as PKCS#1 (`RSA PUBLIC KEY`).
pub(super) fn from_pem(text: &str) -> Result<SubmittedJwk, KeyFault> {
    let (label, der) = pem::decode(text)?;
    let material = match label {
        "PUBLIC KEY" => spki::material(&der)?,
        "RSA PUBLIC KEY" => spki::rsa_material(&der)?,
        private if private.ends_with("PRIVATE KEY") => return Err(KeyFault::Private),
        _ => return Err(KeyFault::Pem),
    };
    Ok(SubmittedJwk::silent(PublicJwk::of(material)?))
}
