//! The parts that several others share.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::audit::Recorder;
use crate::clients::cached::{CacheLimits, CachedClients};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::hashing::SlowHashes;
use crate::jose::{KeyFolder, KeyRing, NamedKey};
use crate::oauth::logins::PendingLogins;
use crate::oauth::quota::{DefaultQuotas, Quotas};
use crate::outbound::RemoteKeySets;
use crate::random::{self, ALPHANUMERIC};
use crate::replication::client_status::ClientStatuses;
use crate::replication::feed::Feed;
use crate::revocation::list::Revocations;
use crate::revocation::revoker::Revoker;
use crate::signing::key_exchange::{KeyExchange, Memory};
use crate::signing::keys::SigningKeys;
use crate::store::Store;

use super::{OpenStore, StartError};

/// How long a client of a store that others write to is remembered, even if no change was seen.
const CLIENTS_REMEMBERED: Duration = Duration::from_secs(10);
/// How long it is remembered that there is no client of an id. A client that another replica adds is
/// heard of sooner.
const ABSENCE_REMEMBERED: Duration = Duration::from_secs(1);

/// The parts that several others share.
pub(super) struct Parts {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clients: Arc<CachedClients>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) revoker: Arc<Revoker>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) remote_keys: Arc<RemoteKeySets>,
    pub(super) ring: Arc<KeyRing>,
    pub(super) signing_keys: SigningKeys,
    pub(super) key_exchange: Arc<KeyExchange>,
    pub(super) feed: Arc<Feed>,
    pub(super) logins: Arc<PendingLogins>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) hashes: SlowHashes,
    pub(super) skew: Duration,
    pub(super) longest_life: Duration,
}

impl Parts {
    pub(super) fn of(
        config: &Config,
        open: &OpenStore,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let store = open.store();
        let (skew, longest_life) = (config.tokens.clock_skew, config.tokens.max_lifetime);
        let revocations = Arc::new(Revocations::new(longest_life, skew));
        let revoker = Arc::new(Revoker { store: store.clone(), revocations: revocations.clone() });
        let recorder = Arc::new(Recorder::default());
        let ring = Arc::new(KeyRing::open(key_folder(config))?);
        let clients = Arc::new(CachedClients::new(
            store.clone(),
            revocations.clone(),
            CacheLimits {
                capacity: config.storage.client_cache,
                for_at_most: open.is_shared().then_some(CLIENTS_REMEMBERED),
                absent_for: ABSENCE_REMEMBERED,
            },
        ));
        let signing_keys = SigningKeys { store: store.clone(), recorder: recorder.clone() };
        let key_exchange = Arc::new(KeyExchange {
            ring: ring.clone(),
            store: store.clone(),
            facts: store.clone(),
            changes: signing_keys.clone(),
            revocations: revocations.clone(),
            clock: clock.clone(),
            longest_life,
            skew,
            oldest: config.signing_keys.rotation,
            memory: Memory::default(),
        });
        let statuses = ClientStatuses {
            revocations: revocations.clone(),
            revoker: revoker.clone(),
            repository: clients.clone(),
            recorder: recorder.clone(),
            clock: clock.clone(),
            shared: open.is_shared(),
            settling: Mutex::default(),
        };
        let (log, shared) = (store.clone(), open.is_shared());
        let feed =
            Arc::new(Feed::new(key_exchange.clone(), log, clients.clone(), statuses, shared));
        let quotas = quotas(config, store.clone())?;
        Ok(Self {
            clock,
            store,
            clients,
            revocations,
            revoker,
            recorder,
            remote_keys: Arc::new(RemoteKeySets::new(config.clients.jwks_uri_hosts.clone())),
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
}

/// The name of this process among the replicas is made anew at each start.
fn quotas(config: &Config, store: Arc<dyn Store>) -> Result<Arc<Quotas>, StartError> {
    let replica = random::text(ALPHANUMERIC, 16)?;
    let defaults = DefaultQuotas {
        per_hour: config.clients.quota_per_hour,
        per_day: config.clients.quota_per_day,
    };
    Ok(Arc::new(Quotas::new(replica, defaults, store)))
}

fn key_folder(config: &Config) -> KeyFolder {
    let keys = &config.signing_keys;
    let password = config.signing_key_password.clone();
    let named = keys.file.as_ref().map(|path| NamedKey {
        path: path.clone(),
        kid: keys.file_kid.clone(),
        password: password.clone(),
    });
    KeyFolder { path: keys.folder.clone(), named, algorithm: keys.algorithm, password }
}
