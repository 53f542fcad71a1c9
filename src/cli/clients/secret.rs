//! `latchkey clients secret`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::api::revoke_tokens;
use super::shown_once::SecretOut;
use crate::cli::Outcome;
use crate::cli::access::Access;
use crate::cli::access::json_of;
use crate::config::duration::in_seconds;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Add a secret beside those that there are; it is shown this once
    #[command(
        after_help = "Example:  latchkey clients secret add \"$ID\" --expires-in 90d --overlap 7d"
    )]
    Add(Box<Addition>),
    /// Remove a secret at once
    #[command(after_help = "Example:  latchkey clients secret delete \"$ID\" \"$SECRET_ID\"")]
    Delete(Box<Removal>),
}

#[derive(Args)]
pub(super) struct Addition {
    #[command(flatten)]
    access: Access,

    /// Of which client
    id: String,

    #[command(flatten)]
    lives: Lives,

    #[command(flatten)]
    secret_out: SecretOut,
}

/// How long the new one and the old ones live.
#[derive(Args)]
pub(super) struct Lives {
    /// How long the new one lives: 3600, 12h, 90d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = in_seconds(..))]
    expires_in: Option<Duration>,

    /// How long the old ones live on: 3600, 12h, 7d [default: as long as they would have]
    #[arg(long, value_name = "DURATION", value_parser = in_seconds(..))]
    overlap: Option<Duration>,
}

impl Lives {
    /// As members of a request.
    pub(super) fn members(&self) -> Map<String, Value> {
        let all = [("expires_in", self.expires_in), ("overlap", self.overlap)];
        let given = all.into_iter().filter_map(|(name, lives)| Some((name, lives?)));
        given.map(|(name, lives)| (name.to_owned(), json!(lives.as_secs()))).collect()
    }
}

#[derive(Args)]
pub(super) struct Removal {
    #[command(flatten)]
    access: Access,

    /// Of which client
    id: String,

    /// Which, as `clients show` names it
    #[arg(value_name = "CREDENTIAL_ID", allow_hyphen_values = true)]
    credential: String,

    /// End the tokens that were obtained with it, too
    #[arg(long)]
    revoke_tokens: bool,
}

impl Removal {
    /// Removes it from the client's `secrets` or `keys`.
    pub(super) async fn run(&self, from: &str) -> Outcome {
        let api = self.access.open().await?;
        let mut url = api.client(&self.id, &[from, &self.credential]);
        if self.revoke_tokens {
            revoke_tokens(&mut url);
        }

        api.delete(&url, None).await?;

        eprintln!("{} of {} is gone", self.credential, self.id);
        Ok(())
    }
}

pub(super) async fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Add(arguments) => add(arguments).await,
        Verb::Delete(arguments) => arguments.run("secrets").await,
    }
}

async fn add(arguments: &Addition) -> Outcome {
    arguments.secret_out.check()?;
    let api = arguments.access.open().await?;
    let url = api.client(&arguments.id, &["secrets"]);

    let answer = api.post(&url, &Value::Object(arguments.lives.members())).await?;

    arguments.secret_out.deliver(&json_of(answer, &url)?)
}
