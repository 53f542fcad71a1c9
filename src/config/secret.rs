//! Secrets among the settings: given as they are, or in a file.

use std::convert::Infallible;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

use super::ConfigError;

/// Settings that are a secret. Each has a second form that ends in `_file`.
pub(super) const SECRETS: [&str; 4] =
    ["admin_secret", "initial_access_token", "signing_key_password", "webhook_secret"];

#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
pub(super) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.to_owned().into())
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn redacted<S: Serializer>(
    secret: &Option<SecretString>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => to.serialize_some("[redacted]"),
        None => to.serialize_none(),
    }
}

/// A secret that is given, or in a file; a line break at the end of the file is not part of it.
pub(super) fn read(
    name: &str,
    given: Option<SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, ConfigError> {
    let secret = match (given, file) {
        (Some(_), Some(_)) => {
            return Err(ConfigError::conflict(format!("set {name} or {name}_file, not both")));
        }
        (given, None) => given,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
    };
    match secret {
        Some(secret) if secret.expose_secret().is_empty() => {
            Err(ConfigError::conflict(format!("{name} must not be empty")))
        }
        secret => Ok(secret),
    }
}
