//! Puts together what is said unasked: of credentials that end, and to the webhook.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::audit::delivery::{self, Backlog, Delivery, Tally};
use crate::audit::lease::Lease;
use crate::clients::ClientRepository;
use crate::clients::credential_watch::{self, CredentialWatch, watched_since};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::outbound::HttpMessenger;
use crate::random::{self, ALPHANUMERIC};
use crate::store::Store;

use super::{StartError, StoreOpenError};

/// What both need.
pub(super) struct Notices<'a> {
    config: &'a Config,
    clock: &'a Arc<dyn Clock>,
    store: Arc<dyn Store>,
    // Among replicas, the name of this process.
    holder: String,
}

impl<'a> Notices<'a> {
    pub(super) fn of(
        config: &'a Config,
        clock: &'a Arc<dyn Clock>,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        let holder = random::text(ALPHANUMERIC, 16)?;
        Ok(Self { config, clock, store, holder })
    }

    pub(super) async fn credentials(
        &self,
        repository: Arc<dyn ClientRepository>,
    ) -> Result<Arc<CredentialWatch>, StartError> {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let since = watched_since(&*store, clock.now()).await.map_err(StoreOpenError::from)?;
        let (name, length) = (credential_watch::LEASE, credential_watch::LEASE_LENGTH);
        Ok(Arc::new(CredentialWatch {
            repository,
            trail: store.clone(),
            outbox: store.clone(),
            lease: Lease::new(store, name, self.holder.clone(), length),
            clock,
            since,
            retention: self.config.storage.audit_retention,
            findings: Mutex::default(),
        }))
    }

    pub(super) fn delivery(&self) -> Result<Option<Arc<Delivery>>, StartError> {
        let Some(webhook) = &self.config.webhook else { return Ok(None) };
        let messenger = HttpMessenger::new(webhook.url.clone());
        let messenger = messenger.map_err(|error| StartError::Webhook(Box::new(error)))?;
        let (store, name, length) = (self.store.clone(), delivery::LEASE, delivery::LEASE_LENGTH);
        Ok(Some(Arc::new(Delivery {
            outbox: store.clone(),
            messenger: Arc::new(messenger),
            key: webhook.key.clone(),
            topics: webhook.topics.clone(),
            lease: Lease::new(store, name, self.holder.clone(), length),
            clock: self.clock.clone(),
            tally: Tally::default(),
            backlog: tokio::sync::Mutex::new(Backlog::default()),
        })))
    }
}
