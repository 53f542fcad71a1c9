//! What follows from the settings taken together.

use secrecy::SecretString;

use crate::clients::registration_mode::RegistrationMode;

use super::{
    Clients, ConfigError, Gateways, Listen, Log, Settings, SigningKeys, Storage, StoreUrl, Tokens,
    Webhook,
};

/// What is in force: settings that were checked against each other, their files read and their
/// defaults worked out.
#[derive(Clone, Debug)]
pub struct Config {
    /// Listeners, and what they take.
    pub listen: Listen,
    /// The store, and what is kept of it in memory.
    pub storage: Storage,
    /// The issuer identifier.
    pub issuer: String,
    /// What every URL in the metadata begins with, without a slash at the end.
    pub endpoints: String,
    /// Where signing keys are, and how they sign.
    pub signing_keys: SigningKeys,
    /// The password of encrypted signing keys.
    pub signing_key_password: Option<SecretString>,
    /// What tokens are like, and which are accepted.
    pub tokens: Tokens,
    /// Who may register.
    pub registration: RegistrationMode,
    /// Whether nobody has set who may register.
    pub(super) registration_is_default: bool,
    /// What clients may have and do.
    pub clients: Clients,
    /// The administrator that is set at every start.
    pub admin: Option<(String, SecretString)>,
    /// How gateways ask and are answered.
    pub gateways: Gateways,
    /// The webhook for audit events.
    pub webhook: Option<Webhook>,
    /// What is logged, and how.
    pub log: Log,
}

impl Config {
    /// Works out the rest. `port` is the port that is really listened on.
    pub fn of(settings: Settings, port: u16) -> Result<Self, ConfigError> {
        let mut listen = settings.listen;
        listen.address.set_port(port);
        let (issuer, endpoints) = settings.identity.resolve(&listen)?;
        if let StoreUrl::Unknown(_) = settings.storage.store {
            return Err(ConfigError::conflict(
                "store (--store, LATCHKEY_STORE): must be file:FOLDER or mongodb://HOST/DATABASE",
            ));
        }
        if settings.tokens.lifetime > settings.tokens.max_lifetime {
            return Err(ConfigError::conflict(
                "token_lifetime must not be longer than max_token_lifetime",
            ));
        }
        Ok(Self {
            registration_is_default: settings.registration.mode.is_none(),
            registration: settings.registration.resolve(&listen)?,
            admin: settings.admin.resolve()?,
            gateways: settings.gateways.resolve()?,
            webhook: settings.webhook.resolve()?,
            signing_key_password: settings.signing_key_password.resolve()?,
            listen,
            storage: settings.storage,
            issuer,
            endpoints,
            signing_keys: settings.signing_keys,
            tokens: settings.tokens,
            clients: settings.clients,
            log: settings.log,
        })
    }

    /// The URL of a route, as callers reach it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoints)
    }

    /// Where the status routes and the documentation are: above the service prefix.
    #[must_use]
    pub fn root(&self) -> &str {
        self.endpoints.strip_suffix(self.listen.service_prefix.as_str()).unwrap_or(&self.endpoints)
    }
}
