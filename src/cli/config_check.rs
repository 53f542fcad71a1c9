//! `latchkey config check`: what is in force.

use std::path::Path;

use clap::{ArgMatches, Command};

use crate::clients::registration_mode::RegistrationMode;
use crate::config::{Config, ConfigError, Settings};
use crate::jose::PrivateKey;
use crate::telemetry;

use super::{Outcome, print, settings};

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Print the settings in force, as a TOML file; refuse those that cannot be used")
        .long_about(
            "Print the settings in force, as a TOML file; refuse those that cannot be used.\n\n\
             Secrets are left out: each one that is set shows as a comment.",
        )
        .after_help("Example:  latchkey config check --config latchkey.toml")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let loaded = settings(matches)?;
    let mut shown = loaded.settings;
    let port = shown.listen.address.port();
    let config = Config::of(shown.clone(), port)?;
    telemetry::log(&config.log.level, config.log.format)?;
    check_files(&config)?;

    for (alias, id) in &loaded.aliases {
        print(&format!("# {alias} is taken as the setting {id}"))?;
    }
    for warning in config.warnings() {
        print(&format!("# warning: {warning}"))?;
    }
    if shown.registration.mode.is_none() {
        print(&format!("# registration is {}", mode(&config.registration)))?;
    }
    // Port 0 is not known yet, and so neither is the issuer that is made of it.
    if port != 0 {
        shown.identity.issuer = Some(config.issuer);
    }
    print(as_toml(&shown)?.trim_end())
}

fn mode(registration: &RegistrationMode) -> &'static str {
    match registration {
        RegistrationMode::Closed => "closed",
        RegistrationMode::Open => "open",
        RegistrationMode::Token(_) => "token",
    }
}

/// The settings as a file that can be used: a blanked-out secret would be taken for the secret.
fn as_toml(settings: &Settings) -> Result<String, toml::ser::Error> {
    let text = toml::to_string(settings)?;
    let lines = text.lines().map(|line| {
        let secret = line.ends_with(" = \"[redacted]\"");
        if secret { format!("# {line}\n") } else { format!("{line}\n") }
    });
    Ok(lines.collect())
}

/// Files that the server reads when it starts.
fn check_files(config: &Config) -> Outcome {
    for path in [&config.listen.tls_certificate, &config.listen.tls_key].into_iter().flatten() {
        read(path)?;
    }
    if let Some(path) = &config.tokens.openid_configuration_file {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&read(path)?)
            .map_err(|error| format!("`{}` must hold a JSON object: {error}", path.display()))?;
    }
    if let Some(path) = &config.signing_keys.file {
        PrivateKey::from_pem(&read(path)?, config.signing_key_password.as_ref())
            .and_then(PrivateKey::for_tokens)
            .map_err(|error| format!("the key in `{}` cannot be used: {error}", path.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}
