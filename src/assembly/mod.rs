//! Puts the adapters together. Only this module names stores and `outbound`.

pub mod admin_file;
mod assemble;
mod check;
mod chores;
mod copy;
mod error;
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
use crate::signing::administration::KeyAdministration;

pub use crate::policy::gatekeeper::Gatekeeper;
pub use assemble::assemble;
pub use check::{NoBackUp, back_up_store, check_store};
pub use chores::Chores;
pub use copy::{Copied, CopyError, copy_store};
pub use error::StartError;
pub use open::{OpenStore, StoreOpenError, open_existing_store, open_store};
pub use reset::{Reset, reset_admin};
pub use source::{MongoSource, SourcePage, open_source};

pub use crate::store::{BackedUp, Existing, Inspection, Problem};

/// The use cases that HTTP and gRPC call.
pub struct App {
    /// The configuration in force.
    pub config: Config,
    /// Members that the operator adds to the OpenID configuration.
    pub openid_configuration: serde_json::Map<String, serde_json::Value>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Issues, verifies and revokes tokens.
    pub tokens: Tokens,
    /// Creates, changes and removes clients.
    pub clients: Clients,
    /// The server's signing keys.
    pub signing: Signing,
    /// Decides whether requests may pass.
    pub gatekeeper: Gatekeeper,
    /// Revokes tokens for administrators.
    pub revocation_orders: RevocationOrders,
    /// Audit records.
    pub audit_trail: Arc<dyn AuditTrail>,
    /// News of other replicas.
    pub feed: Arc<Feed>,
    /// The parts that status routes and metrics report on.
    pub health: Health,
}

/// The server's signing keys.
pub struct Signing {
    /// The keys that sign and verify now.
    pub ring: Arc<KeyRing>,
    /// What an administrator does with them.
    pub keys: KeyAdministration,
}

/// The parts that status routes and metrics report on.
pub struct Health {
    /// The store.
    pub store: Arc<dyn Upkeep>,
    /// The revocation list.
    pub revocations: Arc<Revocations>,
    /// The delivery of audit events to a webhook, if there is one.
    pub delivery: Option<Arc<Delivery>>,
}
