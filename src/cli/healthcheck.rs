//! `latchkey healthcheck`: whether a server lives, for images without any other tool.

use std::net::SocketAddr;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use url::Url;

use super::remote::{client, is_loopback};
use super::{Outcome, variable, wait_for};

#[derive(Args)]
struct Arguments {
    /// The server's root [default: where LATCHKEY_LISTEN says, or http://127.0.0.1:8080]
    ///
    /// On this machine itself any certificate will do: the one for the public name cannot be right
    /// for an address.
    #[arg(long)]
    url: Option<Url>,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("healthcheck"))
        .about("Check that a server is alive; the exit code is the answer")
        .after_help("Example:  latchkey healthcheck --url http://127.0.0.1:8080")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { url } = Arguments::from_arg_matches(matches)?;
    let mut url = match url {
        Some(url) => url,
        None => Url::parse(&own_url())?,
    };
    url.set_path("/-/healthz");
    wait_for(check(url))
}

/// Where a server with the same environment listens, seen from its own machine.
fn own_url() -> String {
    let listen = variable("LATCHKEY_LISTEN").and_then(|listen| listen.parse().ok());
    let mut listen: SocketAddr = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    if listen.ip().is_unspecified() {
        listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let scheme = if variable("LATCHKEY_TLS_CERTIFICATE").is_some() { "https" } else { "http" };
    format!("{scheme}://{listen}")
}

async fn check(url: Url) -> Outcome {
    let builder = client(&url);
    let trusting = url.scheme() == "https" && is_loopback(&url);
    let builder = if trusting { builder.tls_danger_accept_invalid_certs(true) } else { builder };
    let status = builder.build()?.get(url.clone()).send().await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("{status} from {url}").into()) }
}
