//! The use cases, built from the parts.

use std::sync::Arc;

use crate::clients::admin::Administrators;
use crate::clients::credential_watch::CredentialWatch;
use crate::clients::key_admission::{KeyAdmission, KeyRules};
use crate::clients::rehash::Rehash;
use crate::clients::revoke::TokenRevocation;
use crate::clients::secrets::Secrets;
use crate::clients::used_proofs::UsedProofs;
use crate::clients::{ClientLimits, Clients};
use crate::config::{Config, Switch};
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
use crate::signing::administration::KeyAdministration;

use super::parts::Parts;
use super::{Signing, StartError};

impl Parts {
    pub(super) fn tokens(
        &self,
        config: &Config,
        pepper: Pepper,
        rate: Arc<RevocationRate>,
    ) -> Result<Tokens, StartError> {
        Ok(Tokens {
            authenticator: self.authenticator(config, pepper)?,
            issuer: self.issuer(config),
            judge: self.judge(config),
            introspection: Introspection {
                own_audiences: config.tokens.introspection_own_audiences,
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

    pub(super) fn signing(&self, config: &Config) -> Signing {
        Signing {
            ring: self.ring.clone(),
            keys: KeyAdministration {
                keys: self.signing_keys.clone(),
                ring: self.ring.clone(),
                exchange: self.key_exchange.clone(),
                longest_life: self.longest_life,
                skew: config.tokens.clock_skew,
            },
        }
    }

    pub(super) fn clients(
        &self,
        config: &Config,
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
                used: UsedProofs(self.store.clone()),
                rules: key_rules(config),
            },
            registration: config.registration.clone(),
            recorder: self.recorder.clone(),
            revoker: self.revoker.clone(),
            logins: self.logins.clone(),
            watch,
            limits: ClientLimits {
                secrets: config.clients.max_secrets,
                keys: config.clients.max_keys,
                lists: config.clients.list_limits(),
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

    fn authenticator(&self, config: &Config, pepper: Pepper) -> Result<Authenticator, StartError> {
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
            throttle: throttle(config),
            pepper,
            rules: AssertionRules {
                issuer: config.issuer.clone(),
                token_endpoint: config.url("/oauth/token"),
                legacy_audience_until: config.clients.legacy_audience_until,
                longest_life: config.clients.assertion_lifetime,
                skew: self.skew,
            },
        })
    }

    fn issuer(&self, config: &Config) -> TokenIssuer {
        TokenIssuer {
            sealer: self.ring.clone(),
            logins: self.logins.clone(),
            quota: self.quotas.clone(),
            revocations: self.revocations.clone(),
            rules: TokenRules {
                issuer: config.issuer.as_str().into(),
                lifetime: config.tokens.lifetime,
                longest_life: self.longest_life,
                default_audience: config.tokens.default_audience.clone(),
                require_audience: config.tokens.require_audience,
                lists: config.clients.list_limits(),
                longest_token: token_size::longest_in(config.listen.header_limit),
            },
        }
    }

    fn judge(&self, config: &Config) -> Arc<TokenJudge> {
        let opener = CachedOpener::new(
            self.ring.clone(),
            config.issuer.as_str().into(),
            self.revocations.clone(),
            config.storage.token_cache.saturating_mul(1024 * 1024),
        );
        Arc::new(TokenJudge {
            opener: Arc::new(opener),
            news: self.feed.clone(),
            revocations: self.revocations.clone(),
            max_staleness: config.storage.max_staleness,
            longest_life: self.longest_life,
            skew: self.skew,
            accepted_audiences: config.tokens.accepted_audiences.clone(),
        })
    }
}

fn throttle(config: &Config) -> FailureThrottle {
    FailureThrottle::new(match config.clients.throttle {
        Switch::On => Some(authenticate::FailureLimits::default()),
        Switch::Off => None,
    })
}

fn key_rules(config: &Config) -> KeyRules {
    KeyRules {
        issuer: config.issuer.clone(),
        skew: config.tokens.clock_skew,
        proof_required: config.clients.require_key_proof,
        sharing_refused: config.clients.refuse_shared_keys,
    }
}
