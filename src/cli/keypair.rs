//! `latchkey keypair`: makes a key for a client.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::domain::jwk::Algorithm;
use crate::files::write_private;
use crate::jwt::PrivateKey;

use super::{Outcome, print};

#[derive(Args)]
struct Arguments {
    /// Where the private key goes, readable by you alone; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What it will sign with: RS256, PS256, ES256 or EdDSA
    #[arg(long, default_value = "RS256")]
    algorithm: Algorithm,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("keypair"))
        .about("Make a key pair: the private key goes to a file, the public JWK to the output")
        .after_help("Example:  latchkey keypair --out my.key > my.jwk")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { out, algorithm } = Arguments::from_arg_matches(matches)?;
    let shown = out.display();
    if out.exists() {
        return Err(format!("`{shown}` exists and is not replaced; choose another name").into());
    }
    let key = PrivateKey::generate(algorithm)?;
    write_private(&out, key.to_pem()?.as_bytes())
        .map_err(|error| format!("cannot write `{shown}`: {error}"))?;

    print(&key.public().to_json().to_string())?;
    if io::stdout().is_terminal() {
        eprintln!("The private key is in `{shown}`: keep it to yourself.");
        eprintln!("The line above is the public key: register it as `public_key`.");
        if algorithm == Algorithm::PS256 {
            eprintln!("Sign with `--algorithm PS256`: the file cannot say that it is not RS256.");
        }
    }
    Ok(())
}
