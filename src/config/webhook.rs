//! The webhook for audit events.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::audit::message::{Topic, WebhookKey};

use super::{ConfigError, Settings};

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

impl Webhook {
    pub(super) fn of(
        settings: &Settings,
        secret: Option<&SecretString>,
    ) -> Result<Option<Self>, ConfigError> {
        let conflict = |why: &str| Err(ConfigError::Conflict(why.to_owned()));
        let (url, secret) = match (&settings.webhook_url, secret) {
            (None, None) => return Ok(None),
            (Some(url), Some(secret)) => (url, secret),
            _ => {
                return conflict(
                    "webhook_url and webhook_secret (or webhook_secret_file) go together",
                );
            }
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
            return conflict("webhook_url must be an https URL, or http on this machine");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return conflict("webhook_url must not hold credentials; messages are signed");
        }
        let key = WebhookKey::parse(secret.expose_secret())
            .map_err(|error| ConfigError::Conflict(format!("webhook_secret {error}")))?;
        Ok(Some(Self { url: url.clone(), key, topics: settings.webhook_events.clone() }))
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
    use clap::{Args, Command, FromArgMatches};

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
            let command = Settings::augment_args(Command::new("test").no_binary_name(true));
            let flags = url.map(|url| format!("--webhook-url={url}"));
            let settings = Settings::from_arg_matches(&command.get_matches_from(flags)).unwrap();
            let secret = secret.map(|secret| SecretString::from(secret.to_owned()));
            match (Webhook::of(&settings, secret.as_ref()), expected) {
                (Ok(found), Ok(is_some)) => assert_eq!(found.is_some(), is_some, "{why}"),
                (Err(found), Err(named)) => {
                    assert!(found.to_string().contains(named), "{why}: {found}");
                }
                (found, _) => panic!("{why}: {found:?}"),
            }
        }
    }
}
