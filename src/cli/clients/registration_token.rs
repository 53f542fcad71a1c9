//! `latchkey clients registration-token`.

use clap::{Args, Subcommand};

use crate::cli::Outcome;
use crate::cli::access::Access;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Remove a registration access token at once
    #[command(
        after_help = "Example:  latchkey clients registration-token delete \"$ID\" \"$TOKEN_ID\""
    )]
    Delete(Box<Removal>),
}

#[derive(Args)]
pub(super) struct Removal {
    #[command(flatten)]
    access: Access,

    /// Of which client
    id: String,

    /// Which, as `clients show` names it
    #[arg(value_name = "TOKEN_ID")]
    token: String,
}

pub(super) async fn run(verb: &Verb) -> Outcome {
    let Verb::Delete(removal) = verb;
    let Removal { access, id, token } = &**removal;
    let api = access.open().await?;
    let url = api.client(id, &["registration-tokens", token]);

    api.delete(&url, None).await?;

    eprintln!("{token} of {id} is gone");
    Ok(())
}
