//! `latchkey tokeninfo`: asks the server what a token is worth.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::remote::{self, RemoteError, Server, send};
use super::{Outcome, print, wait_for};

#[derive(Args)]
struct Arguments {
    #[command(flatten)]
    server: Server,

    /// The access token; `-` reads it from the input, which keeps it out of the process list
    token: String,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("tokeninfo"))
        .about("Print the claims of an access token, if the server finds it good")
        .after_help(format!("{EXAMPLE}\n\n{}", remote::NOTE))
}

const EXAMPLE: &str =
    r#"Example:  latchkey token --client-id "$ID" --key my.key | latchkey tokeninfo -"#;

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(ask(Arguments::from_arg_matches(matches)?))
}

async fn ask(arguments: Arguments) -> Outcome {
    let token = match arguments.token.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())?,
        _ => arguments.token,
    };
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("this is not an access token".into());
    }
    let url = arguments.server.discover().await?.beside_token_endpoint("/tokeninfo")?;

    match send(&url, |http| http.get(url.clone()).bearer_auth(token)).await {
        Err(RemoteError::Refused { status, details, .. }) if status == 401 => {
            Err(format!("the token is refused: {details}").into())
        }
        claims => print(&claims?.to_string()),
    }
}
