//! `latchkey clients regenerate`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::shown_once::SecretOut;
use crate::cli::access::Access;
use crate::cli::access::json_of;
use crate::cli::{Outcome, public_key};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    access: Access,

    /// Which
    id: String,

    /// Keys instead of those that it has, as a JWK, a JWK Set or PEM
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    secret_out: SecretOut,
}

pub(super) async fn run(arguments: &Arguments) -> Outcome {
    let mut body = json!({});
    if let Some(file) = &arguments.public_key {
        let (name, key): (_, Value) = public_key::in_file(file)?;
        body = json!({ name: key });
    }
    arguments.secret_out.check()?;
    let api = arguments.access.open().await?;
    let url = api.client(&arguments.id, &["regenerate"]);

    let answer = api.post(&url, &body).await?;

    arguments.secret_out.deliver(&json_of(answer, &url)?)
}
