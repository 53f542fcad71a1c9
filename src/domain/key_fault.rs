//! Why a submitted key is refused.

use super::pem::PemFault;

/// Why a key is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// The algorithm is unknown, or does not go with the type of the key.
    #[error(
        "`alg` must be RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA or \
         Ed25519, and go with the type of the key"
    )]
    Algorithm,
    /// The first certificate is that of another key.
    #[error("the first certificate of `x5c` must be of this key")]
    Certificate,
    /// Another curve.
    #[error("`crv` must be P-256, P-384 or P-521 for EC keys or Ed25519 for OKP keys")]
    Curve,
    /// No DER of a public key.
    #[error("the PEM must hold a public key in DER, as SPKI or as PKCS#1")]
    Der,
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
    /// Coordinates of no point, or of one that is nobody's key.
    #[error("the key is not a point on its curve, or is one of small order")]
    NotOnCurve,
    /// No PEM that we read.
    #[error("the PEM must hold one public key, as SPKI or as PKCS#1")]
    Pem,
    /// The text of a PEM was changed on its way.
    #[error("{0}")]
    PemText(PemFault),
    /// The client registered another algorithm.
    #[error("the key does not go with `token_endpoint_auth_signing_alg`")]
    Pinned,
    /// A private key was sent.
    #[error("this is a private key: send the public half only, and treat this one as compromised")]
    Private,
    /// A modulus of the wrong size or shape.
    #[error("an RSA modulus must be odd and have 2048 to 8192 bits")]
    Modulus,
    /// Two keys of one name.
    #[error("two keys have the same `kid`")]
    RepeatedKid,
    /// An operation that is there twice.
    #[error("`key_ops` must not name an operation twice")]
    RepeatedOperation,
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

impl From<PemFault> for KeyFault {
    fn from(fault: PemFault) -> Self {
        match fault {
            PemFault::Malformed => Self::Pem,
            PemFault::ByteOrderMark | PemFault::EscapedLineBreaks => Self::PemText(fault),
        }
    }
}
