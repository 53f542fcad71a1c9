//! What an operator is told at the start about the settings.

use std::borrow::Cow;
use std::net::SocketAddr;

use url::Url;

use crate::clients::registration_mode::RegistrationMode;

use super::Config;

impl Config {
    /// What an operator should hear at the start.
    #[must_use]
    pub fn warnings(&self) -> Vec<Cow<'static, str>> {
        let (listen, gateways) = (&self.listen, &self.gateways);
        let exposed = |address: &SocketAddr| !address.ip().is_loopback();
        let others = [&listen.admin_address, &gateways.address, &gateways.grpc_address];
        let listens = exposed(&listen.address) || others.into_iter().flatten().any(exposed);
        let mut warnings = Vec::new();
        if listens && listen.tls_certificate.is_none() && listen.trusted_proxies.is_empty() {
            warnings.push(
                "listening beyond this machine without TLS and without a trusted proxy: secrets and \
                 tokens cross the network in the clear; set tls_certificate and tls_key, or \
                 trusted_proxies"
                    .into(),
            );
        }
        let closed = matches!(self.registration, RegistrationMode::Closed);
        if listens && closed && self.registration_is_default {
            warnings.push(
                "registration is closed, because this server can be reached from elsewhere; set \
                 registration to open, token or closed to decide it"
                    .into(),
            );
        }
        warnings.extend(self.unserved().map(Cow::from));
        warnings
    }

    /// What to do if the routes are not where the metadata says: a path of the issuer, or of
    /// `public_url`, that is not the service prefix belongs to a proxy, which must strip it.
    fn unserved(&self) -> Option<String> {
        let prefix = self.listen.service_prefix.as_str();
        let url = Url::parse(&self.endpoints).ok()?;
        let path = url.path().trim_end_matches('/');
        let above = path.strip_suffix(prefix).filter(|above| !above.is_empty())?;
        let prefix_too = match prefix {
            "" => String::new(),
            _ => format!(" and public_url to `{}`", self.endpoints),
        };
        Some(format!(
            "the metadata says {}, but this server answers at {prefix}/oauth/token: set \
             service_prefix to `{path}`{prefix_too}, or have the proxy strip `{above}`",
            self.url("/oauth/token")
        ))
    }

    /// What follows from the defaults and is worth a line at the start.
    #[must_use]
    pub fn notes(&self) -> Vec<&'static str> {
        let open = matches!(self.registration, RegistrationMode::Open);
        if open && self.registration_is_default {
            return vec![
                "registration is open, because this server listens on this machine only; behind a \
                 proxy that others can reach, set registration to token or closed",
            ];
        }
        Vec::new()
    }
}
