//! `latchkey clients key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::secret::{Lives, Removal};
use crate::cli::access::Access;
use crate::cli::access::json_of;
use crate::cli::{Outcome, print, public_key};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Add a key beside those that there are
    #[command(
        after_help = "Example:  latchkey clients key add \"$ID\" --public-key new.pem --overlap 7d"
    )]
    Add(Box<Addition>),
    /// Remove a key at once
    #[command(after_help = "Example:  latchkey clients key delete \"$ID\" \"$KEY_ID\"")]
    Delete(Box<Removal>),
}

#[derive(Args)]
pub(super) struct Addition {
    #[command(flatten)]
    access: Access,

    /// Of which client
    id: String,

    /// The public key, as a JWK or PEM
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,

    #[command(flatten)]
    lives: Lives,
}

pub(super) async fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Add(arguments) => add(arguments).await,
        Verb::Delete(arguments) => arguments.run("keys").await,
    }
}

async fn add(arguments: &Addition) -> Outcome {
    let mut body = arguments.lives.members();
    let (name, key) = public_key::in_file(&arguments.public_key)?;
    body.insert(name.to_owned(), key);
    let api = arguments.access.open().await?;
    let url = api.client(&arguments.id, &["keys"]);

    let answer = api.post(&url, &Value::Object(body)).await?;

    print(&json_of(answer, &url)?.to_string())
}
