//! Puts the adapters together. Only this module names stores and `outbound`.

pub mod admin_file;
mod assemble;
mod check;
mod copy;
mod first_admin;
mod notices;
mod open;
mod parts;
mod reset;
mod source;

use std::sync::Arc;

use crate::audit::delivery::Delivery;
use crate::audit::{AuditTrail, Outbox, Recorder};
use crate::clients::credential_watch::CredentialWatch;
use crate::clients::key_admission::KeyAdmission;
use crate::clients::logins::PendingLogins;
use crate::clients::register::Registration;
use crate::clients::unused::UnusedSweep;
use crate::clients::{ClientRepository, Clients, Upkeep};
use crate::config::Resolved;
use crate::domain::clock::Clock;
use crate::jose::KeyRing;
use crate::oauth::ClientStore;
use crate::oauth::authenticate::Authenticator;
use crate::oauth::introspect::Introspection;
use crate::oauth::quota::Quotas;
use crate::oauth::revoke::OwnTokens;
use crate::oauth::token::TokenIssuer;
use crate::oauth::tokeninfo::TokenJudge;
use crate::replication::feed::Feed;
use crate::replication::revocation_orders::RevocationOrders;
use crate::revocation::list::Revocations;
use crate::revocation::revoker::Revoker;
use crate::signing::key_exchange::KeyExchange;
use crate::signing::keys::SigningKeys;

pub use crate::policy::gatekeeper::Gatekeeper;
pub use assemble::{StartError, assemble};
pub use check::{NoBackUp, back_up_store, check_store};
pub use copy::{Copied, CopyError, copy_store};
pub use open::{OpenStore, StoreOpenError, open_existing_store, open_store};
pub use reset::{Reset, reset_admin};
pub use source::{MongoSource, SourcePage, open_source};

pub use crate::store::{BackedUp, Existing, Inspection, Problem};

/// Everything that answers requests.
pub struct App {
    /// What is in force.
    pub config: Resolved,
    /// What the operator adds to the OpenID configuration.
    pub openid_configuration: serde_json::Map<String, serde_json::Value>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Proves clients.
    pub authenticator: Authenticator,
    /// Issues tokens.
    pub issuer: TokenIssuer,
    /// Judges tokens.
    pub judge: Arc<TokenJudge>,
    /// Says whether requests may pass.
    pub gatekeeper: Gatekeeper,
    /// Takes registrations.
    pub registration: Registration,
    /// Lets the keys of clients in.
    pub keys: Arc<KeyAdmission>,
    /// Creates, changes and removes clients.
    pub clients: Arc<Clients>,
    /// Looks clients up, in the cache first.
    pub client_store: Arc<dyn ClientStore>,
    /// Reads and writes clients.
    pub repository: Arc<dyn ClientRepository>,
    /// The signing keys.
    pub ring: Arc<KeyRing>,
    /// Retires signing keys and requests rotations.
    pub signing_keys: SigningKeys,
    /// Publishes our signing keys, and takes in those of other replicas.
    pub key_exchange: Arc<KeyExchange>,
    /// News of other replicas.
    pub feed: Arc<Feed>,
    /// Logins to be written.
    pub logins: Arc<PendingLogins>,
    /// What counts the tokens of clients that have a quota.
    pub quotas: Arc<Quotas>,
    /// What removes clients that were never used.
    pub unused: Arc<UnusedSweep>,
    /// The store, for its upkeep.
    pub upkeep: Arc<dyn Upkeep>,
    /// Moves audit records to where they are read.
    pub outbox: Arc<dyn Outbox>,
    /// Audit records.
    pub audit_trail: Arc<dyn AuditTrail>,
    /// What looks after credentials that end.
    pub credentials: Arc<CredentialWatch>,
    /// The delivery of audit events to a webhook, if there is one.
    pub delivery: Option<Arc<Delivery>>,
    /// What has ended before its time.
    pub revocations: Arc<Revocations>,
    /// Answers about tokens of others.
    pub introspection: Introspection,
    /// Ends tokens for their owners.
    pub own_tokens: OwnTokens,
    /// Ends tokens for administrators.
    pub revocation_orders: RevocationOrders,
    /// Stores revocations and puts them in force.
    pub revoker: Arc<Revoker>,
    /// What makes the records of who did what.
    pub recorder: Arc<Recorder>,
}
