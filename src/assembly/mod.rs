//! Puts the adapters together. Only this module names stores and `outbound`.

pub mod admin_file;
mod assemble;
mod check;
mod chores;
mod copy;
mod first_admin;
mod notices;
mod open;
mod parts;
mod reset;
mod source;
mod use_cases;

use std::sync::Arc;

use crate::audit::AuditTrail;
use crate::audit::delivery::Delivery;
use crate::clients::{Clients, Upkeep};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::jose::KeyRing;
use crate::oauth::Tokens;
use crate::replication::feed::Feed;
use crate::replication::revocation_orders::RevocationOrders;
use crate::revocation::list::Revocations;
use crate::signing::key_exchange::KeyExchange;
use crate::signing::keys::SigningKeys;

pub use crate::policy::gatekeeper::Gatekeeper;
pub use assemble::{StartError, assemble};
pub use check::{NoBackUp, back_up_store, check_store};
pub use chores::Chores;
pub use copy::{Copied, CopyError, copy_store};
pub use open::{OpenStore, StoreOpenError, open_existing_store, open_store};
pub use reset::{Reset, reset_admin};
pub use source::{MongoSource, SourcePage, open_source};

pub use crate::store::{BackedUp, Existing, Inspection, Problem};

/// What the doors ask.
pub struct App {
    /// What is in force.
    pub config: Config,
    /// What the operator adds to the OpenID configuration.
    pub openid_configuration: serde_json::Map<String, serde_json::Value>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Issues tokens, judges them and calls them back.
    pub tokens: Tokens,
    /// Creates, changes and removes clients.
    pub clients: Clients,
    /// The server's own keys.
    pub signing: Signing,
    /// Says whether requests may pass.
    pub gatekeeper: Gatekeeper,
    /// Ends tokens for administrators.
    pub revocation_orders: RevocationOrders,
    /// Audit records.
    pub audit_trail: Arc<dyn AuditTrail>,
    /// News of other replicas.
    pub feed: Arc<Feed>,
    /// How the rest of the server is.
    pub health: Health,
}

/// The server's own keys.
pub struct Signing {
    /// Those that sign and verify now.
    pub ring: Arc<KeyRing>,
    /// Retires keys, and asks for others.
    pub keys: SigningKeys,
    /// Publishes ours, and takes in those of other replicas.
    pub exchange: Arc<KeyExchange>,
}

/// What is told of how the server is.
pub struct Health {
    /// The store.
    pub store: Arc<dyn Upkeep>,
    /// What has ended before its time.
    pub revocations: Arc<Revocations>,
    /// The delivery of audit events to a webhook, if there is one.
    pub delivery: Option<Arc<Delivery>>,
}
