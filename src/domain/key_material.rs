//! What a public key is made of.

/// The numbers of a public key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Material {
    /// A point on P-256, each half 32 bytes.
    Ec {
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
