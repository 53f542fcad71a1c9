//! `latchkey token`: gets an access token.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::credential::{self, Credential, KeyUse, access_token};
use super::remote::{self, Metadata, Server};
use super::{Outcome, print, wait_for};

/// How long the assertion lives that is sent at once.
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Args)]
struct Arguments {
    #[command(flatten)]
    server: Server,

    /// The client
    #[arg(long, value_name = "ID")]
    client_id: String,

    /// The client's private key, in PEM [password, if encrypted: LATCHKEY_SIGNING_KEY_PASSWORD]
    #[arg(long, value_name = "FILE", conflicts_with = "secret_file")]
    key: Option<PathBuf>,

    /// A file with the client's secret [env: LATCHKEY_CLIENT_SECRET, with the secret itself]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    #[command(flatten)]
    key_use: KeyUse,

    /// The scope to ask for
    #[arg(long)]
    scope: Option<String>,

    /// An audience to ask for; may be repeated
    #[arg(long)]
    audience: Vec<String>,

    /// Print the whole answer, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("token"))
        .about("Fetch an access token with a key or a secret, and print it")
        .after_help(format!("{EXAMPLE}\n\n{}", remote::NOTE))
}

const EXAMPLE: &str =
    r#"Example:  latchkey token --issuer http://localhost:8080 --client-id "$ID" --key my.key"#;

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(fetch(Arguments::from_arg_matches(matches)?))
}

async fn fetch(arguments: Arguments) -> Outcome {
    let server = arguments.server.discover().await?;
    let credential = arguments.credential(&server)?;
    let scope = arguments.scope.iter().map(|scope| ("scope", scope.as_str()));
    let audience = arguments.audience.iter().map(|audience| ("audience", audience.as_str()));
    let more: Vec<_> = scope.chain(audience).collect();

    let answer = credential::token(&server, &arguments.client_id, &credential, &more).await?;

    let token = access_token(&server, &answer)?;
    if arguments.json { print(&answer.to_string()) } else { print(token) }
}

impl Arguments {
    fn credential(&self, server: &Metadata) -> Result<Credential, Box<dyn std::error::Error>> {
        if let Some(key) = &self.key {
            let assertion = self.key_use.sign(&self.client_id, key, &server.issuer, LIFETIME)?;
            return Ok(Credential::Assertion(assertion));
        }
        let secret = match &self.secret_file {
            Some(file) => Some(credential::secret_in(file)?),
            None => credential::secret_in_environment("LATCHKEY_CLIENT_SECRET")?,
        };
        secret.map(Credential::Secret).ok_or_else(|| {
            "how does the client prove itself? Give --key, --secret-file or LATCHKEY_CLIENT_SECRET"
                .into()
        })
    }
}
