//! Defaults, then the file, then the environment, then the flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::error::ContextKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::aliases::{ALIASES, translated};
use super::secret::SECRETS;
use super::{ConfigError, Settings};

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
    match id.strip_suffix("_file") {
        Some(secret) => SECRETS.contains(&secret).then(|| secret.to_owned()),
        None => SECRETS.contains(&id).then(|| format!("{id}_file")),
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
    use std::collections::BTreeSet;

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
            ("a duration in the file", &[], &[], Some("token_lifetime = \"1h 30m\""), 5400),
            ("a duration", &[], &[("LATCHKEY_TOKEN_LIFETIME", "10m")], file, 600),
        ] {
            let tokens = loaded(flags, env, file).unwrap().settings.tokens;
            assert_eq!(tokens.lifetime.as_secs(), expected, "{why}");
        }
        let tokens = loaded(&[], &[], file).unwrap().settings.tokens;
        assert_eq!(tokens.accepted_audiences.len(), 2);
        assert!(tokens.require_audience);
    }

    /// Layers, the TOML file and what is printed of it go by this.
    #[test]
    fn a_setting_has_one_name() {
        let all = "--admin-client-id=a --admin-listen=[::1]:1 --admin-secret=s --admin-secret-file=f \
                   --gateway-listen=[::1]:2 --grpc-listen=[::1]:3 --initial-access-token=t \
                   --initial-access-token-file=f --issuer=i --max-connections=1 \
                   --legacy-audience-until=2027-01-31T00:00:00Z --policy-file=f \
                   --max-connections-per-address=1 --openid-configuration-file=f \
                   --public-url=https://a.test --registration=open --signing-key-file=f \
                   --signing-key-id=k --signing-key-password=p --signing-key-password-file=f \
                   --tls-certificate=c --tls-key=k --webhook-secret=s --webhook-secret-file=f \
                   --webhook-url=https://a.test --workers=1";
        let flags: Vec<&str> = all.split_whitespace().collect();
        let settings = loaded(&flags, &[], None).unwrap().settings;
        let printed: toml::Table = toml::to_string(&settings).unwrap().parse().unwrap();
        let printed: BTreeSet<&str> = printed.keys().map(String::as_str).collect();
        let command = command();
        let ids: BTreeSet<&str> =
            command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        assert_eq!(ids, printed);
        for arg in command.get_arguments() {
            let long = arg.get_long().unwrap_or_default();
            assert_eq!(flag(arg.get_id().as_str()), format!("--{long}"));
        }
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
            (&[("LATCHKEY_MAX_STALENESS", "soon")], None, "LATCHKEY_MAX_STALENESS"),
            (&[], Some("key_rotation_days = \"soon\""), "reads like 30m, 12h, 90d"),
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
        assert_eq!(loaded_alias.settings.listen.address.to_string(), "0.0.0.0:3000");
        assert_eq!(loaded_alias.aliases, [("HTTP_PORT", "listen".to_owned())]);
        assert!(loaded(&[], &both, None).unwrap().aliases.is_empty());
    }

    #[test]
    fn a_secret_and_its_file_are_one_setting() {
        let file = Some("admin_secret_file = \"lower\"");
        let loaded_one = loaded(&[], &[("LATCHKEY_ADMIN_SECRET", "s")], file).unwrap();
        let admin = loaded_one.settings.admin;
        assert!(admin.secret.is_some() && admin.secret_file.is_none());
        let env = [("PRIVATE_KEY_PASSWORD", "p"), ("LATCHKEY_SIGNING_KEY_PASSWORD_FILE", "f")];
        let both = loaded(&[], &env, None).unwrap();
        assert!(both.settings.signing_key_password.password.is_none() && both.aliases.is_empty());
    }
}
