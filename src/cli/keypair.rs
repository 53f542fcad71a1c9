//! `latchkey keypair`: makes a key for a client, and registers it if asked to.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::clients::key_proof::LONGEST_LIFE;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::jwk::Algorithm;
use crate::files::write_private;
use crate::jose::{KeyProof, PrivateKey, sign_key_proof};
use crate::random::{self, ALPHANUMERIC};

use super::credential::secret_in;
use super::remote::{self, Metadata, RemoteError, Server, send};
use super::{Outcome, print, wait_for};

#[derive(Args)]
struct Arguments {
    /// Where the private key goes, readable by you alone; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What it will sign with: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA
    #[arg(long, default_value = "RS256")]
    algorithm: Algorithm,

    /// Register a client with the key, and print its client_id instead of the key
    #[arg(long, requires = "name")]
    register: bool,

    #[command(flatten)]
    server: Server,

    /// A name for people, for the client that is registered
    #[arg(long, requires = "register")]
    name: Option<String>,

    /// A file with the initial access token, if the server wants one
    #[arg(long, value_name = "FILE", requires = "register")]
    initial_access_token_file: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("keypair"))
        .about("Create a key pair: the private key goes to a file, the public JWK to the output")
        .after_help(format!("{EXAMPLES}\n\n{}", remote::NOTE))
}

const EXAMPLES: &str = r#"Example:  latchkey keypair --out my.key > my.jwk
          ID=$(latchkey keypair --out my.key --register --name "my app" --issuer "$URL")"#;

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let arguments = Arguments::from_arg_matches(matches)?;
    match &arguments.name {
        Some(name) => wait_for(register(&arguments, name)),
        None => show(&arguments),
    }
}

fn show(arguments: &Arguments) -> Outcome {
    let Arguments { out, algorithm, .. } = arguments;
    let key = make(out, *algorithm)?;
    print(&key.public().to_json().to_string())?;
    if io::stdout().is_terminal() {
        eprintln!("The private key is in `{}`: keep it to yourself.", out.display());
        eprintln!("The line above is the public key: register it as `public_key`.");
        warn_of(*algorithm);
    }
    Ok(())
}

/// Makes the key and leaves its private half in the file.
fn make(out: &Path, algorithm: Algorithm) -> Result<PrivateKey, Box<dyn std::error::Error>> {
    let shown = out.display();
    if out.exists() {
        return Err(format!("`{shown}` exists and is not replaced; choose another name").into());
    }
    let key = PrivateKey::generate(algorithm)?;
    write_private(out, key.to_pem()?.as_bytes())
        .map_err(|error| format!("cannot write `{shown}`: {error}"))?;
    Ok(key)
}

fn warn_of(algorithm: Algorithm) {
    use Algorithm::{PS256, PS384, PS512, RS384, RS512};
    if matches!(algorithm, RS384 | RS512 | PS256 | PS384 | PS512) {
        eprintln!("Sign with `--algorithm {algorithm}`: the file cannot say that it is not RS256.");
    }
}

async fn register(arguments: &Arguments, name: &str) -> Outcome {
    let Arguments { out, algorithm, .. } = arguments;
    let token = arguments.initial_access_token_file.as_deref().map(secret_in).transpose()?;
    // First of all: most of what goes wrong goes wrong here, and leaves no file behind.
    let server = arguments.server.discover().await?;
    // On the disk before anybody knows of it: a client whose key is lost is of no use.
    let key = make(out, *algorithm)?;
    let metadata = json!({
        "client_name": name,
        "token_endpoint_auth_method": "private_key_jwt",
        "public_key": key.public().to_json(),
        "proof": proof(&key, &server.issuer)?,
    });

    let answer = post(&server, &metadata, token.as_ref()).await;

    if let Err(RemoteError::Refused { status, .. }) = &answer
        && status.is_client_error()
    {
        // Nobody knows the key, and the next attempt needs the name.
        std::fs::remove_file(out)?;
    }
    let answer = answer?;
    let client_id = answer.get("client_id").and_then(Value::as_str);
    print(client_id.ok_or_else(|| RemoteError::Strange(server.token_endpoint.clone()))?)?;
    if io::stdout().is_terminal() {
        eprintln!(
            "The line above is the client_id, and its private key is in `{}`.",
            out.display()
        );
        warn_of(*algorithm);
    }
    Ok(())
}

fn proof(key: &PrivateKey, issuer: &str) -> Result<String, Box<dyn std::error::Error>> {
    let iat = SystemClock.now();
    let proof = KeyProof {
        aud: issuer.to_owned(),
        jkt: key.public().thumbprint(),
        jti: random::text(ALPHANUMERIC, 22)?,
        iat,
        exp: iat + LONGEST_LIFE,
    };
    Ok(sign_key_proof(&proof, key)?)
}

async fn post(
    server: &Metadata,
    metadata: &Value,
    token: Option<&SecretString>,
) -> Result<Value, RemoteError> {
    let url = server.beside_token_endpoint("/register")?;
    send(&url, |http| {
        let request = http.post(url.clone()).json(metadata);
        match token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    })
    .await
}
