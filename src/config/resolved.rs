//! What follows from the settings taken together.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::clients::register::RegistrationMode;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::lists::ListLimits;

use super::{ConfigError, Gateways, RegistrationSetting, Settings, StoreUrl, Webhook};

/// Settings that were checked against each other, their files read and their defaults worked out.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings as given, with the port and the issuer that are really used.
    pub settings: Settings,
    /// The issuer identifier.
    pub issuer: String,
    /// What every URL in the metadata begins with, without a slash at the end.
    pub endpoints: String,
    /// Who may register.
    pub registration: RegistrationMode,
    /// Until when every client may send the token endpoint's URL as `aud`.
    pub legacy_audience_until: Option<Timestamp>,
    /// The administrator that is set at every start.
    pub admin: Option<(String, SecretString)>,
    /// How gateways ask and are answered.
    pub gateways: Gateways,
    /// The webhook for audit events.
    pub webhook: Option<Webhook>,
    /// The password of encrypted signing keys.
    pub signing_key_password: Option<SecretString>,
}

impl Resolved {
    /// Works out the rest. `port` is the port that is really listened on.
    pub fn of(mut settings: Settings, port: u16) -> Result<Self, ConfigError> {
        settings.listen.set_port(port);
        let loopback = settings.listen.ip().is_loopback();
        let scheme = if settings.tls_certificate.is_some() { "https" } else { "http" };
        let local = format!("{scheme}://localhost:{port}");
        let issuer = match &settings.issuer {
            Some(issuer) => issuer.clone(),
            None if loopback => local.clone(),
            None => {
                return conflict(
                    "set the issuer (--issuer, LATCHKEY_ISSUER): it is required when \
                                 not listening on a loopback address",
                );
            }
        };
        let endpoints = endpoints(&settings, &issuer, loopback.then_some(local.as_str()))?;
        if let StoreUrl::Unknown(_) = settings.store {
            let why =
                "store (--store, LATCHKEY_STORE): must be file:FOLDER or mongodb://HOST/DATABASE";
            return conflict(why);
        }
        if settings.token_lifetime > settings.max_token_lifetime {
            return conflict("token_lifetime must not be longer than max_token_lifetime");
        }
        Ok(Self {
            registration: registration(&settings, loopback)?,
            admin: admin(&settings)?,
            gateways: Gateways::of(&settings)?,
            webhook: webhook(&settings)?,
            legacy_audience_until: settings
                .legacy_audience_until
                .as_deref()
                .and_then(Timestamp::from_rfc3339),
            signing_key_password: secret(
                "signing_key_password",
                settings.signing_key_password.as_ref(),
                settings.signing_key_password_file.as_deref(),
            )?,
            settings: Settings { issuer: Some(issuer.clone()), ..settings },
            issuer,
            endpoints,
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
        self.endpoints
            .strip_suffix(self.settings.service_prefix.as_str())
            .unwrap_or(&self.endpoints)
    }

    /// How long the lists of clients, and of what they ask for, may be.
    #[must_use]
    pub fn list_limits(&self) -> ListLimits {
        ListLimits {
            audiences: self.settings.max_audiences,
            scopes: self.settings.max_scopes,
            permissions: self.settings.max_permissions,
            groups: self.settings.max_groups,
        }
    }

    /// How long audit records are kept; `None`: for ever.
    #[must_use]
    pub fn audit_retention(&self) -> Option<Duration> {
        let days = self.settings.audit_retention_days;
        (days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400)))
    }
}

fn conflict<T>(why: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Conflict(why.to_owned()))
}

fn endpoints(
    settings: &Settings,
    issuer: &str,
    local: Option<&str>,
) -> Result<String, ConfigError> {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    let from_issuer = Url::parse(issuer).ok().filter(is_http).map(|_| issuer.to_owned());
    let base = match (&settings.public_url, from_issuer, local) {
        (Some(public), _, _) => public.to_string(),
        (None, Some(issuer), _) => issuer,
        (None, None, Some(local)) => local.to_owned(),
        (None, None, None) => {
            return conflict(
                "the issuer is not an http(s) URL: set public_url (LATCHKEY_PUBLIC_URL), \
                             where callers reach this server",
            );
        }
    };
    let base = base.trim_end_matches('/');
    // An issuer or public URL that already ends with the prefix says where the prefix begins; but
    // `http://auth` does not end with the prefix `/auth`.
    let stripped = base.strip_suffix(settings.service_prefix.as_str());
    let base = stripped.filter(|base| !base.ends_with('/')).unwrap_or(base);
    Ok(format!("{base}{}", settings.service_prefix))
}

fn registration(settings: &Settings, loopback: bool) -> Result<RegistrationMode, ConfigError> {
    let token = secret(
        "initial_access_token",
        settings.initial_access_token.as_ref(),
        settings.initial_access_token_file.as_deref(),
    )?;
    match (settings.registration, token) {
        (Some(RegistrationSetting::Token) | None, Some(token)) => {
            Ok(RegistrationMode::Token(token))
        }
        (Some(RegistrationSetting::Token), None) => conflict(
            "registration is `token`: set initial_access_token or initial_access_token_file",
        ),
        (Some(_), Some(_)) => {
            conflict("initial_access_token goes with registration `token`, not with open or closed")
        }
        (Some(RegistrationSetting::Open), None) => Ok(RegistrationMode::Open),
        (Some(RegistrationSetting::Closed), None) => Ok(RegistrationMode::Closed),
        (None, None) if loopback => Ok(RegistrationMode::Open),
        (None, None) => Ok(RegistrationMode::Closed),
    }
}

fn admin(settings: &Settings) -> Result<Option<(String, SecretString)>, ConfigError> {
    let secret = secret(
        "admin_secret",
        settings.admin_secret.as_ref(),
        settings.admin_secret_file.as_deref(),
    )?;
    match (&settings.admin_client_id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => match id.parse::<ClientId>() {
            Ok(parsed) if parsed.is_reserved() => conflict(&format!(
                "admin_client_id must not be `{id}`, which is reserved; choose another",
            )),
            Ok(_) => Ok(Some((id.clone(), secret))),
            Err(malformed) => conflict(&format!("admin_client_id: {malformed}")),
        },
        _ => conflict("admin_client_id and admin_secret (or admin_secret_file) go together"),
    }
}

fn webhook(settings: &Settings) -> Result<Option<Webhook>, ConfigError> {
    let secret = secret(
        "webhook_secret",
        settings.webhook_secret.as_ref(),
        settings.webhook_secret_file.as_deref(),
    )?;
    Webhook::of(settings, secret.as_ref())
}

/// A secret that is given, or in a file; a line break at the end of the file is not part of it.
fn secret(
    name: &str,
    given: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, ConfigError> {
    let secret = match (given, file) {
        (Some(_), Some(_)) => return conflict(&format!("set {name} or {name}_file, not both")),
        (Some(given), None) => Some(given.clone()),
        (None, None) => None,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
    };
    if secret.as_ref().is_some_and(|secret| secrecy::ExposeSecret::expose_secret(secret).is_empty())
    {
        return conflict(&format!("{name} must not be empty"));
    }
    Ok(secret)
}
