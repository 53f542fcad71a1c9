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
