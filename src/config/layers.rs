//! Defaults, then the file, then the environment, then the flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::error::ContextKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{ConfigError, Settings};

/// Names in the environment of the platform that many come from, and what they are called here.
const ALIASES: [(&str, &str); 17] = [
    ("ACCEPTED_AUDIENCES", "accepted_audiences"),
    ("AUTHORIZATION_STRICT_MODE_ENABLED", "auth_strict"),
    ("BACKOFFICE_HEADER_KEY", "backoffice_header"),
    ("CLIENT_TYPE_HEADER_KEY", "client_type_header"),
    ("CLOCK_SKEW_SECONDS", "clock_skew"),
    ("DELAY_SHUTDOWN_SECONDS", "shutdown_delay"),
    ("HTTP_PORT", "listen"),
    ("LOG_LEVEL", "log_level"),
    ("MIA_JWT_EXPIRES_IN", "token_lifetime"),
    ("MIA_JWT_ISSUER", "issuer"),
    ("OPENID_CONFIG_PATH", "openid_configuration_file"),
    ("PRIVATE_KEY_PASSWORD", "signing_key_password"),
    ("PRIVATE_RSA_KEY_FILE_PATH", "signing_key_file"),
    ("PRIVATE_RSA_KEY_ID", "signing_key_id"),
    ("REQUIRED_AUDIENCE_IN_TOKEN_REQUEST", "require_audience"),
    ("SERVICE_PREFIX", "service_prefix"),
    ("USER_PROPERTIES_TO_PROXY", "user_properties"),
];

/// The settings, and what is worth saying about where they came from.
#[derive(Debug)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    /// Aliases that were used, each with the setting that it stands for.
    pub aliases: Vec<(&'static str, String)>,
}

/// Puts the layers together: `flags` as they were parsed, the environment through `variable`, and
/// the TOML file if there is one.
pub fn load(
    flags: &ArgMatches,
    variable: impl Fn(&str) -> Option<String>,
    file: Option<&Path>,
) -> Result<Loaded, ConfigError> {
    let command = command();
    let mut values = Values::new();
    if let Some(path) = file {
        for (id, value) in from_file(&command, path)? {
            values.insert(id, value);
        }
    }
    let mut aliases = Vec::new();
    let mut layer = Values::new();
    for (alias, id) in ALIASES {
        if let Some(value) = variable(alias).filter(|value| !value.is_empty()) {
            layer.insert(id.to_owned(), (vec![translated(alias, value).into()], alias.to_owned()));
            aliases.push((alias, id.to_owned()));
        }
    }
    lay_over(&mut values, std::mem::take(&mut layer));
    let ids = || command.get_arguments().map(|arg| arg.get_id().as_str());
    for id in ids() {
        let name = variable_name(id);
        if let Some(value) = variable(&name).filter(|value| !value.is_empty()) {
            aliases
                .retain(|(_, aliased)| aliased != id && other_half(aliased).as_deref() != Some(id));
            layer.insert(id.to_owned(), (vec![value.into()], name));
        }
    }
    lay_over(&mut values, std::mem::take(&mut layer));
    for id in ids() {
        if flags.value_source(id) == Some(ValueSource::CommandLine) {
            let given = flags.get_raw(id).into_iter().flatten().map(OsString::from).collect();
            layer.insert(id.to_owned(), (given, flag(id)));
        }
    }
    lay_over(&mut values, layer);
    let settings = parse(command, &values)?;
    Ok(Loaded { settings, aliases })
}

/// Says in the help of each setting which variable sets it too.
#[must_use]
pub fn with_environment_in_help(command: Command) -> Command {
    let ours: Vec<String> =
        self::command().get_arguments().map(|arg| arg.get_id().to_string()).collect();
    command.mut_args(|arg| {
        let id = arg.get_id().to_string();
        if !ours.contains(&id) {
            return arg;
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(format!("{help} [env: {}]", variable_name(&id)))
    })
}

fn command() -> Command {
    Settings::augment_args(Command::new("latchkey").no_binary_name(true).disable_help_flag(true))
}

fn variable_name(id: &str) -> String {
    format!("LATCHKEY_{}", id.to_ascii_uppercase())
}

fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// A secret and the file it is in are one setting: a later layer that has either overrides both.
fn lay_over(values: &mut Values, layer: Values) {
    for id in layer.keys() {
        if let Some(other) = other_half(id) {
            values.remove(&other);
        }
    }
    values.extend(layer);
}

fn other_half(id: &str) -> Option<String> {
    const SECRETS: [&str; 4] =
        ["admin_secret", "initial_access_token", "signing_key_password", "webhook_secret"];
    match id.strip_suffix("_file") {
        Some(secret) => SECRETS.contains(&secret).then(|| secret.to_owned()),
        None => SECRETS.contains(&id).then(|| format!("{id}_file")),
    }
}

fn translated(alias: &str, value: String) -> String {
    match (alias, value.as_str()) {
        ("HTTP_PORT", port) => format!("0.0.0.0:{port}"),
        ("LOG_LEVEL", "fatal") => "error".to_owned(),
        ("LOG_LEVEL", "silent") => "off".to_owned(),
        _ => value,
    }
}

type Values = BTreeMap<String, (Vec<OsString>, String)>;

fn from_file(command: &Command, path: &Path) -> Result<Values, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        ConfigError::NotToml { path: path.to_owned(), reason: error.message().to_owned() }
    })?;
    let mut values = Values::new();
    for (key, value) in table {
        if !command.get_arguments().any(|arg| arg.get_id().as_str() == key) {
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key });
        }
        let origin = format!("`{key}` in `{}`", path.display());
        let given = texts(value).ok_or_else(|| ConfigError::Value {
            origin: origin.clone(),
            reason: "must be a string, a number, true, false, or a list of strings".to_owned(),
        })?;
        values.insert(key, (given, origin));
    }
    Ok(values)
}

fn texts(value: toml::Value) -> Option<Vec<OsString>> {
    match value {
        toml::Value::String(text) => Some(vec![text.into()]),
        toml::Value::Integer(number) => Some(vec![number.to_string().into()]),
        toml::Value::Boolean(truth) => Some(vec![truth.to_string().into()]),
        toml::Value::Datetime(date) => Some(vec![date.to_string().into()]),
        toml::Value::Array(items) => {
            let each = items.into_iter().map(|item| item.as_str().map(OsString::from));
            each.collect()
        }
        toml::Value::Float(_) | toml::Value::Table(_) => None,
    }
}

fn parse(command: Command, values: &Values) -> Result<Settings, ConfigError> {
    let arguments = values.iter().flat_map(|(id, (given, _))| {
        given.iter().map(move |value| {
            let mut argument = OsString::from(format!("{}=", flag(id)));
            argument.push(value);
            argument
        })
    });
    let matches =
        command.try_get_matches_from(arguments).map_err(|error| explain(&error, values))?;
    Settings::from_arg_matches(&matches).map_err(|error| explain(&error, values))
}

/// Says where the value came from, which is rarely the flag that the parser speaks of.
fn explain(error: &clap::Error, values: &Values) -> ConfigError {
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let named = named.split_whitespace().next().unwrap_or_default();
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let reason = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    match values.iter().find(|(id, _)| flag(id) == named) {
        Some((_, (_, origin))) => ConfigError::Value { origin: origin.clone(), reason },
        None => {
            let details: Vec<&str> =
                text.lines().map(str::trim).take_while(|l| !l.is_empty()).collect();
            ConfigError::Conflict(details.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(
        flags: &[&str],
        env: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<Loaded, ConfigError> {
        let flags = command().try_get_matches_from(flags).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latchkey.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let get = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        load(&flags, get, file.map(|_| path.as_path()))
    }

    #[test]
    fn each_layer_overrides_the_one_before() {
        let file = Some(
            "token_lifetime = 1\naccepted_audiences = [\"a\", \"b\"]\nrequire_audience = true",
        );
        let alias = ("MIA_JWT_EXPIRES_IN", "2");
        let env = ("LATCHKEY_TOKEN_LIFETIME", "3");
        for (why, flags, env, file, expected) in [
            ("default", &[][..], &[][..], None, 36000),
            ("file", &[], &[], file, 1),
            ("alias", &[], &[alias], file, 2),
            ("environment", &[], &[alias, env], file, 3),
            ("flag", &["--token-lifetime=4"], &[alias, env], file, 4),
        ] {
            assert_eq!(
                loaded(flags, env, file).unwrap().settings.token_lifetime,
                expected,
                "{why}"
            );
        }
        let settings = loaded(&[], &[], file).unwrap().settings;
        assert_eq!(settings.accepted_audiences.len(), 2);
        assert!(settings.require_audience);
    }

    #[test]
    fn errors_name_the_source() {
        for (env, file, named) in [
            (&[("LATCHKEY_LISTEN", "nowhere")][..], None, "LATCHKEY_LISTEN"),
            (&[("HTTP_PORT", "x")], None, "HTTP_PORT"),
            (&[], Some("listen = \"x\""), "`listen` in"),
            (&[], Some("lisen = \"x\""), "unknown setting `lisen`"),
            (&[], Some("listen = "), "not valid TOML"),
            (&[], Some("listen = 1.5"), "`listen` in"),
            (&[("LATCHKEY_TLS_KEY", "k.pem")], None, "--tls-certificate"),
        ] {
            let error = loaded(&[], env, file).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn aliases_are_reported_unless_overridden() {
        let both = [("HTTP_PORT", "3000"), ("LATCHKEY_LISTEN", "127.0.0.1:1")];
        let loaded_alias = loaded(&[], &both[..1], None).unwrap();
        assert_eq!(loaded_alias.settings.listen.to_string(), "0.0.0.0:3000");
        assert_eq!(loaded_alias.aliases, [("HTTP_PORT", "listen".to_owned())]);
        assert!(loaded(&[], &both, None).unwrap().aliases.is_empty());
    }

    #[test]
    fn a_secret_and_its_file_are_one_setting() {
        let file = Some("admin_secret_file = \"lower\"");
        let settings = loaded(&[], &[("LATCHKEY_ADMIN_SECRET", "s")], file).unwrap().settings;
        assert!(settings.admin_secret.is_some() && settings.admin_secret_file.is_none());
        let env = [("PRIVATE_KEY_PASSWORD", "p"), ("LATCHKEY_SIGNING_KEY_PASSWORD_FILE", "f")];
        let both = loaded(&[], &env, None).unwrap();
        assert!(both.settings.signing_key_password.is_none() && both.aliases.is_empty());
    }
}
