//! Puts the parts together, on a store that answers.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{Resolved, Settings};
use crate::domain::secret::ClientSecret;
use crate::hashing::SlowHashes;
use crate::jwt::{CachedOpener, KeyFolderError, KeyRing, NamedKey, StrictReader, load_or_make};
use crate::oauth::authenticate::{AssertionRules, Authenticator, SecretChecks};
use crate::oauth::token::{TokenIssuer, TokenRules};
use crate::oauth::tokeninfo::TokenJudge;
use crate::registry::admin::{self, AdminCredentials};
use crate::registry::draft::Enrolment;
use crate::registry::error::RegistryError;
use crate::registry::pepper::{NoPepper, pepper};
use crate::registry::register::Registration;
use crate::store::CachedClients;
use crate::tasks::feed::Feed;
use crate::tasks::key_exchange::KeyExchange;
use crate::tasks::logins::PendingLogins;
use crate::tasks::rehash::Rehash;

use super::{App, Environment, OpenStore, StoreOpenError, admin_file};

/// How long a client of a store that others write to is remembered, even if no change was seen.
const CLIENTS_REMEMBERED: Duration = Duration::from_secs(10);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The administrator cannot be made.
    #[error("the administrator cannot be set up: {0}")]
    Admin(#[from] RegistryError),
    /// A file cannot be read or written.
    #[error("`{0}` cannot be used: {1}")]
    File(std::path::PathBuf, std::io::Error),
    /// The `admin_client_id` is none.
    #[error("admin_client_id: {0}")]
    AdminId(#[from] crate::domain::id::MalformedClientId),
    /// A signing key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyFolderError),
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] crate::domain::entropy::NoEntropy),
    /// The pepper cannot be had.
    #[error(transparent)]
    Pepper(#[from] NoPepper),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreOpenError),
}

impl StartError {
    /// Whether the same may go well a moment later, when the store answers.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Admin(RegistryError::Store(_)) | Self::Pepper(NoPepper::Store(_)) => true,
            Self::Store(error) => error.is_temporary(),
            _ => false,
        }
    }
}

/// Puts everything together; fails for now while the store does not answer.
pub async fn assemble(
    config: Resolved,
    open: &OpenStore,
    environment: Environment,
) -> Result<App, StartError> {
    open.prepare().await?;
    let Environment { clock, entropy } = environment;
    let store = open.store();
    let settings = &config.settings;
    let pepper = pepper(&*store, &*entropy).await?;
    let skew = Duration::from_secs(settings.clock_skew);
    let longest_life = Duration::from_secs(settings.max_token_lifetime);

    let ring = Arc::new(KeyRing::new(keys(&config)?, settings.algorithm));
    let for_at_most = open.is_shared().then_some(CLIENTS_REMEMBERED);
    let clients = Arc::new(CachedClients::new(store.clone(), settings.client_cache, for_at_most));
    let logins = Arc::new(PendingLogins::default());
    let exchange = KeyExchange {
        ring: ring.clone(),
        store: store.clone(),
        facts: store.clone(),
        clock: clock.clone(),
        longest_life,
        skew,
        shown: Mutex::default(),
        first: OnceLock::new(),
    };
    let feed = Arc::new(Feed::new(exchange, store.clone(), clients.clone(), open.is_shared()));
    feed.look().await.map_err(StoreOpenError::from)?;

    let hashes = SlowHashes::for_this_machine();
    let enrolment = Arc::new(Enrolment {
        registry: clients.clone(),
        pepper: pepper.clone(),
        hashes: hashes.clone(),
        entropy: entropy.clone(),
    });
    let app = App {
        authenticator: Authenticator {
            clients: clients.clone(),
            assertions: store.clone(),
            reader: Arc::new(StrictReader),
            upgrade: Arc::new(Rehash::new(clients.clone(), hashes.clone(), entropy.clone())),
            secrets: SecretChecks::new(hashes, &*entropy)?,
            pepper,
            rules: AssertionRules {
                issuer: config.issuer.clone(),
                token_endpoint: config.url("/oauth/token"),
                legacy_audience_until: config.legacy_audience_until,
                longest_life: Duration::from_secs(settings.assertion_lifetime),
                skew,
            },
        },
        issuer: TokenIssuer {
            sealer: ring.clone(),
            logins: logins.clone(),
            entropy: entropy.clone(),
            rules: TokenRules {
                issuer: config.issuer.clone(),
                lifetime: Duration::from_secs(settings.token_lifetime),
                longest_life,
                default_audience: settings.default_audience.clone(),
                require_audience: settings.require_audience,
            },
        },
        judge: TokenJudge {
            opener: Arc::new(CachedOpener::new(
                ring.clone(),
                config.issuer.clone(),
                settings.token_cache.saturating_mul(1024 * 1024),
            )),
            news: feed.clone(),
            skew,
            accepted_audiences: settings.accepted_audiences.clone(),
        },
        registration: Registration {
            mode: config.registration.clone(),
            enrolment: enrolment.clone(),
        },
        enrolment,
        registry: clients,
        ring,
        feed,
        logins,
        upkeep: store,
        clock,
        openid_configuration: openid_configuration(settings)?,
        config,
    };
    set_up_admin(&app, open.folder()).await?;
    Ok(app)
}

fn keys(config: &Resolved) -> Result<Vec<crate::jwt::OwnKey>, KeyFolderError> {
    let settings = &config.settings;
    let password = config.signing_key_password.as_ref();
    let named = settings.signing_key_file.as_ref().map(|path| NamedKey {
        path: path.clone(),
        kid: settings.signing_key_id.clone(),
        password: password.cloned(),
    });
    let keys = load_or_make(&settings.keys, named.as_ref(), settings.algorithm, password)?;
    for own in keys.iter().filter(|own| own.made) {
        let kid = own.key.public().kid.as_str();
        tracing::info!(kid, file = %own.path.display(), "made a signing key; keep this file safe");
    }
    Ok(keys)
}

/// The members that the operator adds to the OpenID configuration; ours stand over them.
fn openid_configuration(settings: &Settings) -> Result<Map<String, Value>, StartError> {
    let Some(path) = &settings.openid_configuration_file else { return Ok(Map::new()) };
    let text = std::fs::read_to_string(path);
    let parsed = text.and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::from));
    parsed.map_err(|error| StartError::File(path.clone(), error))
}

/// Sees to it that there is an administrator: the one that is configured, or, on a store of our
/// own, one whose credentials are left in a file.
async fn set_up_admin(app: &App, folder: Option<&Path>) -> Result<(), StartError> {
    let now = app.clock.now();
    if let Some((id, secret)) = &app.config.admin {
        let secret = secrecy::ExposeSecret::expose_secret(secret).to_owned();
        let credentials =
            AdminCredentials { client_id: id.parse()?, secret: ClientSecret::from(secret) };
        app.enrolment.install_admin(&credentials, now).await?;
        tracing::info!(client_id = %credentials.client_id, "the configured administrator is set");
        for former in app.enrolment.end_former_admins(&credentials.client_id).await? {
            tracing::info!(client_id = %former, "the former administrator has ended");
        }
        return Ok(());
    }
    if admin::exists(&*app.registry).await? {
        return Ok(());
    }
    let Some(folder) = folder else {
        tracing::warn!(
            "no client is an administrator: set admin_client_id and admin_secret \
             (LATCHKEY_ADMIN_CLIENT_ID, LATCHKEY_ADMIN_SECRET), or run `latchkey admin reset`"
        );
        return Ok(());
    };
    let path = admin_file::path(folder);
    let failed = |error| StartError::File(path.clone(), error);
    // The file first: an administrator whose secret nobody knows would lock everyone out.
    let credentials = match admin_file::read(&path).map_err(failed)? {
        Some(credentials) => credentials,
        None => {
            let credentials =
                AdminCredentials::random(&app.enrolment.pepper, &*app.enrolment.entropy)?;
            admin_file::write(&path, &credentials).map_err(failed)?;
            credentials
        }
    };
    app.enrolment.install_admin(&credentials, now).await?;
    let client_id = &credentials.client_id;
    tracing::info!(%client_id, file = %path.display(), "made an administrator; its secret is in the file");
    Ok(())
}
