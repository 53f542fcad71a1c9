//! The keys of a registration: as one JWK, a JWK Set or PEM.

use rsa::pkcs1::RsaPublicKey;
use rsa::pkcs8::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use rsa::pkcs8::{Document, der::Decode};
use serde_json::Value;

use crate::domain::jwk::PublicJwk;
use crate::domain::key_judge::KeyFault;
use crate::domain::key_material::Material;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

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
        "PUBLIC KEY" => from_spki(document.as_bytes())?,
        "RSA PUBLIC KEY" => from_pkcs1(document.as_bytes())?,
        private if private.ends_with("PRIVATE KEY") => return Err(KeyFault::Private),
        _ => return Err(KeyFault::Pem),
    };
    PublicJwk::of(material)
}

fn from_spki(der: &[u8]) -> Result<Material, KeyFault> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyFault::Pem)?;
    let bits = spki.subject_public_key.as_bytes().ok_or(KeyFault::Pem)?;
    match spki.algorithm.oid {
        ID_RSA => from_pkcs1(bits),
        ID_ED25519 => Ok(Material::Ed25519 { x: bits.to_vec() }),
        ID_EC_PUBLIC_KEY if spki.algorithm.parameters_oid() == Ok(ID_P256) => match bits {
            [4, point @ ..] if point.len() == 64 => {
                let (x, y) = point.split_at(32);
                Ok(Material::Ec { x: x.to_vec(), y: y.to_vec() })
            }
            _ => Err(KeyFault::NotOnCurve),
        },
        ID_EC_PUBLIC_KEY => Err(KeyFault::Curve),
        _ => Err(KeyFault::Type),
    }
}

fn from_pkcs1(der: &[u8]) -> Result<Material, KeyFault> {
    let key = RsaPublicKey::from_der(der).map_err(|_| KeyFault::Pem)?;
    let (n, e) = (key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec());
    Ok(Material::Rsa { n, e })
}
