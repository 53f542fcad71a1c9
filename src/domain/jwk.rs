//! Public keys as [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517) writes them.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::id::CredentialId;
use super::key_fault::KeyFault;
use super::key_judge;
use super::key_material::{Curve, Material};
use super::key_strength;

pub use super::algorithm::Algorithm;

/// A public key that was judged and found good: `kid` and `alg` are always set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicJwk {
    /// Its name: what the registration says, else the RFC 7638 thumbprint.
    pub kid: String,
    /// The one algorithm that it verifies.
    pub algorithm: Algorithm,
    /// The key itself.
    pub material: Material,
}

impl PublicJwk {
    /// Reads and judges one JWK: [RFC 7517 §4](https://www.rfc-editor.org/rfc/rfc7517#section-4).
    ///
    /// No `kid`: the thumbprint. No `alg`: RS256, EdDSA or what goes with the curve.
    pub fn parse(jwk: &Value) -> Result<Self, KeyFault> {
        let members = jwk.as_object().ok_or(KeyFault::NotAnObject)?;
        key_judge::public_only(members)?;
        key_judge::for_signatures(members)?;
        let material = material(members)?;
        key_strength::strong(&material)?;
        key_judge::certified(members, &material)?;
        let algorithm = match text(members, "alg")? {
            Some(name) => name.parse()?,
            None => material.natural_algorithm(),
        };
        if !material.fits(algorithm) {
            return Err(KeyFault::Algorithm);
        }
        let kid = match text(members, "kid")? {
            Some(kid)
                if (1..=256).contains(&kid.chars().count())
                    && !kid.chars().any(char::is_control) =>
            {
                kid.to_owned()
            }
            Some(_) => return Err(KeyFault::Kid),
            None => thumbprint(&material),
        };
        Ok(Self { kid, algorithm, material })
    }

    /// How large it is: of RSA the bits of the modulus, of a curve those of its field.
    #[must_use]
    pub fn bits(&self) -> usize {
        match &self.material {
            Material::Ec { curve, .. } => curve.bits(),
            Material::Ed25519 { .. } => 256,
            Material::Rsa { n, .. } => {
                n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize)
            }
        }
    }

    /// Makes a key of judged numbers, under its thumbprint and its natural algorithm.
    pub fn of(material: Material) -> Result<Self, KeyFault> {
        key_strength::strong(&material)?;
        let algorithm = material.natural_algorithm();
        Ok(Self { kid: thumbprint(&material), algorithm, material })
    }

    /// The SHA-256 thumbprint: [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.material)
    }

    /// The id of this key as a credential: the beginning of its thumbprint.
    #[must_use]
    pub fn credential_id(&self) -> CredentialId {
        CredentialId::from(self.thumbprint().get(..CredentialId::KEY_LENGTH).unwrap_or_default())
    }

    /// The key as a JWK, public members only.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut jwk = required_members(&self.material);
        let rest = json!({ "kid": self.kid, "alg": self.algorithm.as_str(), "use": "sig" });
        if let (Some(jwk), Value::Object(rest)) = (jwk.as_object_mut(), rest) {
            jwk.extend(rest);
        }
        jwk
    }
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, KeyFault> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::Member(name)),
    }
}

fn material(members: &Map<String, Value>) -> Result<Material, KeyFault> {
    // Without padding: RFC 7515 §2.
    let bytes = |name| {
        let text = text(members, name)?.ok_or(KeyFault::Member(name))?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyFault::Member(name))
    };
    let number = |name| -> Result<Vec<u8>, KeyFault> {
        let bytes: Vec<u8> = bytes(name)?;
        let significant = bytes.iter().position(|byte| *byte != 0).ok_or(KeyFault::Member(name))?;
        Ok(bytes.get(significant..).unwrap_or_default().to_vec())
    };
    let named = text(members, "crv")?;
    let curve = named.and_then(|named| named.parse::<Curve>().ok());
    match (text(members, "kty")?, curve) {
        (Some("RSA"), _) => Ok(Material::Rsa { n: number("n")?, e: number("e")? }),
        (Some("EC"), Some(curve)) => Ok(Material::Ec { curve, x: bytes("x")?, y: bytes("y")? }),
        (Some("OKP"), None) if named == Some("Ed25519") => Ok(Material::Ed25519 { x: bytes("x")? }),
        (Some("EC" | "OKP"), _) => Err(KeyFault::Curve),
        _ => Err(KeyFault::Type),
    }
}

/// The members that the thumbprint is made of, in its order:
/// [RFC 7638 §3.2](https://www.rfc-editor.org/rfc/rfc7638#section-3.2).
fn required_members(material: &Material) -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match material {
        Material::Ec { curve, x, y } => {
            json!({ "crv": curve.as_str(), "kty": "EC", "x": encode(x), "y": encode(y) })
        }
        Material::Ed25519 { x } => json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(x) }),
        Material::Rsa { n, e } => json!({ "e": encode(e), "kty": "RSA", "n": encode(n) }),
    }
}

fn thumbprint(material: &Material) -> String {
    let canonical = required_members(material).to_string();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7638_s3_1_example() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let key = PublicJwk::parse(&jwk).unwrap();
        assert_eq!(key.kid, "2011-04-29");
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc8037_appendix_a_3_example() {
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let key = PublicJwk::parse(&jwk).unwrap();
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.algorithm, Algorithm::EdDSA);
    }
}
