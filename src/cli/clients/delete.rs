//! `latchkey clients delete`.

use std::io::{IsTerminal, stdin};

use clap::Args;
use serde_json::Value;

use crate::cli::Outcome;
use crate::cli::access::json_of;
use crate::cli::access::{Access, Api};
use crate::domain::printable::escaped;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Which
    id: String,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Only if it is still the one with this ETag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let Arguments { access, id, yes, if_match } = arguments;
    if !yes && !stdin().is_terminal() {
        return Err("this deletes the client for good: confirm with --yes, as there is no terminal to ask on".into());
    }
    let api = access.open().await?;
    if !yes {
        confirm(&api, id).await?;
    }

    api.delete(&api.client(id, &[]), if_match.as_deref()).await?;

    eprintln!("{id} is gone");
    Ok(())
}

async fn confirm(api: &Api, id: &str) -> Outcome {
    let url = api.client(id, &[]);
    let client = json_of(api.get(&url).await?, &url)?;
    let name = client.get("client_name").and_then(Value::as_str).unwrap_or_default();
    eprint!("Remove `{}` ({id}) for good, with its tokens? [y/N] ", escaped(name));
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err("nothing was removed".into()),
    }
}
