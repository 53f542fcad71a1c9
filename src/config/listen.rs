//! Where the server listens, and what it takes from there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::duration::{as_seconds, in_seconds};
use super::values::prefix;

/// Listeners, and what they take.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Listening")]
#[group(skip)]
pub struct Listen {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(id = "listen", long = "listen", default_value = "127.0.0.1:8080")]
    #[serde(rename = "listen")]
    pub address: SocketAddr,

    /// A second address for /clients, /keys, /audit, /revocations, /-/metrics and /documentation; these are then only there
    #[arg(id = "admin_listen", long = "admin-listen")]
    #[serde(rename = "admin_listen")]
    pub admin_address: Option<SocketAddr>,

    /// PEM file with the certificate chain; with it and --tls-key the server speaks HTTPS only
    #[arg(long, requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// PEM file with the private key of the certificate; both are read again when they change
    #[arg(long, requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// Networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8,::1/128`
    #[arg(long, value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,

    /// Path prefix of every route but the status routes, such as /oidc
    #[arg(long, default_value = "", value_parser = prefix)]
    pub service_prefix: String,

    /// Threads that serve requests [default: one per core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,

    /// Largest request body, in bytes
    #[arg(long, default_value_t = 65536)]
    pub body_limit: usize,

    /// Largest request header, in bytes, all fields together
    #[arg(long, default_value_t = 32768)]
    pub header_limit: usize,

    /// Connections that may be open at once, on all listeners together [default: what the limit on file descriptors leaves room for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,

    /// Connections that one address may have open, if it is not of `trusted_proxies`; 0: any number [default: a quarter of all]
    #[arg(long)]
    pub max_connections_per_address: Option<u32>,

    /// Seconds to go on accepting after the signal to stop, so that load balancers notice
    #[arg(long, default_value = "0", value_parser = in_seconds(..), value_name = "DURATION")]
    #[serde(serialize_with = "as_seconds")]
    pub shutdown_delay: Duration,

    /// Seconds to let running requests finish
    #[arg(long, default_value = "30", value_parser = in_seconds(..), value_name = "DURATION")]
    #[serde(serialize_with = "as_seconds")]
    pub shutdown_timeout: Duration,

    /// Origins that may call every route but the gateways' from a browser; /.well-known is open to all
    #[arg(long, value_delimiter = ',')]
    pub cors_origins: Vec<String>,
}

impl Listen {
    /// Whether this address cannot be reached from other machines.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }
}
