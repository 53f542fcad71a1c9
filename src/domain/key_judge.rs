//! Which submitted public keys are good enough to be trusted with a client.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::key_material::Material;

/// Why a key is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// The algorithm is unknown, or does not go with the type of the key.
    #[error("`alg` must be RS256, PS256, ES256 or EdDSA, and go with the type of the key")]
    Algorithm,
    /// Another curve.
    #[error("`crv` must be P-256 for EC keys or Ed25519 for OKP keys")]
    Curve,
    /// An exponent that makes forging easy.
    #[error("the RSA exponent must be odd and at least 65537")]
    Exponent,
    /// No usable name.
    #[error("`kid` must be 1 to 256 characters, none of them a control character")]
    Kid,
    /// A member is missing or malformed.
    #[error("the member `{0}` of the key is missing or malformed")]
    Member(&'static str),
    /// Something else than a JSON object.
    #[error("a key is a JSON object")]
    NotAnObject,
    /// Coordinates of no point.
    #[error("the key is no point on its curve")]
    NotOnCurve,
    /// No PEM that we read.
    #[error("the PEM must hold one public key, as SPKI or as PKCS#1")]
    Pem,
    /// A private key was sent.
    #[error("this is a private key: send the public half only, and treat this one as compromised")]
    Private,
    /// A modulus of the wrong size or shape.
    #[error("an RSA modulus must be odd and have 2048 to 8192 bits")]
    Modulus,
    /// Two keys of one name.
    #[error("two keys have the same `kid`")]
    RepeatedKid,
    /// A shared secret.
    #[error("a symmetric key cannot be registered")]
    Symmetric,
    /// Another type.
    #[error("`kty` must be RSA, EC or OKP")]
    Type,
    /// A key that is for something else.
    #[error("`use` must be `sig` and `key_ops` must be `verify`, where they are given")]
    Use,
    /// The key comes from a generator known to be broken.
    #[error("this RSA key can be factored (CVE-2017-15361): make another with a current tool")]
    Weak,
}

/// Refuses private and symmetric members: RFC 7518 §6.2.2, §6.3.2, §6.4.
pub(super) fn public_only(members: &Map<String, Value>) -> Result<(), KeyFault> {
    if members.contains_key("k") {
        return Err(KeyFault::Symmetric);
    }
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth"];
    match private.iter().any(|name| members.contains_key(*name)) {
        true => Err(KeyFault::Private),
        false => Ok(()),
    }
}

/// Refuses keys marked for something else: RFC 7517 §4.2, §4.3.
pub(super) fn for_signatures(members: &Map<String, Value>) -> Result<(), KeyFault> {
    let usage = members.get("use").is_none_or(|usage| usage == "sig");
    let operations = members.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| {
            // Some generators write `["sign", "verify"]` into both halves' descriptions.
            list.iter().any(|op| op == "verify")
                && list.iter().all(|op| op == "verify" || op == "sign")
        })
    });
    if usage && operations { Ok(()) } else { Err(KeyFault::Use) }
}

/// Refuses numbers that make a weak key, or none.
pub(super) fn strong(material: &Material) -> Result<(), KeyFault> {
    match material {
        Material::Ec { x, y } if x.len() == 32 && y.len() == 32 => {
            let point: Vec<u8> = [&[4], x.as_slice(), y.as_slice()].concat();
            let parsed = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).parse();
            parsed.map(|_| ()).map_err(|_| KeyFault::NotOnCurve)
        }
        Material::Ec { .. } => Err(KeyFault::NotOnCurve),
        Material::Ed25519 { x } if x.len() == 32 => {
            let parsed = UnparsedPublicKey::new(&ED25519, x).parse();
            parsed.map(|_| ()).map_err(|_| KeyFault::NotOnCurve)
        }
        Material::Ed25519 { .. } => Err(KeyFault::NotOnCurve),
        Material::Rsa { n, e } => {
            exponent(e)?;
            modulus(n)
        }
    }
}

fn exponent(e: &[u8]) -> Result<(), KeyFault> {
    let odd = e.last().is_some_and(|byte| byte % 2 == 1);
    let large = match e.len() {
        0..=2 => false,
        3 => e >= [1, 0, 1].as_slice(),
        4 => true,
        // Larger ones are of no use, and some verifiers refuse them.
        _ => false,
    };
    if odd && large { Ok(()) } else { Err(KeyFault::Exponent) }
}

fn modulus(n: &[u8]) -> Result<(), KeyFault> {
    let leading_zeros = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = n.len() * 8 - leading_zeros;
    if !(2048..=8192).contains(&bits) || n.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(KeyFault::Modulus);
    }
    if has_small_factor(n) {
        return Err(KeyFault::Modulus);
    }
    if is_roca(n) { Err(KeyFault::Weak) } else { Ok(()) }
}

/// The odd primes up to 167.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

fn remainder(n: &[u8], prime: u32) -> u32 {
    n.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn has_small_factor(n: &[u8]) -> bool {
    PRIMES.iter().any(|prime| remainder(n, *prime) == 0)
}

/// The fingerprint of "Return of Coppersmith's attack": modulo each small prime, the modulus is a
/// power of 65537. A sound key passes for one with a chance of about 2^-27.
fn is_roca(n: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let wanted = remainder(n, *prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(*prime as usize).any(|power| power == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::jwk::PublicJwk;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    /// RFC 7638 §3.1, a sound 2048-bit key.
    const SOUND: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn submitted_keys_are_judged() {
        let rsa = |n: &str, e: &str| json!({ "kty": "RSA", "n": n, "e": e });
        let with = |name: &str, value: Value| {
            let mut key = rsa(SOUND, "AQAB");
            key[name] = value;
            key
        };
        // RFC 7517 Appendix A.1
        let x = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
        let y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
        let even = URL_SAFE_NO_PAD.encode([vec![0xff_u8; 255], vec![0xfe]].concat());
        let odd = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff_u8; bytes]);

        #[rustfmt::skip]
        let cases = [
            ("sound RSA",           rsa(SOUND, "AQAB"),                                   None),
            ("padded base64",       rsa(&format!("{SOUND}=="), "AQAB"),                   None),
            ("RSA256",              with("alg", json!("RSA256")),                         None),
            ("PS256",               with("alg", json!("PS256")),                          None),
            ("sound EC",            json!({"kty":"EC","crv":"P-256","x":x,"y":y}),        None),
            ("point off the curve", json!({"kty":"EC","crv":"P-256","x":y,"y":x}),        Some(KeyFault::NotOnCurve)),
            ("wrong curve label",   json!({"kty":"EC","crv":"P-384","x":x,"y":y}),        Some(KeyFault::Curve)),
            ("X25519",              json!({"kty":"OKP","crv":"X25519","x":x}),            Some(KeyFault::Curve)),
            ("short Ed25519",       json!({"kty":"OKP","crv":"Ed25519","x":"AAAA"}),      Some(KeyFault::NotOnCurve)),
            ("exponent 3",          rsa(SOUND, "Aw"),                                     Some(KeyFault::Exponent)),
            ("exponent 65536",      rsa(SOUND, "AQAA"),                                   Some(KeyFault::Exponent)),
            ("1024 bits",           rsa(&odd(128), "AQAB"),                               Some(KeyFault::Modulus)),
            ("even modulus",        rsa(&even, "AQAB"),                                   Some(KeyFault::Modulus)),
            ("small factor",        rsa(&odd(256), "AQAB"),                               Some(KeyFault::Modulus)),
            ("private member",      with("d", json!("AQAB")),                             Some(KeyFault::Private)),
            ("symmetric",           json!({"kty":"oct","k":"c2VjcmV0"}),                  Some(KeyFault::Symmetric)),
            ("HS256 on an RSA key", with("alg", json!("HS256")),                          Some(KeyFault::Algorithm)),
            ("none",                with("alg", json!("none")),                           Some(KeyFault::Algorithm)),
            ("ES256 on an RSA key", with("alg", json!("ES256")),                          Some(KeyFault::Algorithm)),
            ("for encryption",      with("use", json!("enc")),                            Some(KeyFault::Use)),
            ("for verifying",       with("key_ops", json!(["verify"])),                   None),
            ("for wrapping",        with("key_ops", json!(["wrapKey"])),                  Some(KeyFault::Use)),
            ("empty kid",           with("kid", json!("")),                               Some(KeyFault::Kid)),
            ("kid is a number",     with("kid", json!(1)),                                Some(KeyFault::Member("kid"))),
            ("no modulus",          json!({"kty":"RSA","e":"AQAB"}),                      Some(KeyFault::Member("n"))),
            ("no type",             json!({}),                                            Some(KeyFault::Type)),
            ("null",                Value::Null,                                          Some(KeyFault::NotAnObject)),
        ];
        for (why, jwk, fault) in cases {
            assert_eq!(PublicJwk::parse(&jwk).err(), fault, "{why}");
        }
    }

    #[test]
    fn roca_fingerprint() {
        assert!(!is_roca(&URL_SAFE_NO_PAD.decode(SOUND).unwrap()));
        // 65537^200 is a power of 65537 modulo every prime.
        let mut n = vec![1_u8];
        for _ in 0..200 {
            n = [n.as_slice(), &[0, 0]]
                .concat()
                .iter()
                .rev()
                .zip([&[0, 0], n.as_slice()].concat().iter().rev())
                .scan(0_u16, |carry, (a, b)| {
                    let sum = u16::from(*a) + u16::from(*b) + *carry;
                    *carry = sum >> 8;
                    Some((sum & 0xff) as u8)
                })
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
        }
        assert!(is_roca(&n));
    }
}
