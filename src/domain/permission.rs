//! What a client may do, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of one permission: 1 to 256 characters, none of them a control character.
///
/// Names that begin with `latchkey:` are about this server itself.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Permission(Box<str>);

/// The text is no permission.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a permission is 1 to 256 characters, none of them a control character")]
pub struct MalformedPermission;

/// What stands before every permission about this server.
const OURS: &str = "latchkey:";
/// The permission that implies every other `latchkey:` one.
pub const ADMIN: &str = "latchkey:admin";
/// May read who did what.
pub const AUDIT_READ: &str = "latchkey:audit:read";
/// May read clients.
pub const CLIENTS_READ: &str = "latchkey:clients:read";
/// May create and change clients.
pub const CLIENTS_WRITE: &str = "latchkey:clients:write";
/// May ask whether others may do something.
pub const DECIDE: &str = "latchkey:decide";
/// May ask what tokens of others are worth.
pub const INTROSPECT: &str = "latchkey:introspect";
/// May revoke tokens.
pub const TOKENS_REVOKE: &str = "latchkey:tokens:revoke";
/// May look at the server's signing keys, ask for new ones and retire old ones.
pub const KEYS_WRITE: &str = "latchkey:keys:write";

impl Permission {
    /// The permission's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it is about this server, and so only for a `latchkey:admin` to grant.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.0.starts_with(OURS)
    }
}

/// True if the holder of `held` may do what needs `needed`, one of the `latchkey:` permissions.
#[must_use]
pub fn allows(held: &[Permission], needed: &str) -> bool {
    held.iter().any(|permission| &*permission.0 == needed || &*permission.0 == ADMIN)
}

impl FromStr for Permission {
    type Err = MalformedPermission;

    fn from_str(text: &str) -> Result<Self, MalformedPermission> {
        let legal =
            (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        legal.then(|| Self(text.into())).ok_or(MalformedPermission)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_implies_the_others_and_nothing_else_does() {
        let held = |names: &[&str]| names.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>();
        for (names, needed, allowed) in [
            (&[CLIENTS_READ][..], CLIENTS_READ, true),
            (&[ADMIN], CLIENTS_WRITE, true),
            (&[CLIENTS_WRITE], CLIENTS_READ, false),
            (&["latchkey:"], CLIENTS_READ, false),
            (&[], CLIENTS_READ, false),
        ] {
            assert_eq!(allows(&held(names), needed), allowed, "{names:?} {needed}");
        }
    }
}
