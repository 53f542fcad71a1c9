//! What the doors ask, made of the parts.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::admin::Administrators;
use crate::clients::credential_watch::CredentialWatch;
use crate::clients::key_admission::{KeyAdmission, KeyRules};
use crate::clients::rehash::Rehash;
use crate::clients::revoke::TokenRevocation;
use crate::clients::secrets::Secrets;
use crate::clients::{Clients, Limits};
use crate::config::{Resolved, Settings, Switch};
use crate::domain::secret::Pepper;
use crate::domain::token_size;
use crate::jose::{CachedOpener, StrictReader};
use crate::oauth::Tokens;
use crate::oauth::authenticate::{
    self, AssertionRules, Authenticator, FailureThrottle, SecretChecks,
};
use crate::oauth::introspect::Introspection;
use crate::oauth::revoke::OwnTokens;
use crate::oauth::token::{TokenIssuer, TokenRules};
use crate::oauth::tokeninfo::TokenJudge;
use crate::replication::revocation_orders::RevocationOrders;
use crate::revocation::rate::RevocationRate;
use crate::store::UsedProofs;

use super::parts::Parts;
use super::{Signing, StartError};

impl Parts {
    pub(super) fn tokens(
        &self,
        config: &Resolved,
        pepper: Pepper,
        rate: Arc<RevocationRate>,
    ) -> Result<Tokens, StartError> {
        Ok(Tokens {
            authenticator: self.authenticator(config, pepper)?,
            issuer: self.issuer(config),
            judge: self.judge(config),
            introspection: Introspection {
                own_audiences: config.settings.introspection_own_audiences,
                issuer: config.issuer.clone(),
                sealer: self.ring.clone(),
            },
            own: OwnTokens { revoker: self.revoker.clone(), recorder: self.recorder.clone(), rate },
        })
    }

    pub(super) fn revocation_orders(&self, rate: Arc<RevocationRate>) -> RevocationOrders {
        RevocationOrders {
            tokens: TokenRevocation {
                repository: self.clients.clone(),
                revoker: self.revoker.clone(),
                recorder: self.recorder.clone(),
                rate,
            },
            keys: self.key_exchange.clone(),
            feed: self.feed.clone(),
        }
    }

    pub(super) fn signing(&self) -> Signing {
        Signing {
            ring: self.ring.clone(),
            keys: self.signing_keys.clone(),
            exchange: self.key_exchange.clone(),
        }
    }

    pub(super) fn clients(
        &self,
        config: &Resolved,
        secrets: Secrets,
        watch: Arc<CredentialWatch>,
    ) -> Clients {
        Clients {
            repository: self.clients.clone(),
            secrets,
            keys: KeyAdmission {
                repository: self.clients.clone(),
                remote: self.remote_keys.clone(),
                reader: Arc::new(StrictReader),
                used: Arc::new(UsedProofs(self.store.clone())),
                rules: key_rules(config),
            },
            registration: config.registration.clone(),
            recorder: self.recorder.clone(),
            revoker: self.revoker.clone(),
            logins: self.logins.clone(),
            watch,
            limits: Limits {
                secrets: config.settings.max_secrets,
                keys: config.settings.max_keys,
                lists: config.list_limits(),
                token_lifetime: self.longest_life,
            },
        }
    }

    pub(super) fn administrators(&self, secrets: Secrets) -> Administrators {
        Administrators {
            repository: self.clients.clone(),
            secrets,
            recorder: self.recorder.clone(),
            revoker: self.revoker.clone(),
        }
    }

    fn authenticator(
        &self,
        config: &Resolved,
        pepper: Pepper,
    ) -> Result<Authenticator, StartError> {
        let settings = &config.settings;
        let rehash = Rehash::new(
            self.clients.clone(),
            self.hashes.clone(),
            self.recorder.clone(),
            self.clock.clone(),
        );
        Ok(Authenticator {
            clients: self.clients.clone(),
            assertions: self.store.clone(),
            remote_keys: self.remote_keys.clone(),
            reader: Arc::new(StrictReader),
            revocations: self.revocations.clone(),
            news: self.feed.clone(),
            upgrade: Arc::new(rehash),
            secrets: SecretChecks::new(self.hashes.clone())?,
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
            rules: TokenRules {
                issuer: config.issuer.as_str().into(),
                lifetime: Duration::from_secs(settings.token_lifetime),
                longest_life: self.longest_life,
                default_audience: settings.default_audience.clone(),
                require_audience: settings.require_audience,
                lists: config.list_limits(),
                longest_token: token_size::longest_in(settings.header_limit),
            },
        }
    }

    fn judge(&self, config: &Resolved) -> Arc<TokenJudge> {
        let settings = &config.settings;
        let opener = CachedOpener::new(
            self.ring.clone(),
            config.issuer.as_str().into(),
            self.revocations.clone(),
            settings.token_cache.saturating_mul(1024 * 1024),
        );
        let max_staleness = Duration::from_secs(settings.max_staleness);
        Arc::new(TokenJudge {
            opener: Arc::new(opener),
            news: self.feed.clone(),
            revocations: self.revocations.clone(),
            max_staleness: Some(max_staleness).filter(|limit| !limit.is_zero()),
            longest_life: self.longest_life,
            skew: self.skew,
            accepted_audiences: settings.accepted_audiences.clone(),
        })
    }
}

fn throttle(settings: &Settings) -> FailureThrottle {
    FailureThrottle::new(match settings.throttle {
        Switch::On => Some(authenticate::Limits::default()),
        Switch::Off => None,
    })
}

fn key_rules(config: &Resolved) -> KeyRules {
    KeyRules {
        issuer: config.issuer.clone(),
        skew: Duration::from_secs(config.settings.clock_skew),
        proof_required: config.settings.require_key_proof,
        sharing_refused: config.settings.refuse_shared_keys,
    }
}
