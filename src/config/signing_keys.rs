//! The private keys that sign tokens.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;

use crate::domain::jwk::Algorithm;

use super::ConfigError;
use super::duration::{as_days_or_zero, in_days, unless_zero};
use super::secret::{read, redacted, secret};
use super::values::not_empty;

/// Where signing keys are, and how they sign.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Tokens")]
#[group(skip)]
pub struct SigningKeys {
    /// Folder with the private signing keys; a key is made there if there is none
    #[arg(id = "keys", long = "keys", default_value = "./keys")]
    #[serde(rename = "keys")]
    pub folder: PathBuf,

    /// How tokens are signed: RS256, PS256, ES256 or EdDSA
    #[arg(long, default_value = "RS256", value_parser = Algorithm::for_tokens)]
    pub algorithm: Algorithm,

    /// A PEM file with the key that shall sign, if it is not in the folder
    #[arg(id = "signing_key_file", long = "signing-key-file")]
    #[serde(rename = "signing_key_file")]
    pub file: Option<PathBuf>,

    /// The kid under which that key has been signing
    #[arg(id = "signing_key_id", long = "signing-key-id", value_parser = not_empty,
          requires = "signing_key_file")]
    #[serde(rename = "signing_key_id")]
    pub file_kid: Option<String>,

    /// Days after which the signing key is rotated; 0: never
    #[arg(id = "key_rotation_days", long = "key-rotation-days", default_value = "0",
          value_parser = unless_zero(in_days(..=36500)), value_name = "DURATION")]
    #[serde(rename = "key_rotation_days", serialize_with = "as_days_or_zero")]
    pub rotation: std::option::Option<Duration>,
}

/// The password of signing keys, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Tokens")]
#[group(skip)]
pub struct SigningKeyPassword {
    /// The password of encrypted signing keys
    #[arg(id = "signing_key_password", long = "signing-key-password", value_parser = secret,
          hide_default_value = true)]
    #[serde(rename = "signing_key_password", serialize_with = "redacted")]
    pub password: Option<SecretString>,

    /// A file with that password
    #[arg(id = "signing_key_password_file", long = "signing-key-password-file")]
    #[serde(rename = "signing_key_password_file")]
    pub file: Option<PathBuf>,
}

impl SigningKeyPassword {
    pub(super) fn resolve(self) -> Result<Option<SecretString>, ConfigError> {
        read("signing_key_password", self.password, self.file.as_deref())
    }
}
