//! One strict way to take a JWT apart and to check its signature.
//!
//! `jsonwebtoken` accepts padding, unknown `crit` headers and any `typ`, and reads the wall clock;
//! so only its signature check is used, and everything around it is done here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::key_material::Material;

/// Longer texts are no JWT that anybody sends us in earnest.
const LONGEST: usize = 32 * 1024;

/// A JWT taken apart; nothing is verified yet.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    /// The claims as they were signed.
    pub(super) payload: Vec<u8>,
    signed: &'a str,
    signature: &'a str,
}

/// The JOSE header: [RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4). Where it says
/// how to find a key (`jku`, `jwk`, `x5u` …) it is not listened to.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<Value>,
}

/// A member that is `null` is there: only an absent one is `None`.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl<'a> Parts<'a> {
    /// Takes a compact JWS apart; `None` if it is not exactly that, without extensions.
    pub(super) fn of(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') || signature.is_empty() {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(header).ok()?;
        // A list of the right length would do for the parser.
        if !header.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let header: Header = serde_json::from_slice(&header).ok()?;
        if header.crit.is_some() || header.b64.is_some() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        // Checked here, because the library accepts padding.
        URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header, payload, signed, signature })
    }

    /// Whether this key, with its own algorithm and no other, made the signature.
    #[must_use]
    pub(super) fn is_signed_by(&self, algorithm: Algorithm, key: &DecodingKey) -> bool {
        self.header.alg == algorithm.as_str()
            && jsonwebtoken::crypto::verify(
                self.signature,
                self.signed.as_bytes(),
                key,
                super::algorithm(algorithm),
            )
            .unwrap_or(false)
    }
}

/// The key as the verifier takes it.
pub(super) fn decoding_key(jwk: &PublicJwk) -> DecodingKey {
    match &jwk.material {
        Material::Ec { x, y } => {
            DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat())
        }
        Material::Ed25519 { x } => DecodingKey::from_ed_der(x),
        Material::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
    }
}
