//! Who may register clients.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use serde::Serialize;

use crate::clients::registration_mode::RegistrationMode;

use super::secret::{read, redacted, secret};
use super::{ConfigError, Listen};

/// Who may register, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Clients")]
#[group(skip)]
pub struct RegistrationSettings {
    /// Who may register [default: open on a loopback address, closed elsewhere]
    #[arg(id = "registration", long = "registration", value_enum)]
    #[serde(rename = "registration")]
    pub mode: Option<RegistrationSetting>,

    /// The initial access token, with --registration token
    #[arg(long, value_parser = secret)]
    #[serde(serialize_with = "redacted")]
    pub initial_access_token: Option<SecretString>,

    /// A file with the initial access token
    #[arg(long)]
    pub initial_access_token_file: Option<PathBuf>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationSetting {
    /// Registration is closed
    Closed,
    /// Anyone may register
    Open,
    /// Callers must send the initial access token
    Token,
}

impl RegistrationSettings {
    pub(super) fn resolve(self, listen: &Listen) -> Result<RegistrationMode, ConfigError> {
        let file = self.initial_access_token_file.as_deref();
        let token = read("initial_access_token", self.initial_access_token, file)?;
        match (self.mode, token) {
            (Some(RegistrationSetting::Token) | None, Some(token)) => {
                Ok(RegistrationMode::Token(token))
            }
            (Some(RegistrationSetting::Token), None) => Err(ConfigError::conflict(
                "registration is `token`: set initial_access_token or initial_access_token_file",
            )),
            (Some(_), Some(_)) => Err(ConfigError::conflict(
                "initial_access_token goes with registration `token`, not with open or closed",
            )),
            (Some(RegistrationSetting::Open), None) => Ok(RegistrationMode::Open),
            (Some(RegistrationSetting::Closed), None) => Ok(RegistrationMode::Closed),
            (None, None) if listen.is_loopback() => Ok(RegistrationMode::Open),
            (None, None) => Ok(RegistrationMode::Closed),
        }
    }
}
