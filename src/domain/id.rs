//! Names of clients and of their credentials.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::random::{self, ALPHANUMERIC, LETTERS, NoEntropy};

/// What stands for the author of a document that nobody signed: the platform's word for it. No client
/// that comes to this server may have it as its id.
pub const NOBODY: &str = "public";

/// What stood for this server as an author, and as an actor, before [`Actor::Server`](super::actor::Actor::Server).
/// No client that comes to this server may have it as its id.
pub const FORMER_SERVER: &str = "latchkey";

/// The public name of a registered client.
///
/// One to 128 `VSCHAR`: [RFC 6749 Appendix A.1](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.1). Names
/// that begin with `latchkey:` are this server's own, for actors that are no client.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ClientId(Arc<str>);

/// The text is no client id.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a client id is 1 to 128 printable ASCII characters, and does not begin with `latchkey:`")]
pub struct MalformedClientId;

/// The prefix of every actor that is not a client.
pub(super) const PREFIX: &str = "latchkey:";

impl ClientId {
    /// A fresh id: 32 ASCII letters, which no encoding changes.
    pub fn random() -> Result<Self, NoEntropy> {
        Ok(Self(random::text(LETTERS, 32)?.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for no client where somebody's id is told. A client that other tools gave
    /// such an id is a client; this server takes in no other.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        [FORMER_SERVER, NOBODY].contains(&self.as_str())
    }
}

impl FromStr for ClientId {
    type Err = MalformedClientId;

    fn from_str(text: &str) -> Result<Self, MalformedClientId> {
        let legal = (1..=128).contains(&text.len())
            && text.bytes().all(|b| matches!(b, 0x20..=0x7e))
            && !text.starts_with(PREFIX);
        legal.then(|| Self(text.into())).ok_or(MalformedClientId)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The short name of one credential (a secret or a key) of a client; it is carried in the tokens
/// obtained with it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// How many characters the id of a secret that we made has.
    pub const SECRET_LENGTH: usize = 8;

    /// How many characters the id of a key has.
    pub const KEY_LENGTH: usize = 12;

    /// A fresh id for a secret.
    pub fn random() -> Result<Self, NoEntropy> {
        Ok(Self(random::text(ALPHANUMERIC, Self::SECRET_LENGTH)?.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be the name of a member of a document in every store. Those that we make
    /// are; an importer may have made another.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        !self.0.is_empty() && self.0.bytes().all(plain)
    }
}

impl From<&str> for CredentialId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_appendix_a_1_client_id() {
        let long = "x".repeat(129);
        for (why, text, legal) in [
            ("letters", "svc", true),
            ("space and tilde", "a ~", true),
            ("128 characters", &long[..128], true),
            ("129 characters", &long[..], false),
            ("empty", "", false),
            ("control character", "a\nb", false),
            ("not ASCII", "é", false),
            ("an actor of ours", "latchkey:server", false),
            ("nearly one", "latchkey", true),
        ] {
            assert_eq!(text.parse::<ClientId>().is_ok(), legal, "{why}");
        }
    }
}
