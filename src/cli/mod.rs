//! The command line: one file per command.

#![expect(clippy::doc_markdown, reason = "what describes an argument is shown on a terminal")]

mod access;
mod admin;
mod assertion;
mod audit;
mod clients;
mod config_check;
mod credential;
mod healthcheck;
mod keypair;
mod keys;
mod moment;
mod policy;
mod public_key;
mod remote;
mod revoke;
mod serve;
mod store_backup;
mod store_check;
mod store_copy;
mod token;
mod tokeninfo;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Args, Command, value_parser};

use crate::config::{self, Loaded, Settings};
use crate::domain::clock::Timestamp;
use crate::domain::printable::escaped_lines;

/// What goes wrong is one line on standard error.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(told) => return tell(&told),
    };
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        // `latchkey clients list | head` is no failure.
        Err(error) if error.is::<NobodyReads>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {}", escaped_lines(&chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the arguments; or gives help, which like any output may not arrive.
fn tell(told: &clap::Error) -> ExitCode {
    match told.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("latchkey: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2)),
    }
}

/// An error and what caused it, in one line; what a cause repeats is said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn command() -> Command {
    Command::new("latchkey")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An OAuth 2.0 client-credentials authorization server")
        .after_help("Start one:  latchkey serve")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            with_settings(Command::new("serve").about("Run the server"))
                .after_help("Example:  latchkey serve --config latchkey.toml"),
        )
        .subcommand(
            group("config", "Inspect the settings")
                .subcommand(with_settings(config_check::command())),
        )
        .subcommand(keypair::command())
        .subcommand(token::command())
        .subcommand(assertion::command())
        .subcommand(tokeninfo::command())
        .subcommand(clients::command())
        .subcommand(keys::command())
        .subcommand(audit::command())
        .subcommand(revoke::command())
        .subcommand(policy::command())
        .subcommand(
            group("admin", "Manage the administrator")
                .subcommand(with_settings(admin::reset_command())),
        )
        .subcommand(
            group("store", "Maintain a store")
                .subcommand(with_settings(store_backup::command()))
                .subcommand(with_settings(store_check::command()))
                .subcommand(store_copy::command()),
        )
        .subcommand(healthcheck::command())
}

fn group(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).subcommand_required(true).arg_required_else_help(true)
}

/// A command that takes every setting of the server.
fn with_settings(command: Command) -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(std::path::PathBuf))
        .help("A TOML file with settings; the environment and flags override it");
    // The arguments alone: with them would come a description that is not the command's.
    let settings = Settings::augment_args(Command::new("settings"));
    config::with_environment_in_help(command.arg(file).args(settings.get_arguments().cloned()))
}

fn settings(matches: &ArgMatches) -> Result<Loaded, config::ConfigError> {
    let file = matches.get_one::<std::path::PathBuf>("config").cloned();
    let file = file.or_else(|| variable("LATCHKEY_CONFIG").map(Into::into));
    config::load(matches, variable, file.as_deref())
}

/// A variable of the environment; an empty one counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn run(matches: &ArgMatches) -> Outcome {
    let Some((name, matches)) = matches.subcommand() else { return no_such_command() };
    match (name, matches.subcommand()) {
        ("admin", Some(("reset", matches))) => admin::reset(matches),
        ("assertion", None) => assertion::run(matches),
        ("audit", None) => audit::run(matches),
        ("clients", Some(_)) => clients::run(matches),
        ("config", Some(("check", matches))) => config_check::run(matches),
        ("healthcheck", None) => healthcheck::run(matches),
        ("keypair", None) => keypair::run(matches),
        ("keys", Some(_)) => keys::run(matches),
        ("policy", Some(_)) => policy::run(matches),
        ("revoke", None) => revoke::run(matches),
        ("serve", None) => serve::run(matches),
        ("store", Some(("backup", matches))) => store_backup::run(matches),
        ("store", Some(("check", matches))) => store_check::run(matches),
        ("store", Some(("copy", matches))) => store_copy::run(matches),
        ("token", None) => token::run(matches),
        ("tokeninfo", None) => tokeninfo::run(matches),
        _ => no_such_command(),
    }
}

fn no_such_command() -> Outcome {
    Err("unknown command; see `latchkey --help`".into())
}

/// Runs what has to wait for others.
fn wait_for(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A moment that a server tells in seconds since the Unix epoch.
fn date(at: &serde_json::Value) -> Option<String> {
    Timestamp(at.as_u64()?).to_rfc3339()
}

/// Standard output leads to nobody any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output")]
struct NobodyReads;

/// Writes a line, or several, to standard output. What comes from elsewhere must not command a
/// terminal; JSON means the same afterwards.
fn print(line: &str) -> Outcome {
    let (line, mut output) = (escaped_lines(line), io::stdout().lock());
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    /// Thumbprints and names of tokens are base64url.
    #[test]
    fn a_name_may_begin_with_a_hyphen() {
        for line in [
            "latchkey clients key delete c -z_1",
            "latchkey clients key delete c -z_1 --revoke-tokens",
            "latchkey clients key delete --revoke-tokens c -z_1",
            "latchkey keys retire -z_1",
            "latchkey revoke --jti -z_1",
            "latchkey revoke --kid -z_1",
            "latchkey revoke --client c --credential -z_1",
        ] {
            let parsed = super::command().try_get_matches_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
        }
    }

    #[test]
    fn the_commands_are_well_formed() {
        super::command().debug_assert();
    }
}
