//! Which submitted public keys are good enough to be trusted with a client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::key_fault::KeyFault;
use super::key_material::Material;
use super::spki;

impl KeyFault {
    /// Whether it is one that no set may hold, however good its other keys are.
    #[must_use]
    pub fn refuses_all(self) -> bool {
        matches!(self, Self::NotAnObject | Self::Private | Self::Symmetric)
    }
}

/// Refuses private and symmetric members: RFC 7518 §6.2.2, §6.3.2, §6.4; `priv` is that of the keys
/// of lattices.
pub(super) fn public_only(members: &Map<String, Value>) -> Result<(), KeyFault> {
    if members.contains_key("k") || members.get("kty").is_some_and(|kty| kty == "oct") {
        return Err(KeyFault::Symmetric);
    }
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
    match private.iter().any(|name| members.contains_key(*name)) {
        true => Err(KeyFault::Private),
        false => Ok(()),
    }
}

/// Refuses keys marked for something else: RFC 7517 §4.2, §4.3.
pub(super) fn for_signatures(members: &Map<String, Value>) -> Result<(), KeyFault> {
    if members.get("use").is_some_and(|usage| usage != "sig") {
        return Err(KeyFault::Use);
    }
    let Some(operations) = members.get("key_ops") else { return Ok(()) };
    let (mut verify, mut sign) = (0, 0);
    for operation in operations.as_array().ok_or(KeyFault::Use)? {
        match operation.as_str() {
            Some("verify") => verify += 1,
            // Some generators write `["sign", "verify"]` into both halves' descriptions.
            Some("sign") => sign += 1,
            _ => return Err(KeyFault::Use),
        }
    }
    match (verify, sign) {
        (1, 0 | 1) => Ok(()),
        (0, _) => Err(KeyFault::Use),
        _ => Err(KeyFault::RepeatedOperation),
    }
}

/// Refuses a chain of certificates that begins with another key:
/// [RFC 7517 §4.7](https://www.rfc-editor.org/rfc/rfc7517#section-4.7). It is not verified, and
/// proves nothing.
pub(super) fn certified(members: &Map<String, Value>, material: &Material) -> Result<(), KeyFault> {
    let Some(chain) = members.get("x5c") else { return Ok(()) };
    let first = chain.get(0).and_then(Value::as_str).ok_or(KeyFault::Member("x5c"))?;
    let first = STANDARD.decode(first).map_err(|_| KeyFault::Member("x5c"))?;
    match spki::certified_material(&first) {
        Ok(certified) if certified == *material => Ok(()),
        Ok(_) => Err(KeyFault::Certificate),
        Err(KeyFault::Der) => Err(KeyFault::Member("x5c")),
        Err(_) => Err(KeyFault::Certificate),
    }
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

    /// RFC 8037 Appendix A.2.
    const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const P384: (&str, &str) = (
        "L_kZp62guOQll086pb1inJUS_vJbYOg2A3iu4u_JKa_7iovHLHYm7xeiz3A8RdHK",
        "0ntY2GGVaYSrPRxzIJzTcFYrEf15NtKwANvOmfWp17VtJGGFFQqLtPZXCW6vKzoL",
    );
    const P521: (&str, &str) = (
        "AGR_Hq_ryGiVhfNMeYfFPcVXIXyijMaT_wahRZ-ftNQPUlQMlfG16YUSAji_JjwJ6QybVMO81Laq8mhBKJlTrZg1",
        "AeW1Fq34ilFg89a5dzjFywA2jXLQu02sE2-NAwb98POXTssluQD5T30cGXVQpJt22m9KRD9mWMVFXA3mVX2YE4nD",
    );

    fn okp(x: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
    }

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
            ("padded n",            rsa(&format!("{SOUND}=="), "AQAB"),                   Some(KeyFault::Member("n"))),
            ("padded e",            rsa(SOUND, "AQAB===="),                               Some(KeyFault::Member("e"))),
            ("plain base64",        rsa(&SOUND.replace(['-', '_'], "+"), "AQAB"),         Some(KeyFault::Member("n"))),
            ("RSA256",              with("alg", json!("RSA256")),                         None),
            ("PS256",               with("alg", json!("PS256")),                          None),
            ("RS512",               with("alg", json!("RS512")),                          None),
            ("Ed25519 on RSA",      with("alg", json!("Ed25519")),                        Some(KeyFault::Algorithm)),
            ("sound EC",            json!({"kty":"EC","crv":"P-256","x":x,"y":y}),        None),
            ("point off the curve", json!({"kty":"EC","crv":"P-256","x":y,"y":x}),        Some(KeyFault::NotOnCurve)),
            ("padded x",            json!({"kty":"EC","crv":"P-256","x":format!("{x}="),"y":y}), Some(KeyFault::Member("x"))),
            ("wrong curve label",   json!({"kty":"EC","crv":"P-384","x":x,"y":y}),        Some(KeyFault::NotOnCurve)),
            ("ES384 on P-256",      json!({"kty":"EC","crv":"P-256","x":x,"y":y,"alg":"ES384"}), Some(KeyFault::Algorithm)),
            ("sound P-384",         json!({"kty":"EC","crv":"P-384","x":P384.0,"y":P384.1,"alg":"ES384"}), None),
            ("P-384, halves swapped", json!({"kty":"EC","crv":"P-384","x":P384.1,"y":P384.0}), Some(KeyFault::NotOnCurve)),
            ("ES256 on P-384",      json!({"kty":"EC","crv":"P-384","x":P384.0,"y":P384.1,"alg":"ES256"}), Some(KeyFault::Algorithm)),
            ("sound P-521",         json!({"kty":"EC","crv":"P-521","x":P521.0,"y":P521.1,"alg":"ES512"}), None),
            ("P-521, halves swapped", json!({"kty":"EC","crv":"P-521","x":P521.1,"y":P521.0}), Some(KeyFault::NotOnCurve)),
            ("secp256k1",           json!({"kty":"EC","crv":"secp256k1","x":x,"y":y}),    Some(KeyFault::Curve)),
            ("EC on Ed25519",       json!({"kty":"EC","crv":"Ed25519","x":x,"y":y}),      Some(KeyFault::Curve)),
            ("OKP on P-256",        json!({"kty":"OKP","crv":"P-256","x":x,"y":y}),       Some(KeyFault::Curve)),
            ("X25519",              json!({"kty":"OKP","crv":"X25519","x":x}),            Some(KeyFault::Curve)),
            ("sound Ed25519",       okp(ED25519),                                         None),
            ("padded Ed25519",      okp(&format!("{ED25519}=")),                          Some(KeyFault::Member("x"))),
            ("short Ed25519",       json!({"kty":"OKP","crv":"Ed25519","x":"AAAA"}),      Some(KeyFault::NotOnCurve)),
            ("exponent 3",          rsa(SOUND, "Aw"),                                     Some(KeyFault::Exponent)),
            ("exponent 65536",      rsa(SOUND, "AQAA"),                                   Some(KeyFault::Exponent)),
            ("1024 bits",           rsa(&odd(128), "AQAB"),                               Some(KeyFault::Modulus)),
            ("even modulus",        rsa(&even, "AQAB"),                                   Some(KeyFault::Modulus)),
            ("small factor",        rsa(&odd(256), "AQAB"),                               Some(KeyFault::Modulus)),
            ("private member",      with("d", json!("AQAB")),                             Some(KeyFault::Private)),
            ("private lattice",     json!({"kty":"AKP","alg":"ML-DSA-44","priv":"AA"}),   Some(KeyFault::Private)),
            ("public lattice",      json!({"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}),    Some(KeyFault::Type)),
            ("symmetric",           json!({"kty":"oct","k":"c2VjcmV0"}),                  Some(KeyFault::Symmetric)),
            ("symmetric, for encryption", json!({"kty":"oct","use":"enc"}),               Some(KeyFault::Symmetric)),
            ("HS256 on an RSA key", with("alg", json!("HS256")),                          Some(KeyFault::Algorithm)),
            ("none",                with("alg", json!("none")),                           Some(KeyFault::Algorithm)),
            ("ES256 on an RSA key", with("alg", json!("ES256")),                          Some(KeyFault::Algorithm)),
            ("for encryption",      with("use", json!("enc")),                            Some(KeyFault::Use)),
            ("for verifying",       with("key_ops", json!(["verify"])),                   None),
            ("for both",            with("key_ops", json!(["sign", "verify"])),           None),
            ("for verifying twice", with("key_ops", json!(["verify", "verify"])),         Some(KeyFault::RepeatedOperation)),
            ("for signing twice",   with("key_ops", json!(["sign", "verify", "sign"])),   Some(KeyFault::RepeatedOperation)),
            ("for signing",         with("key_ops", json!(["sign"])),                     Some(KeyFault::Use)),
            ("for nothing",         with("key_ops", json!([])),                           Some(KeyFault::Use)),
            ("for no list",         with("key_ops", json!("verify")),                     Some(KeyFault::Use)),
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
    fn rfc7517_s4_7_the_first_certificate_is_of_the_key() {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["b.test".to_owned()]).unwrap();
        let (cert, other) = (STANDARD.encode(made.cert.der()), STANDARD.encode(other.cert.der()));
        let material = spki::certified_material(made.cert.der()).unwrap();
        let jwk = PublicJwk::of(material).unwrap().to_json();
        let cut = &STANDARD.encode(&made.cert.der()[..40]);
        let member = Some(KeyFault::Member("x5c"));
        #[rustfmt::skip]
        let cases = [
            ("its own",                 json!([cert]),                       None),
            ("its own, and another",    json!([cert, other]),                None),
            ("another",                 json!([other]),                      Some(KeyFault::Certificate)),
            ("another first",           json!([other, cert]),                Some(KeyFault::Certificate)),
            ("empty",                   json!([]),                           member),
            ("no list",                 json!(cert),                         member),
            ("null",                    json!(null),                         member),
            ("a number",                json!([1]),                          member),
            ("not base64",              json!(["*"]),                        member),
            ("base64url",               json!(["-_-_"]),                     member),
            ("not a certificate",       json!(["AAAA"]),                     member),
            ("cut off",                 json!([cut]),                        member),
        ];
        for (why, chain, fault) in cases {
            let mut jwk = jwk.clone();
            jwk["x5c"] = chain;
            assert_eq!(PublicJwk::parse(&jwk).err(), fault, "{why}");
        }
    }
}
