//! The signature algorithms of JWTs.

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::key_fault::KeyFault;

/// The signature algorithms in use, by the names of
/// [RFC 7518 §3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1) and RFC 8037. Asymmetric ones only.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(parse_err_ty = KeyFault, parse_err_fn = unknown)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    // The other is the spelling in the documentation of the platform that our users come from.
    #[default]
    #[strum(to_string = "RS256", serialize = "RSA256")]
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519.
    #[strum(to_string = "EdDSA", serialize = "Ed25519")]
    EdDSA,
}

/// What [RFC 9864 §2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2) calls `EdDSA` on this curve.
const ED25519: &str = "Ed25519";

impl Algorithm {
    /// All of them: what keys of clients may sign with.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Those that this server signs with itself.
    pub const FOR_TOKENS: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    /// The name in a header or a key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Every name that an assertion may give it, for the metadata: RFC 8414 §2.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|known| known.as_str()).chain([ED25519]).collect()
    }

    /// Whether the `alg` of a header names it.
    #[must_use]
    pub fn is_named(self, name: &str) -> bool {
        self.as_str() == name || (self == Self::EdDSA && name == ED25519)
    }

    /// Reads the name of an algorithm that this server signs with itself.
    pub fn for_tokens(name: &str) -> Result<Self, UnknownTokenAlgorithm> {
        let known = name.parse().ok().filter(|known| Self::FOR_TOKENS.contains(known));
        known.ok_or(UnknownTokenAlgorithm)
    }
}

/// The name is not that of an algorithm that this server signs with.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be RS256, PS256, ES256 or EdDSA")]
pub struct UnknownTokenAlgorithm;

fn unknown(_: &str) -> KeyFault {
    KeyFault::Algorithm
}
