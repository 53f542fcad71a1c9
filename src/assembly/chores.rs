//! What the background tasks of the server need.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::audit::Outbox;
use crate::audit::delivery::Delivery;
use crate::clients::Upkeep;
use crate::clients::credential_watch::CredentialWatch;
use crate::clients::unused::UnusedSweep;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::oauth::logins::PendingLogins;
use crate::oauth::quota::Quotas;
use crate::policy::file::PolicyFile;
use crate::replication::feed::Feed;
use crate::revocation::list::Revocations;

use super::parts::Parts;

/// The background tasks, and what they share.
pub struct Chores {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long audit records are kept; `None`: for ever.
    pub retention: Option<Duration>,
    /// News of other replicas.
    pub feed: Arc<Feed>,
    /// The store, for its upkeep.
    pub store: Arc<dyn Upkeep>,
    /// The revocation list.
    pub revocations: Arc<Revocations>,
    /// Moves audit records to the collection that is read.
    pub outbox: Arc<dyn Outbox>,
    /// Logins that are not written yet.
    pub logins: Arc<PendingLogins>,
    /// The counters of token quotas.
    pub quotas: Arc<Quotas>,
    /// Removes clients that were never used.
    pub unused: Arc<UnusedSweep>,
    /// Watches credentials that are about to expire.
    pub credentials: Arc<CredentialWatch>,
    /// The policy of gateways, if there is one.
    pub policy: Option<Arc<PolicyFile>>,
    /// The delivery of audit events to a webhook, if there is one.
    pub delivery: Option<Arc<Delivery>>,
}

impl Chores {
    pub(super) fn of(
        parts: &Parts,
        config: &Config,
        credentials: Arc<CredentialWatch>,
        policy: Option<Arc<PolicyFile>>,
        delivery: Option<Arc<Delivery>>,
    ) -> Self {
        let unused = UnusedSweep {
            age: config.clients.unused_for,
            store: parts.store.clone(),
            upkeep: parts.store.clone(),
            logins: parts.logins.clone(),
            remembered: parts.clients.clone(),
            revocations: parts.revocations.clone(),
            recorder: parts.recorder.clone(),
            damaged: Mutex::default(),
        };
        Self {
            clock: parts.clock.clone(),
            retention: config.storage.audit_retention,
            feed: parts.feed.clone(),
            store: parts.store.clone(),
            revocations: parts.revocations.clone(),
            outbox: parts.store.clone(),
            logins: parts.logins.clone(),
            quotas: parts.quotas.clone(),
            unused: Arc::new(unused),
            credentials,
            policy,
            delivery,
        }
    }
}
