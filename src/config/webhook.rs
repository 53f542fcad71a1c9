//! The webhook for audit events.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::{Host, Url};

use crate::audit::message::{Topic, WebhookKey};

use super::ConfigError;
use super::secret::{read, redacted, secret};

/// The default events: revocations, removals, and credentials that are about to expire.
const DEFAULT_TOPICS: &str = "tokens.revoked,client.deleted,client.left,client.state_changed,\
    client.regenerated,secret.deleted,key.deleted,signing_key.*,credential.expiring";

/// The webhook, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Webhook")]
#[group(skip)]
pub struct WebhookSettings {
    /// Webhook URL for signed audit events: an https URL, or http on this machine
    #[arg(id = "webhook_url", long = "webhook-url")]
    #[serde(rename = "webhook_url")]
    pub url: Option<Url>,

    /// Secret that signs webhook messages: `whsec_` and base64, or any text of at least 24 bytes
    #[arg(id = "webhook_secret", long = "webhook-secret", value_parser = secret, hide_default_value = true)]
    #[serde(rename = "webhook_secret", serialize_with = "redacted")]
    pub secret: Option<SecretString>,

    /// A file with that secret
    #[arg(id = "webhook_secret_file", long = "webhook-secret-file")]
    #[serde(rename = "webhook_secret_file")]
    pub secret_file: Option<PathBuf>,

    /// Audit events to send: names, prefixes such as `client.*`, or `*`
    #[arg(id = "webhook_events", long = "webhook-events", value_delimiter = ',', default_value = DEFAULT_TOPICS)]
    #[serde(rename = "webhook_events")]
    pub events: Vec<Topic>,
}

/// A webhook that can be used.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where it is.
    pub url: Url,
    /// What messages are signed with.
    pub key: WebhookKey,
    /// What it is told of.
    pub topics: Vec<Topic>,
}

impl WebhookSettings {
    pub(super) fn resolve(self) -> Result<Option<Webhook>, ConfigError> {
        let secret = read("webhook_secret", self.secret, self.secret_file.as_deref())?;
        let (url, secret) = match (self.url, secret) {
            (None, None) => return Ok(None),
            (Some(url), Some(secret)) => (url, secret),
            _ => {
                return Err(ConfigError::conflict(
                    "webhook_url and webhook_secret (or webhook_secret_file) go together",
                ));
            }
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(ConfigError::conflict(
                "webhook_url must be an https URL, or http on this machine",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::conflict(
                "webhook_url must not hold credentials; messages are signed",
            ));
        }
        let key = WebhookKey::parse(secret.expose_secret())
            .map_err(|error| ConfigError::conflict(format!("webhook_secret {error}")))?;
        Ok(Some(Webhook { url, key, topics: self.events }))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    #[test]
    fn a_webhook_is_safe_or_is_refused() {
        let good = "x".repeat(24);
        #[rustfmt::skip]
        let cases = [
            ("none",             None,                              None,          Ok(false)),
            ("https",            Some("https://hook.example/a?b"),  Some(&*good),  Ok(true)),
            ("this machine",     Some("http://127.0.0.1:9/"),       Some(&*good),  Ok(true)),
            ("by name",          Some("http://localhost:9/"),       Some(&*good),  Ok(true)),
            ("in the clear",     Some("http://hook.example/"),      Some(&*good),  Err("https")),
            ("private, clear",   Some("http://10.0.0.1/"),          Some(&*good),  Err("https")),
            ("another scheme",   Some("ftp://localhost/"),          Some(&*good),  Err("https")),
            ("credentials",      Some("https://u:p@hook.example/"), Some(&*good),  Err("credentials")),
            ("no secret",        Some("https://hook.example/"),     None,          Err("go together")),
            ("no URL",           None,                              Some(&*good),  Err("go together")),
            ("a short secret",   Some("https://hook.example/"),     Some("short"), Err("webhook_secret")),
        ];
        for (why, url, secret, expected) in cases {
            let command = WebhookSettings::augment_args(Command::new("test").no_binary_name(true));
            let url = url.map(|url| format!("--webhook-url={url}"));
            let secret = secret.map(|secret| format!("--webhook-secret={secret}"));
            let matches = command.get_matches_from(url.into_iter().chain(secret));
            let settings = WebhookSettings::from_arg_matches(&matches).unwrap();
            match (settings.resolve(), expected) {
                (Ok(found), Ok(is_some)) => assert_eq!(found.is_some(), is_some, "{why}"),
                (Err(found), Err(named)) => {
                    assert!(found.to_string().contains(named), "{why}: {found}");
                }
                (found, _) => panic!("{why}: {found:?}"),
            }
        }
    }
}
