//! Puts the parts together, on a store that answers.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::clients::key_admission::KeyAdmission;
use crate::clients::pepper::{NoPepper, pepper};
use crate::clients::register::Registration;
use crate::clients::revoke::TokenRevocation;
use crate::clients::{Clients, Limits};
use crate::config::{Resolved, Settings};
use crate::domain::clock::Clock;
use crate::hashing::PATIENCE;
use crate::jose::{KeyFolderError, StrictReader};
use crate::oauth::introspect::Introspection;
use crate::oauth::revoke::OwnTokens;
use crate::policy::file::PolicyFile;
use crate::policy::gatekeeper::Gatekeeper;
use crate::replication::revocation_orders::RevocationOrders;
use crate::revocation::rate::RevocationRate;
use crate::store::UsedProofs;

use super::first_admin::set_up_admin;
use super::notices::Notices;
use super::parts::{Parts, key_rules, unused};
use super::{App, OpenStore, StoreOpenError};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The administrator cannot be made.
    #[error("the administrator cannot be set up: {0}")]
    Admin(#[from] ClientsError),
    /// A file cannot be read or written.
    #[error("`{0}` cannot be used: {1}")]
    File(std::path::PathBuf, std::io::Error),
    /// The `admin_client_id` is none.
    #[error("admin_client_id: {0}")]
    AdminId(#[from] crate::domain::id::MalformedClientId),
    /// A signing key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyFolderError),
    /// No HTTP client can be made.
    #[error("the webhook cannot be reached: {0}")]
    Webhook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] crate::random::NoEntropy),
    /// The pepper cannot be had.
    #[error(transparent)]
    Pepper(#[from] NoPepper),
    /// The store cannot be used.
    #[error("store (--store, LATCHKEY_STORE): {0}")]
    Store(#[from] StoreOpenError),
}

impl StartError {
    /// Whether the same may go well a moment later, when the store answers.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Admin(ClientsError::Store(error)) | Self::Pepper(NoPepper::Store(error)) => {
                !error.is_damaged()
            }
            Self::Store(error) => error.is_temporary(),
            _ => false,
        }
    }
}

/// Puts everything together; fails for now while the store does not answer.
pub async fn assemble(
    config: Resolved,
    open: &OpenStore,
    clock: Arc<dyn Clock>,
) -> Result<App, StartError> {
    open.prepare().await?;
    let parts = Parts::of(&config, open, clock)?;
    let (feed, store) = (parts.feed.clone(), parts.store.clone());
    match feed.look().await {
        // Everything was read; what could not be written is tried again.
        Err(error) if error.is_unwritable() => {}
        looked => looked.map_err(StoreOpenError::from)?,
    }
    let now = parts.clock.now();
    parts.quotas.load(now).await.map_err(StoreOpenError::from)?;

    let pepper = pepper(&*store).await?;
    let clients = Arc::new(Clients {
        repository: parts.clients.clone(),
        pepper: pepper.clone(),
        // A separate queue, so that registrations cannot delay token requests.
        hashes: parts.hashes.beside(PATIENCE),
        recorder: parts.recorder.clone(),
        revoker: parts.revoker.clone(),
        limits: Limits {
            secrets: config.settings.max_secrets,
            keys: config.settings.max_keys,
            lists: config.list_limits(),
        },
    });
    let keys = Arc::new(KeyAdmission {
        repository: parts.clients.clone(),
        remote: parts.remote_keys.clone(),
        reader: Arc::new(StrictReader),
        used: Arc::new(UsedProofs(store.clone())),
        rules: key_rules(&config),
    });
    let notices = Notices::of(&config, &parts.clock, store.clone())?;
    let judge = parts.judge(&config);
    let revocation_rate = Arc::new(RevocationRate::new(config.settings.revocation_rate));
    let app = App {
        credentials: notices.credentials(parts.clients.clone()).await?,
        delivery: notices.delivery()?,
        authenticator: parts.authenticator(&config, pepper)?,
        issuer: parts.issuer(&config),
        gatekeeper: Gatekeeper {
            judge: judge.clone(),
            clients: parts.clients.clone(),
            policy: policy(&config.settings)?,
        },
        judge,
        registration: Registration {
            mode: config.registration.clone(),
            clients: clients.clone(),
            keys: keys.clone(),
        },
        keys,
        clients,
        revocation_orders: RevocationOrders {
            tokens: TokenRevocation {
                repository: parts.clients.clone(),
                revoker: parts.revoker.clone(),
                recorder: parts.recorder.clone(),
                rate: revocation_rate.clone(),
            },
            keys: parts.key_exchange.clone(),
            feed: feed.clone(),
        },
        unused: Arc::new(unused(&config.settings, &parts)),
        signing_keys: parts.signing_keys,
        key_exchange: parts.key_exchange,
        feed,
        quotas: parts.quotas,
        logins: parts.logins,
        upkeep: store.clone(),
        outbox: store.clone(),
        audit_trail: store,
        introspection: Introspection {
            own_audiences: config.settings.introspection_own_audiences,
            issuer: config.issuer.clone(),
            sealer: parts.ring.clone(),
        },
        own_tokens: OwnTokens {
            revoker: parts.revoker.clone(),
            recorder: parts.recorder.clone(),
            rate: revocation_rate,
        },
        client_store: parts.clients.clone(),
        repository: parts.clients,
        ring: parts.ring,
        revocations: parts.revocations,
        revoker: parts.revoker,
        recorder: parts.recorder,
        clock: parts.clock,
        openid_configuration: openid_configuration(&config.settings)?,
        config,
    };
    match set_up_admin(&app, open.folder()).await {
        Err(StartError::Admin(ClientsError::Store(error))) if error.is_unwritable() => {
            tracing::warn!("the administrator cannot be set up; restart when there is room");
        }
        done => done?,
    }
    Ok(app)
}

/// The policy of gateways, if there is one.
fn policy(settings: &Settings) -> Result<Option<Arc<PolicyFile>>, StartError> {
    let Some(path) = &settings.policy_file else { return Ok(None) };
    let file = PolicyFile::open(path);
    let file =
        file.map_err(|error| StartError::File(path.clone(), std::io::Error::other(error)))?;
    Ok(Some(Arc::new(file)))
}

/// The members that the operator adds to the OpenID configuration; ours stand over them.
fn openid_configuration(settings: &Settings) -> Result<Map<String, Value>, StartError> {
    let Some(path) = &settings.openid_configuration_file else { return Ok(Map::new()) };
    let text = std::fs::read_to_string(path);
    let parsed = text.and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::from));
    parsed.map_err(|error| StartError::File(path.clone(), error))
}
