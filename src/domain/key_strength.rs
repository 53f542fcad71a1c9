//! Whether the numbers of a public key make a strong one.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use curve25519_dalek::edwards::CompressedEdwardsY;

use super::key_fault::KeyFault;
use super::key_material::{Curve, Material};

/// Refuses numbers that make a weak key, or none.
pub(super) fn strong(material: &Material) -> Result<(), KeyFault> {
    match material {
        Material::Ec { curve, x, y } => on_curve(*curve, x, y),
        Material::Ed25519 { x } => ed25519_point(x),
        Material::Rsa { n, e } => {
            exponent(e)?;
            modulus(n)
        }
    }
}

fn on_curve(curve: Curve, x: &[u8], y: &[u8]) -> Result<(), KeyFault> {
    let verifies: &'static EcdsaVerificationAlgorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED,
    };
    if x.len() != curve.coordinate() || y.len() != curve.coordinate() {
        return Err(KeyFault::NotOnCurve);
    }
    match ParsedPublicKey::new(verifies, [&[4], x, y].concat()) {
        Ok(_) => Ok(()),
        Err(_) => Err(KeyFault::NotOnCurve),
    }
}

/// A key of small order verifies signatures of everybody. A point has one encoding:
/// [RFC 8032 §5.1.3](https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3).
fn ed25519_point(x: &[u8]) -> Result<(), KeyFault> {
    let encoded = CompressedEdwardsY::from_slice(x).map_err(|_| KeyFault::NotOnCurve)?;
    match encoded.decompress() {
        Some(point) if point.compress() == encoded && !point.is_small_order() => Ok(()),
        _ => Err(KeyFault::NotOnCurve),
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
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// RFC 7638 §3.1, a sound 2048-bit key.
    const SOUND: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn rfc8032_s5_1_3_points_that_are_nobodys_key() {
        // Little-endian; the top bit is the sign of the other coordinate.
        let low = |first: u8| [&[first], [0; 31].as_slice()].concat();
        let high = |first: u8| [&[first], [0xff; 30].as_slice(), &[0x7f]].concat();
        let text = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        for (why, point) in [
            ("zero, of order 4", low(0)),
            ("one, of order 1", low(1)),
            ("two, which is not on the curve", low(2)),
            ("minus one, of order 2", high(0xec)),
            ("of order 8", text("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU")),
            ("of order 8, another", text("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o")),
            ("zero written as the prime", high(0xed)),
            ("one written as the prime and one", high(0xee)),
        ] {
            for sign in [0, 0x80] {
                let mut point = point.clone();
                point[31] |= sign;
                let material = Material::Ed25519 { x: point };
                assert_eq!(strong(&material), Err(KeyFault::NotOnCurve), "{why}, {sign}");
            }
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
