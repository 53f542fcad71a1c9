//! The command line: one file per command.

mod serve;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Args, Command, value_parser};

use crate::config::{self, Loaded, Settings};

/// What goes wrong is one line on standard error.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {}", chain(&*error));
            ExitCode::FAILURE
        }
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
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(Command::new("serve").about("Run the server")))
}

/// A command that takes every setting of the server.
fn with_settings(command: Command) -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(std::path::PathBuf))
        .help("A TOML file with settings; the environment and flags override it");
    config::with_environment_in_help(Settings::augment_args(command.arg(file)))
}

fn settings(matches: &ArgMatches) -> Result<Loaded, config::ConfigError> {
    let file = matches.get_one::<std::path::PathBuf>("config").cloned();
    let variable = |name: &str| std::env::var(name).ok();
    let file =
        file.or_else(|| variable("LATCHKEY_CONFIG").filter(|f| !f.is_empty()).map(Into::into));
    config::load(matches, variable, file.as_deref())
}

fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(matches),
        _ => Err("there is no such command; see `latchkey --help`".into()),
    }
}
