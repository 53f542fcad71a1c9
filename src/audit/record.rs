//! Who did what: the record that every change carries with it, into the same write.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr};

use crate::domain::actor::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::random::{self, ALPHANUMERIC, NoEntropy};

/// What was done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(into = "&'static str", try_from = "String")]
#[derive(EnumString, IntoStaticStr)]
#[strum(parse_err_ty = UnknownAction, parse_err_fn = unknown)]
pub enum Action {
    /// An administrator was set up at a start, or by the command line.
    #[strum(serialize = "admin.installed")]
    AdminInstalled,
    /// An administrator that a start had made ended, because another is configured.
    #[strum(serialize = "admin.ended")]
    AdminEnded,
    /// A client was made by an administrator.
    #[strum(serialize = "client.created")]
    ClientCreated,
    /// A client was removed.
    #[strum(serialize = "client.deleted")]
    ClientDeleted,
    /// A client was taken over from another platform.
    #[strum(serialize = "client.imported")]
    ClientImported,
    /// Another tool unpublished or removed a client; its tokens ended.
    #[strum(serialize = "client.left")]
    ClientLeft,
    /// A client got a new id and new credentials; the old ones ended.
    #[strum(serialize = "client.regenerated")]
    ClientRegenerated,
    /// A client registered itself.
    #[strum(serialize = "client.registered")]
    ClientRegistered,
    /// A client went from one state to another.
    #[strum(serialize = "client.state_changed")]
    ClientStateChanged,
    /// Anything else of a client was changed.
    #[strum(serialize = "client.updated")]
    ClientUpdated,
    /// A credential is about to end.
    #[strum(serialize = "credential.expiring")]
    CredentialExpiring,
    /// A client got another key.
    #[strum(serialize = "key.added")]
    KeyAdded,
    /// A key of a client ended.
    #[strum(serialize = "key.deleted")]
    KeyDeleted,
    /// A registration access token of a client ended.
    #[strum(serialize = "registration_token.deleted")]
    RegistrationTokenDeleted,
    /// A client got another secret.
    #[strum(serialize = "secret.added")]
    SecretAdded,
    /// A secret of a client ended.
    #[strum(serialize = "secret.deleted")]
    SecretDeleted,
    /// The hash of a secret, made elsewhere, was replaced by one of ours.
    #[strum(serialize = "secret.rehashed")]
    SecretRehashed,
    /// A signing key of the server signs no more.
    #[strum(serialize = "signing_key.retired")]
    SigningKeyRetired,
    /// New signing keys were asked for.
    #[strum(serialize = "signing_key.rotated")]
    SigningKeyRotated,
    /// Tokens were revoked.
    #[strum(serialize = "tokens.revoked")]
    TokensRevoked,
    /// Something was done, and the record of it cannot be read: it is damaged, or of a newer version.
    #[strum(serialize = "unreadable")]
    Unreadable,
}

impl Action {
    /// The word in records, logs and questions.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The text is not the name of an audit action.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("unknown audit action")]
pub struct UnknownAction;

fn unknown(_: &str) -> UnknownAction {
    UnknownAction
}

impl TryFrom<String> for Action {
    type Error = UnknownAction;

    fn try_from(name: String) -> Result<Self, UnknownAction> {
        name.parse()
    }
}

/// Where a request comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The address it came from.
    pub address: Option<String>,
    /// The id of the request, as a gateway or a client sent it, or made here.
    pub request_id: Option<String>,
}

impl Origin {
    /// The author of what is done in this request.
    #[must_use]
    pub fn by(self, actor: Actor) -> Author {
        Author { actor, origin: self }
    }
}

/// Who acts, and where the request to do so comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Author {
    /// Who acts.
    pub actor: Actor,
    /// Where the request comes from; empty without a request.
    pub origin: Origin,
}

impl Author {
    /// The server, without a request.
    #[must_use]
    pub fn server() -> Self {
        Origin::default().by(Actor::Server)
    }

    /// The operator, by a command on the server's own machine.
    #[must_use]
    pub fn operator() -> Self {
        Origin::default().by(Actor::Operator)
    }
}

/// One audit event. Holds no secret, no hash and no token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AuditRecord {
    /// Its own name; names are in the order of time.
    pub id: String,
    /// When, in seconds since the Unix epoch.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// Who, as [`Actor`] spells it; in older records, `latchkey` is this server.
    pub actor: String,
    /// Which client it was done to, if to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The members that changed, as they were; or what the action is about.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub before: Map<String, Value>,
    /// The same, as they are now.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub after: Map<String, Value>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// In which request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl AuditRecord {
    /// The least id that a record of this moment can have.
    #[must_use]
    pub fn first_id(at: Timestamp) -> String {
        format!("{:010x}", at.0)
    }

    /// The moment that an id begins with.
    #[must_use]
    pub fn moment_of(id: &str) -> Option<Timestamp> {
        u64::from_str_radix(id.get(..10)?, 16).ok().map(Timestamp)
    }
}

/// Makes records.
#[derive(Debug, Default)]
pub struct Recorder {
    // Of records of the same second it keeps the order, as far as one process goes.
    made: AtomicU32,
}

impl Recorder {
    /// A record of an action that is about no single client, or of no change in one.
    pub fn record(
        &self,
        author: &Author,
        action: Action,
        about: Map<String, Value>,
        now: Timestamp,
    ) -> Result<AuditRecord, NoEntropy> {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let random = random::text(ALPHANUMERIC, 10)?;
        Ok(AuditRecord {
            id: format!("{}{count:08x}{random}", AuditRecord::first_id(now)),
            at: now,
            action,
            actor: author.actor.to_string(),
            client_id: None,
            before: Map::new(),
            after: about,
            address: author.origin.address.clone(),
            request_id: author.origin.request_id.clone(),
        })
    }
}
