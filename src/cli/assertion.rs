//! `latchkey assertion`: signs a client assertion, for use with other tools.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::credential::KeyUse;
use super::remote::{self, Server};
use super::{Outcome, print, wait_for};
use crate::config::duration::in_seconds;

#[derive(Args)]
struct Arguments {
    #[command(flatten)]
    server: Server,

    /// The client
    #[arg(long, value_name = "ID")]
    client_id: String,

    /// The client's private key, in PEM [password, if encrypted: LATCHKEY_SIGNING_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    #[command(flatten)]
    key_use: KeyUse,

    /// Seconds that the assertion lives; it can be used once
    #[arg(long, default_value = "300", value_parser = in_seconds(1..), value_name = "DURATION")]
    lifetime: Duration,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("assertion"))
        .about("Sign a client assertion (RFC 7523, RFC 10070) and print it")
        .after_help(format!("{EXAMPLE}\n\n{}", remote::NOTE))
}

const EXAMPLE: &str = r#"Example:  curl "$URL/oauth/token" -d grant_type=client_credentials \
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    -d client_assertion="$(latchkey assertion --issuer "$URL" --client-id "$ID" --key my.key)""#;

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(sign(Arguments::from_arg_matches(matches)?))
}

async fn sign(arguments: Arguments) -> Outcome {
    let server = arguments.server.discover().await?;
    let Arguments { client_id, key, key_use, lifetime, .. } = arguments;
    print(&key_use.sign(&client_id, &key, &server.issuer, lifetime)?)
}
