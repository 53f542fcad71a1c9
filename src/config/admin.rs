//! The administrator that is set at every start.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;

use crate::domain::id::ClientId;

use super::ConfigError;
use super::secret::{read, redacted, secret};
use super::values::not_empty;

/// The administrator, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Clients")]
#[group(skip)]
pub struct AdminSettings {
    /// The client id of the administrator, set at every start
    #[arg(id = "admin_client_id", long = "admin-client-id", value_parser = not_empty)]
    #[serde(rename = "admin_client_id")]
    pub client_id: Option<String>,

    /// The secret of the administrator, set at every start
    #[arg(id = "admin_secret", long = "admin-secret", value_parser = secret)]
    #[serde(rename = "admin_secret", serialize_with = "redacted")]
    pub secret: Option<SecretString>,

    /// A file with that secret
    #[arg(id = "admin_secret_file", long = "admin-secret-file")]
    #[serde(rename = "admin_secret_file")]
    pub secret_file: Option<PathBuf>,
}

impl AdminSettings {
    /// The client id and the secret.
    pub(super) fn resolve(self) -> Result<Option<(String, SecretString)>, ConfigError> {
        let secret = read("admin_secret", self.secret, self.secret_file.as_deref())?;
        match (self.client_id, secret) {
            (None, None) => Ok(None),
            (Some(id), Some(secret)) => match id.parse::<ClientId>() {
                Ok(parsed) if parsed.is_reserved() => Err(ConfigError::conflict(format!(
                    "admin_client_id must not be `{id}`, which is reserved; choose another",
                ))),
                Ok(_) => Ok(Some((id, secret))),
                Err(malformed) => {
                    Err(ConfigError::conflict(format!("admin_client_id: {malformed}")))
                }
            },
            _ => Err(ConfigError::conflict(
                "admin_client_id and admin_secret (or admin_secret_file) go together",
            )),
        }
    }
}
