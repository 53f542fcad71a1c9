//! What the server is called, and where callers reach it.

use clap::Args;
use serde::Serialize;
use url::Url;

use super::values::not_empty;
use super::{ConfigError, Listen};

/// The issuer and the URL of the server, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Tokens")]
#[group(skip)]
pub struct IdentitySettings {
    /// The issuer identifier [default: http(s)://localhost:PORT on a loopback address]
    #[arg(long, value_parser = not_empty)]
    pub issuer: Option<String>,

    /// Where callers reach this server, if the issuer is not that URL
    #[arg(long)]
    pub public_url: Option<Url>,
}

impl IdentitySettings {
    /// The issuer, and what every URL in the metadata begins with.
    pub(super) fn resolve(self, listen: &Listen) -> Result<(String, String), ConfigError> {
        let scheme = if listen.tls_certificate.is_some() { "https" } else { "http" };
        let local = format!("{scheme}://localhost:{}", listen.address.port());
        let local = listen.is_loopback().then_some(local);
        let issuer = self.issuer.or_else(|| local.clone()).ok_or_else(|| {
            ConfigError::conflict(
                "set the issuer (--issuer, LATCHKEY_ISSUER): it is required when not listening on a \
                 loopback address",
            )
        })?;
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
        let from_issuer = Url::parse(&issuer).ok().filter(is_http).map(|_| issuer.clone());
        let base =
            self.public_url.map(String::from).or(from_issuer).or(local).ok_or_else(|| {
                ConfigError::conflict(
                    "the issuer is not an http(s) URL: set public_url (LATCHKEY_PUBLIC_URL), where \
                 callers reach this server",
                )
            })?;
        let base = base.trim_end_matches('/');
        // An issuer or public URL that already ends with the prefix says where the prefix begins; but
        // `http://auth` does not end with the prefix `/auth`.
        let stripped = base.strip_suffix(listen.service_prefix.as_str());
        let base = stripped.filter(|base| !base.ends_with('/')).unwrap_or(base);
        Ok((issuer, format!("{base}{}", listen.service_prefix)))
    }
}
