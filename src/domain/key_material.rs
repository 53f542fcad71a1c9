//! What a public key is made of.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::algorithm::Algorithm;

/// The numbers of a public key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Material {
    /// A point on one of NIST's curves, each half as long as its field.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
    /// An Ed25519 key, 32 bytes.
    Ed25519 {
        /// The encoded point.
        x: Vec<u8>,
    },
    /// An RSA key, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
}

impl Material {
    /// The algorithm of a key that names none.
    #[must_use]
    pub fn natural_algorithm(&self) -> Algorithm {
        match self {
            Self::Ec { curve, .. } => curve.algorithm(),
            Self::Ed25519 { .. } => Algorithm::EdDSA,
            Self::Rsa { .. } => Algorithm::RS256,
        }
    }

    /// How long a signature is, in bytes: RFC 7518 §3.3 and §3.4, RFC 8037 §3.1.
    #[must_use]
    pub fn signature_length(&self) -> usize {
        match self {
            Self::Ec { curve, .. } => 2 * curve.coordinate(),
            Self::Ed25519 { .. } => 64,
            Self::Rsa { n, .. } => n.len(),
        }
    }

    /// Whether the key can verify what this algorithm signs.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Ec { curve, .. } => algorithm == curve.algorithm(),
            Self::Ed25519 { .. } => algorithm == Algorithm::EdDSA,
            Self::Rsa { .. } => {
                matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
            }
        }
    }
}

/// A curve of [RFC 7518 §6.2.1.1](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.1).
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, VariantArray)]
pub enum Curve {
    /// P-256.
    #[strum(serialize = "P-256")]
    P256,
    /// P-384.
    #[strum(serialize = "P-384")]
    P384,
    /// P-521.
    #[strum(serialize = "P-521")]
    P521,
}

impl Curve {
    /// The `crv` of a key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How large its field is.
    #[must_use]
    pub fn bits(self) -> usize {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// How long a coordinate is, in bytes.
    #[must_use]
    pub fn coordinate(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// The one algorithm of its keys: [RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4).
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::P521 => Algorithm::ES512,
        }
    }
}
