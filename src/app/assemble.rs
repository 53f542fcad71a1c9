//! Puts the parts together, on a store that answers.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{Resolved, Settings, Switch};
use crate::domain::audit::Recorder;
use crate::domain::entropy::{ALPHANUMERIC, Entropy};
use crate::domain::secret::{ClientSecret, Pepper};
use crate::fetch::RemoteKeySets;
use crate::hashing::SlowHashes;
use crate::jwt::{CachedOpener, KeyFolder, KeyFolderError, KeyRing, NamedKey, StrictReader};
use crate::oauth::authenticate::{
    self, AssertionRules, Authenticator, FailureThrottle, SecretChecks,
};
use crate::oauth::introspect::Introspection;
use crate::oauth::own_token::OwnTokens;
use crate::oauth::revocations::Revocations;
use crate::oauth::revoke::Revoker;
use crate::oauth::token::{TokenIssuer, TokenRules};
use crate::oauth::tokeninfo::TokenJudge;
use crate::registry::admin::{self, AdminCredentials};
use crate::registry::draft::{Enrolment, Limits};
use crate::registry::error::RegistryError;
use crate::registry::key_admission::{KeyAdmission, KeyRules};
use crate::registry::pepper::{NoPepper, pepper};
use crate::registry::register::Registration;
use crate::registry::revoke::TokenRevocation;
use crate::registry::signing_keys::SigningKeys;
use crate::store::{CachedClients, Store, UsedProofs};
use crate::tasks::feed::Feed;
use crate::tasks::key_exchange::{KeyExchange, Memory};
use crate::tasks::logins::PendingLogins;
use crate::tasks::quota::{DefaultQuotas, Quotas};
use crate::tasks::rehash::Rehash;
use crate::tasks::standings::Standings;
use crate::tasks::unused::UnusedSweep;

use super::notices::Notices;
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
    /// No HTTP client can be made.
    #[error("the webhook cannot be reached: {0}")]
    Webhook(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    let parts = Parts::of(&config, open, environment)?;
    let (feed, store) = (parts.feed.clone(), parts.store.clone());
    feed.look().await.map_err(StoreOpenError::from)?;
    let now = parts.environment.clock.now();
    parts.quotas.load(now).await.map_err(StoreOpenError::from)?;

    let pepper = pepper(&*store, &*parts.environment.entropy).await?;
    let enrolment = Arc::new(Enrolment {
        registry: parts.clients.clone(),
        pepper: pepper.clone(),
        hashes: parts.hashes.clone(),
        entropy: parts.environment.entropy.clone(),
        recorder: parts.recorder.clone(),
        revoker: parts.revoker.clone(),
        limits: Limits { secrets: config.settings.max_secrets, keys: config.settings.max_keys },
    });
    let keys = Arc::new(KeyAdmission {
        registry: parts.clients.clone(),
        remote: parts.remote_keys.clone(),
        reader: Arc::new(StrictReader),
        used: Arc::new(UsedProofs(store.clone())),
        rules: key_rules(&config),
    });
    let notices = Notices::of(&config, &parts.environment, store.clone())?;
    let app = App {
        credentials: notices.credentials(parts.clients.clone()).await?,
        delivery: notices.delivery()?,
        authenticator: parts.authenticator(&config, pepper)?,
        issuer: parts.issuer(&config),
        judge: parts.judge(&config),
        registration: Registration {
            mode: config.registration.clone(),
            enrolment: enrolment.clone(),
            keys: keys.clone(),
        },
        keys,
        enrolment,
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
        own_tokens: OwnTokens { revoker: parts.revoker.clone(), recorder: parts.recorder.clone() },
        token_revocation: TokenRevocation {
            registry: parts.clients.clone(),
            revoker: parts.revoker.clone(),
            recorder: parts.recorder.clone(),
        },
        registry: parts.clients,
        ring: parts.ring,
        revocations: parts.revocations,
        revoker: parts.revoker,
        recorder: parts.recorder,
        clock: parts.environment.clock,
        openid_configuration: openid_configuration(&config.settings)?,
        config,
    };
    set_up_admin(&app, open.folder()).await?;
    Ok(app)
}

/// What several of the use-cases share.
struct Parts {
    environment: Environment,
    store: Arc<dyn Store>,
    clients: Arc<CachedClients>,
    revocations: Arc<Revocations>,
    revoker: Arc<Revoker>,
    recorder: Arc<Recorder>,
    remote_keys: Arc<RemoteKeySets>,
    ring: Arc<KeyRing>,
    signing_keys: SigningKeys,
    key_exchange: Arc<KeyExchange>,
    feed: Arc<Feed>,
    logins: Arc<PendingLogins>,
    quotas: Arc<Quotas>,
    hashes: SlowHashes,
    skew: Duration,
    longest_life: Duration,
}

impl Parts {
    fn of(
        config: &Resolved,
        open: &OpenStore,
        environment: Environment,
    ) -> Result<Self, StartError> {
        let (settings, store) = (&config.settings, open.store());
        let skew = Duration::from_secs(settings.clock_skew);
        let longest_life = Duration::from_secs(settings.max_token_lifetime);
        let revocations = Arc::new(Revocations::new(longest_life, skew));
        let revoker = Arc::new(Revoker { store: store.clone(), revocations: revocations.clone() });
        let recorder = Arc::new(Recorder::new(environment.entropy.clone()));
        let ring = Arc::new(KeyRing::open(key_folder(config))?);
        let clients = Arc::new(CachedClients::new(
            store.clone(),
            revocations.clone(),
            settings.client_cache,
            open.is_shared().then_some(CLIENTS_REMEMBERED),
        ));
        let signing_keys = SigningKeys { store: store.clone(), recorder: recorder.clone() };
        let days = settings.key_rotation_days;
        let key_exchange = Arc::new(KeyExchange {
            ring: ring.clone(),
            store: store.clone(),
            facts: store.clone(),
            deeds: signing_keys.clone(),
            revocations: revocations.clone(),
            clock: environment.clock.clone(),
            longest_life,
            skew,
            oldest: (days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400))),
            memory: Memory::default(),
        });
        let standings = Standings {
            revocations: revocations.clone(),
            revoker: revoker.clone(),
            registry: clients.clone(),
            recorder: recorder.clone(),
            clock: environment.clock.clone(),
            shared: open.is_shared(),
            settling: Mutex::default(),
        };
        let (log, shared) = (store.clone(), open.is_shared());
        let feed =
            Arc::new(Feed::new(key_exchange.clone(), log, clients.clone(), standings, shared));
        let quotas = quotas(settings, store.clone(), &*environment.entropy)?;
        Ok(Self {
            environment,
            store,
            clients,
            revocations,
            revoker,
            recorder,
            remote_keys: Arc::new(RemoteKeySets::new(settings.jwks_uri_hosts.clone())),
            ring,
            signing_keys,
            key_exchange,
            feed,
            logins: Arc::new(PendingLogins::default()),
            quotas,
            hashes: SlowHashes::for_this_machine(),
            skew,
            longest_life,
        })
    }

    fn authenticator(
        &self,
        config: &Resolved,
        pepper: Pepper,
    ) -> Result<Authenticator, StartError> {
        let settings = &config.settings;
        let Environment { clock, entropy } = &self.environment;
        let rehash = Rehash::new(
            self.clients.clone(),
            self.hashes.clone(),
            entropy.clone(),
            self.recorder.clone(),
            clock.clone(),
        );
        Ok(Authenticator {
            clients: self.clients.clone(),
            assertions: self.store.clone(),
            remote_keys: self.remote_keys.clone(),
            reader: Arc::new(StrictReader),
            news: self.feed.clone(),
            upgrade: Arc::new(rehash),
            secrets: SecretChecks::new(self.hashes.clone(), &**entropy)?,
            throttle: throttle(settings),
            pepper,
            rules: AssertionRules {
                issuer: config.issuer.clone(),
                token_endpoint: config.url("/oauth/token"),
                legacy_audience_until: config.legacy_audience_until,
                longest_life: Duration::from_secs(settings.assertion_lifetime),
                skew: self.skew,
            },
        })
    }

    fn issuer(&self, config: &Resolved) -> TokenIssuer {
        let settings = &config.settings;
        TokenIssuer {
            sealer: self.ring.clone(),
            logins: self.logins.clone(),
            quota: self.quotas.clone(),
            revocations: self.revocations.clone(),
            entropy: self.environment.entropy.clone(),
            rules: TokenRules {
                issuer: config.issuer.clone(),
                lifetime: Duration::from_secs(settings.token_lifetime),
                longest_life: self.longest_life,
                default_audience: settings.default_audience.clone(),
                require_audience: settings.require_audience,
            },
        }
    }

    fn judge(&self, config: &Resolved) -> TokenJudge {
        let settings = &config.settings;
        let opener = CachedOpener::new(
            self.ring.clone(),
            config.issuer.clone(),
            self.revocations.clone(),
            settings.token_cache.saturating_mul(1024 * 1024),
        );
        let max_staleness = Duration::from_secs(settings.max_staleness);
        TokenJudge {
            opener: Arc::new(opener),
            news: self.feed.clone(),
            revocations: self.revocations.clone(),
            max_staleness: Some(max_staleness).filter(|limit| !limit.is_zero()),
            skew: self.skew,
            accepted_audiences: settings.accepted_audiences.clone(),
        }
    }
}

/// The name of this process among the replicas is made anew at each start.
fn quotas(
    settings: &Settings,
    store: Arc<dyn Store>,
    entropy: &dyn Entropy,
) -> Result<Arc<Quotas>, StartError> {
    let replica = entropy.text(ALPHANUMERIC, 16)?;
    let defaults =
        DefaultQuotas { per_hour: settings.quota_per_hour, per_day: settings.quota_per_day };
    Ok(Arc::new(Quotas::new(replica, defaults, store)))
}

fn throttle(settings: &Settings) -> FailureThrottle {
    FailureThrottle::new(match settings.throttle {
        Switch::On => Some(authenticate::Limits::default()),
        Switch::Off => None,
    })
}

fn unused(settings: &Settings, parts: &Parts) -> UnusedSweep {
    let days = u64::from(settings.unused_client_days);
    UnusedSweep {
        age: (days > 0).then(|| Duration::from_secs(days * 86_400)),
        store: parts.store.clone(),
        upkeep: parts.store.clone(),
        logins: parts.logins.clone(),
        remembered: parts.clients.clone(),
        recorder: parts.recorder.clone(),
    }
}

fn key_rules(config: &Resolved) -> KeyRules {
    KeyRules {
        issuer: config.issuer.clone(),
        skew: Duration::from_secs(config.settings.clock_skew),
        proof_required: config.settings.require_key_proof,
        sharing_refused: config.settings.refuse_shared_keys,
    }
}

fn key_folder(config: &Resolved) -> KeyFolder {
    let settings = &config.settings;
    let password = config.signing_key_password.clone();
    let named = settings.signing_key_file.as_ref().map(|path| NamedKey {
        path: path.clone(),
        kid: settings.signing_key_id.clone(),
        password: password.clone(),
    });
    KeyFolder { path: settings.keys.clone(), named, algorithm: settings.algorithm, password }
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
        for former in app.enrolment.end_former_admins(&credentials.client_id, now).await? {
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
