//! The signature algorithms of JWTs.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::key_judge::KeyFault;

/// The signature algorithms in use, by the names of
/// [RFC 7518 §3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1) and RFC 8037. Asymmetric ones only.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
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
    EdDSA,
}

/// What [RFC 9864 §2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2) calls `EdDSA` on this curve.
const ED25519: &str = "Ed25519";

impl Algorithm {
    /// All of them: what keys of clients may sign with.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// Those that this server signs with itself.
    pub const FOR_TOKENS: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    /// The name in a header or a key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Every name that an assertion may give it, for the metadata: RFC 8414 §2.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::as_str).chain([ED25519]).collect()
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

impl FromStr for Algorithm {
    type Err = KeyFault;

    fn from_str(name: &str) -> Result<Self, KeyFault> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.is_named(name))
            // The spelling in the documentation of the platform that our users come from.
            .or_else(|| (name == "RSA256").then_some(Self::RS256))
            .ok_or(KeyFault::Algorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
