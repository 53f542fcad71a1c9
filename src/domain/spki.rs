//! Public keys in DER: as SPKI, as PKCS#1, and in a certificate.

use rsa::pkcs1::RsaPublicKey;
use rsa::pkcs8::ObjectIdentifier;
use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::der::{self, Decode, Reader, Tag};
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;

use super::key_fault::KeyFault;
use super::key_material::{Curve, Material};

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ID_P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The numbers of a `SubjectPublicKeyInfo`: [RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1).
pub fn material(der: &[u8]) -> Result<Material, KeyFault> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyFault::Der)?;
    of_info(&spki)
}

/// The numbers of an RSA key: [RFC 8017 §A.1.1](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1).
pub fn rsa_material(der: &[u8]) -> Result<Material, KeyFault> {
    let key = RsaPublicKey::from_der(der).map_err(|_| KeyFault::Der)?;
    let (n, e) = (key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec());
    Ok(Material::Rsa { n, e })
}

/// The numbers of the key that a certificate is about. Nothing else of it counts here.
pub(super) fn certified_material(certificate: &[u8]) -> Result<Material, KeyFault> {
    let spki = subject_public_key_info(certificate).map_err(|_| KeyFault::Der)?;
    of_info(&spki)
}

fn of_info(spki: &SubjectPublicKeyInfoRef<'_>) -> Result<Material, KeyFault> {
    let bits = spki.subject_public_key.as_bytes().ok_or(KeyFault::Der)?;
    match spki.algorithm.oid {
        ID_RSA => rsa_material(bits),
        ID_ED25519 => Ok(Material::Ed25519 { x: bits.to_vec() }),
        ID_EC_PUBLIC_KEY => {
            let curve = match spki.algorithm.parameters_oid() {
                Ok(ID_P256) => Curve::P256,
                Ok(ID_P384) => Curve::P384,
                Ok(ID_P521) => Curve::P521,
                _ => return Err(KeyFault::Curve),
            };
            match bits {
                [4, point @ ..] if point.len() == 2 * curve.coordinate() => {
                    let (x, y) = point.split_at(curve.coordinate());
                    Ok(Material::Ec { curve, x: x.to_vec(), y: y.to_vec() })
                }
                _ => Err(KeyFault::NotOnCurve),
            }
        }
        _ => Err(KeyFault::Type),
    }
}

/// `Certificate` and `TBSCertificate` of RFC 5280 §4.1, as far as the key.
fn subject_public_key_info(certificate: &[u8]) -> der::Result<SubjectPublicKeyInfoRef<'_>> {
    let certificate = AnyRef::from_der(certificate)?;
    let to_be_signed = certificate.sequence(|members| {
        let to_be_signed = AnyRef::decode(members)?;
        for _ in ["algorithm", "signature"] {
            AnyRef::decode(members)?;
        }
        Ok(to_be_signed)
    })?;
    to_be_signed.sequence(|members| {
        if let Tag::ContextSpecific { .. } = members.peek_tag()? {
            AnyRef::decode(members)?; // the version
        }
        for _ in ["serial number", "algorithm", "issuer", "validity", "subject"] {
            AnyRef::decode(members)?;
        }
        let key = SubjectPublicKeyInfoRef::decode(members)?;
        while !members.is_finished() {
            AnyRef::decode(members)?;
        }
        Ok(key)
    })
}
