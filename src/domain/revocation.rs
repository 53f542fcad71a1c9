//! What ends tokens before their time.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::id::{ClientId, CredentialId};

/// Which tokens have ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Revoked {
    /// Those of a client that were issued at or before a moment.
    ClientBefore {
        /// Whose.
        client_id: ClientId,
        /// The moment.
        before: Timestamp,
    },
    /// Those of a client below an epoch: of one that is no longer there to hold its own.
    ClientEpoch {
        /// Whose.
        client_id: ClientId,
        /// The first epoch that is good.
        epoch: u64,
    },
    /// Those obtained with a credential at or before a moment: it may come back under its name.
    Credential {
        /// Whose.
        client_id: ClientId,
        /// The credential.
        credential: CredentialId,
        /// The moment.
        before: Timestamp,
    },
    /// Every token that was issued at or before a moment.
    Everything {
        /// The moment.
        before: Timestamp,
    },
    /// Those signed with a key of the server.
    SigningKey {
        /// The name of the key.
        kid: String,
    },
    /// One token.
    Token {
        /// Its `jti`.
        jti: String,
    },
}

/// Calls tokens back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    /// Which tokens.
    pub revoked: Revoked,
    /// When the last token that this can concern will have expired of itself.
    pub until: Timestamp,
}

impl Revoked {
    /// The kinds that there are, as they are stored.
    pub const KINDS: [&str; 6] =
        ["client_before", "client_epoch", "credential", "everything", "signing_key", "token"];

    /// A name that no other revocation has: to revoke the same twice is to revoke it once.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::ClientBefore { client_id, before } => format!("client:{client_id}:{}", before.0),
            Self::ClientEpoch { client_id, epoch } => format!("epoch:{client_id}:{epoch}"),
            Self::Credential { client_id, credential, before } => {
                format!("credential:{client_id}:{}:{}", credential.as_str(), before.0)
            }
            Self::Everything { before } => format!("everything:{}", before.0),
            Self::SigningKey { kid } => format!("signing_key:{kid}"),
            Self::Token { jti } => format!("token:{jti}"),
        }
    }

    /// What a [`name`](Self::name) stands for: of a revocation that is damaged it is all that is left.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(':')?;
        // A client id may have colons in it, what follows it has none.
        let client = |rest: &str| {
            let (client_id, number) = rest.rsplit_once(':')?;
            Some((client_id.parse().ok()?, number.parse().ok()?))
        };
        Some(match kind {
            "client" => {
                let (client_id, before) = client(rest)?;
                Self::ClientBefore { client_id, before: Timestamp(before) }
            }
            "credential" => {
                let (rest, before) = rest.rsplit_once(':')?;
                let (client_id, credential) = rest.rsplit_once(':')?;
                let (client_id, before) =
                    (client_id.parse().ok()?, Timestamp(before.parse().ok()?));
                Self::Credential { client_id, credential: credential.into(), before }
            }
            "epoch" => {
                let (client_id, epoch) = client(rest)?;
                Self::ClientEpoch { client_id, epoch }
            }
            "everything" => Self::Everything { before: Timestamp(rest.parse().ok()?) },
            "signing_key" => Self::SigningKey { kid: rest.to_owned() },
            "token" => Self::Token { jti: rest.to_owned() },
            _ => return None,
        })
    }

    /// The client that it is about, if about one.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        match self {
            Self::ClientBefore { client_id, .. }
            | Self::ClientEpoch { client_id, .. }
            | Self::Credential { client_id, .. } => Some(client_id),
            Self::Everything { .. } | Self::SigningKey { .. } | Self::Token { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_what_it_stands_for() {
        let (client_id, before): (ClientId, _) = ("a:b c".parse().unwrap(), Timestamp(7));
        for revoked in [
            Revoked::ClientBefore { client_id: client_id.clone(), before },
            Revoked::ClientEpoch { client_id: client_id.clone(), epoch: u64::MAX },
            Revoked::Credential { client_id, credential: "key-1_".into(), before },
            Revoked::Everything { before },
            Revoked::SigningKey { kid: "a:b".to_owned() },
            Revoked::Token { jti: "x:7".to_owned() },
        ] {
            let stored = serde_json::to_value(&revoked).unwrap();
            assert!(Revoked::KINDS.contains(&stored["kind"].as_str().unwrap()), "{stored}");
            assert_eq!(Revoked::named(&revoked.name()), Some(revoked));
        }
        for other in ["", "token", "client:svc", "client:svc:x", "everything:", "moon:7"] {
            assert_eq!(Revoked::named(other), None, "{other}");
        }
    }
}
