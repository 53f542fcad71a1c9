//! `latchkey clients state`.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::api::if_match;
use crate::cli::Outcome;
use crate::cli::access::Access;
use crate::domain::state::State;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Which
    id: String,

    /// PUBLIC, DRAFT, TRASH or DELETED; leaving PUBLIC ends its tokens
    state: State,

    /// Only if it is still the one with this ETag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let Arguments { access, id, state, if_match: tag } = arguments;
    let api = access.open().await?;
    let url = api.client(id, &["state"]);
    let body = json!({ "stateTo": state });

    api.exchange(Method::POST, &url, |request| if_match(request, tag.as_deref()).json(&body))
        .await?;

    eprintln!("{id} is {state}");
    Ok(())
}
