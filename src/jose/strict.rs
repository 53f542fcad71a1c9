//! One strict way to take a JWT apart and to check its signature.
//!
//! `jsonwebtoken` accepts padding, any `typ` and a member that is there twice, and reads the wall
//! clock; so it reads no JWT here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::strict_json;
use crate::domain::token_size::LONGEST;

use super::verifying_key::VerifyingKey;

/// A JWT taken apart; nothing is verified yet.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    /// The claims as they were signed.
    pub(super) payload: Vec<u8>,
    signed: &'a str,
    signature: Vec<u8>,
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
        let header = Value::Object(strict_json::object(&header).ok()?);
        let header: Header = serde_json::from_value(header).ok()?;
        if header.crit.is_some() || header.b64.is_some() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header, payload, signed, signature })
    }

    /// The claims, each there once: [RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4).
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        strict_json::object(&self.payload).ok()
    }

    /// Whether this key, with its own algorithm and no other, made the signature.
    #[must_use]
    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.algorithm.is_named(&self.header.alg)
            && key.verifies(self.signed.as_bytes(), &self.signature)
    }
}
