//! Registration access tokens: what a client shows to manage its own registration,
//! [RFC 7592 §3](https://www.rfc-editor.org/rfc/rfc7592#section-3).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::clock::Timestamp;
use super::id::CredentialId;
use crate::random::{self, ALPHANUMERIC, NoEntropy};

const PREFIX: &str = "lkr_";
const RANDOM_LENGTH: usize = 43;

/// A registration access token as it is shown. Never stored, never printed, wiped on drop.
#[derive(Clone, Debug)] // secrecy prints `[REDACTED]`
pub struct RegistrationToken(SecretString);

impl RegistrationToken {
    /// A fresh one: 256 random bits, of letters and digits behind a prefix.
    pub fn random() -> Result<Self, NoEntropy> {
        let random = zeroize::Zeroizing::new(random::text(ALPHANUMERIC, RANDOM_LENGTH)?);
        Ok(Self(format!("{PREFIX}{}", *random).into()))
    }

    /// The text, for the answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> RegistrationTokenDigest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.reveal().as_bytes()).as_ref());
        RegistrationTokenDigest(bytes)
    }
}

impl From<&str> for RegistrationToken {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

/// A registration access token as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredRegistrationToken {
    /// Its name.
    pub id: CredentialId,
    /// By which it is known when it is shown.
    pub digest: RegistrationTokenDigest,
    /// When it was made.
    pub created: Timestamp,
    /// The day of its last use, as far as that was seen.
    pub last_used: Option<Timestamp>,
}

impl StoredRegistrationToken {
    /// One that was made now.
    #[must_use]
    pub fn new(digest: RegistrationTokenDigest, created: Timestamp) -> Self {
        Self { id: digest.credential_id(), digest, created, last_used: None }
    }
}

/// The SHA-256 of a registration access token: what the store keeps. The token is random enough for
/// a fast hash.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct RegistrationTokenDigest([u8; 32]);

impl RegistrationTokenDigest {
    /// Whether this is the digest of that token, in time that does not depend on where they differ.
    #[must_use]
    pub fn is_of(&self, presented: &RegistrationToken) -> bool {
        self.0.ct_eq(&presented.digest().0).into()
    }

    /// The name of the token: the beginning of its digest.
    #[must_use]
    pub fn credential_id(self) -> CredentialId {
        let beginning = self.0.iter().take(8).map(|byte| format!("{byte:02x}"));
        CredentialId::from(&*beginning.collect::<String>())
    }

    /// As the store keeps it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl From<[u8; 32]> for RegistrationTokenDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RegistrationTokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrationTokenDigest(..)")
    }
}
