//! The keys of a registration: as one JWK, a JWK Set or PEM.

use rsa::pkcs8::Document;
use serde_json::Value;

use crate::domain::jwk::PublicJwk;
use crate::domain::key_judge::KeyFault;
use crate::domain::spki;

/// Reads every key of a JWK Set: [RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5).
/// At least one, each under a name of its own.
pub fn from_jwks(set: &Value) -> Result<Vec<PublicJwk>, KeyFault> {
    let listed = set.get("keys").and_then(Value::as_array).ok_or(KeyFault::Member("keys"))?;
    let keys: Vec<PublicJwk> = listed.iter().map(PublicJwk::parse).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(KeyFault::Member("keys"));
    }
    let mut names: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == keys.len() { Ok(keys) } else { Err(KeyFault::RepeatedKid) }
}

/// Reads a public key in PEM, as SPKI (`PUBLIC KEY`) or as PKCS#1 (`RSA PUBLIC KEY`).
pub fn from_pem(pem: &str) -> Result<PublicJwk, KeyFault> {
    let (label, document) = Document::from_pem(pem.trim()).map_err(|_| KeyFault::Pem)?;
    let material = match label {
        "PUBLIC KEY" => spki::material(document.as_bytes())?,
        "RSA PUBLIC KEY" => spki::rsa_material(document.as_bytes())?,
        private if private.ends_with("PRIVATE KEY") => return Err(KeyFault::Private),
        _ => return Err(KeyFault::Pem),
    };
    PublicJwk::of(material)
}
