//! How gateways ask, and how they are answered.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use serde::Serialize;

use crate::domain::resource::ProtectedResource;
use crate::policy::AnswerHeaders;
use crate::policy::answer_headers::{FieldName, Renamed};

use super::ConfigError;
use super::values::not_empty;

/// The header in which Mia-Platform's gateway names the kind of client.
const CLIENT_TYPE: &str = "client-type";
/// The header in which it says whether it is a request of the back office.
const BACKOFFICE: &str = "isbackoffice";

/// How gateways ask and are answered, as given.
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "Gateways")]
#[group(skip)]
pub struct GatewaySettings {
    /// The policy of gateways: which requests may pass, JSON or YAML; read again when it changes
    #[arg(long)]
    pub policy_file: Option<PathBuf>,

    /// A further address for /auth and /forward-auth; these are then only there
    #[arg(id = "gateway_listen", long = "gateway-listen")]
    #[serde(rename = "gateway_listen")]
    pub address: Option<SocketAddr>,

    /// Where /auth finds the original request: mia, in Original-Request-Uri and Original-Request-Method, or path, behind /auth
    /// and in the method of the call
    #[arg(long, value_enum, default_value_t = AuthSource::Mia)]
    pub auth_source: AuthSource,

    /// Where /forward-auth finds it: original, in X-Original-Uri and X-Original-Method, or forwarded, in X-Forwarded-Uri and X-Forwarded-Method
    #[arg(long, value_enum, default_value_t = ForwardAuthSource::Original)]
    pub forward_auth_source: ForwardAuthSource,

    /// Whether /auth says no by its status; else it is always 200, with `mia-allowed: 0` for no. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub auth_strict: bool,

    /// Claims that are handed on in mia-userproperties, as JSON
    #[arg(long, value_delimiter = ',', value_parser = not_empty)]
    pub user_properties: Vec<String>,

    /// Header with the client type, set by the gateway. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value = CLIENT_TYPE)]
    pub client_type_header: FieldName,

    /// Header that marks a back-office request, set by the gateway. Needs --gateway-listen and --auth-source mia
    #[arg(long, default_value = BACKOFFICE)]
    pub backoffice_header: FieldName,

    /// Other names for the identity headers, such as `mia-userid=miauserid,X-Client-Id=X-Consumer`
    #[arg(long, value_delimiter = ',')]
    pub answer_headers: Vec<Renamed>,

    /// URLs of the protected resources behind the gateways, published at /.well-known/oauth-protected-resource (RFC 9728)
    #[arg(id = "gateway_resources", long = "gateway-resources", value_delimiter = ',')]
    #[serde(rename = "gateway_resources")]
    pub resources: Vec<ProtectedResource>,

    /// A further address, for Envoy to ask over gRPC; with TLS if there is a certificate
    #[arg(id = "grpc_listen", long = "grpc-listen")]
    #[serde(rename = "grpc_listen")]
    pub grpc_address: Option<SocketAddr>,
}

/// Where `/auth` finds the original request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AuthSource {
    /// In `Original-Request-Uri` and `Original-Request-Method`
    Mia,
    /// Behind `/auth`, and in the method of the call
    Path,
}

/// Where `/forward-auth` finds the original request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ForwardAuthSource {
    /// In `X-Forwarded-Uri` and `X-Forwarded-Method`
    Forwarded,
    /// In `X-Original-Uri` and `X-Original-Method`
    Original,
}

/// How gateways ask and are answered: settings that go together.
#[derive(Clone, Debug)]
pub struct Gateways {
    /// The file with the policy.
    pub policy_file: Option<PathBuf>,
    /// A further address for `/auth` and `/forward-auth`.
    pub address: Option<SocketAddr>,
    /// Where Envoy asks over gRPC.
    pub grpc_address: Option<SocketAddr>,
    /// Where `/auth` finds the original request.
    pub auth: AuthSource,
    /// Where `/forward-auth` finds it.
    pub forward_auth: ForwardAuthSource,
    /// Whether the status says no.
    pub strict: bool,
    /// What `/auth` believes the gateway; `None` where a client might have written it.
    pub trusted: Option<TrustedHeaders>,
    /// Claims that are handed on.
    pub properties: Vec<String>,
    /// What headers are called.
    pub headers: AnswerHeaders,
    /// What is behind the gateways. No two have the same path.
    pub resources: Vec<ProtectedResource>,
}

/// Headers that a policy may ask about, and that only a gateway may write.
#[derive(Clone, Debug)]
pub struct TrustedHeaders {
    /// The kind of client.
    pub client_type: FieldName,
    /// Whether it is a request of the back office.
    pub backoffice: FieldName,
}

impl GatewaySettings {
    pub(super) fn resolve(self) -> Result<Gateways, ConfigError> {
        let trusted = self.trusted()?;
        self.check_resources()?;
        let headers = AnswerHeaders::new(self.answer_headers)
            .map_err(|error| ConfigError::conflict(format!("answer_headers: {error}")))?;
        Ok(Gateways {
            policy_file: self.policy_file,
            address: self.address,
            grpc_address: self.grpc_address,
            auth: self.auth_source,
            forward_auth: self.forward_auth_source,
            strict: self.auth_strict,
            trusted,
            properties: self.user_properties,
            headers,
            resources: self.resources,
        })
    }

    fn trusted(&self) -> Result<Option<TrustedHeaders>, ConfigError> {
        // A gateway that knows these headers overwrites what its clients sent in them.
        let is_mias = self.auth_source == AuthSource::Mia && self.address.is_some();
        if !self.auth_strict && !is_mias {
            return Err(ConfigError::conflict(
                "auth_strict false needs a gateway_listen of its own and auth_source mia: any other \
                 gateway takes 200 for a yes",
            ));
        }
        let (client_type, backoffice) =
            (self.client_type_header.clone(), self.backoffice_header.clone());
        let are_ours = client_type.as_str() == CLIENT_TYPE && backoffice.as_str() == BACKOFFICE;
        if !are_ours && !is_mias {
            return Err(ConfigError::conflict(
                "client_type_header and backoffice_header need a gateway_listen of its own and \
                 auth_source mia: elsewhere clients might send such headers, and nobody looks at them",
            ));
        }
        if client_type == backoffice {
            return Err(ConfigError::conflict(
                "client_type_header and backoffice_header must be two headers",
            ));
        }
        Ok(is_mias.then_some(TrustedHeaders { client_type, backoffice }))
    }

    fn check_resources(&self) -> Result<(), ConfigError> {
        let mut paths = BTreeSet::new();
        match self.resources.iter().find(|resource| !paths.insert(resource.path())) {
            None => Ok(()),
            Some(one) => Err(ConfigError::conflict(format!(
                "gateway_resources: `{one}` and another one have the same path, by which they are told apart"
            ))),
        }
    }
}

impl Gateways {
    /// The resource that a request for this path is about: of several the one with the longest path.
    #[must_use]
    pub fn resource_of(&self, path: &str) -> Option<&ProtectedResource> {
        let covering = self.resources.iter().filter(|resource| resource.covers(path));
        covering.max_by_key(|resource| resource.path().len())
    }

    /// The resource of exactly this path.
    #[must_use]
    pub fn resource_at(&self, path: &str) -> Option<&ProtectedResource> {
        self.resources.iter().find(|resource| resource.path() == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    #[test]
    fn what_goes_together_and_what_is_refused() {
        const LISTEN: &str = "--gateway-listen=127.0.0.1:0";
        #[rustfmt::skip]
        let cases = [
            ("by default",                 &[][..],                                                    Ok(false)),
            ("a listener of its own",      &[LISTEN],                                                  Ok(true)),
            ("by the path",                &[LISTEN, "--auth-source=path"],                            Ok(false)),
            ("not strict",                 &[LISTEN, "--auth-strict=false"],                           Ok(true)),
            ("not strict, shared",         &["--auth-strict=false"],                                   Err("auth_strict false needs")),
            ("not strict, by the path",    &[LISTEN, "--auth-strict=false", "--auth-source=path"],     Err("auth_strict false needs")),
            ("renamed",                    &["--answer-headers=mia-userid=miauserid,x-scope=scope"],   Ok(false)),
            ("renamed twice",              &["--answer-headers=mia-userid=a,mia-userid=b"],            Err("answer_headers: `mia-userid` is renamed twice")),
            ("one name for two",           &["--answer-headers=mia-userid=mia-groups"],                Err("answer_headers: two headers")),
            ("one header for two things",  &[LISTEN, "--client-type-header=IsBackoffice"],             Err("must be two headers")),
            ("another name, shared",       &["--client-type-header=x-kind"],                           Err("client_type_header and backoffice_header need")),
            ("another name, by the path",  &[LISTEN, "--auth-source=path", "--backoffice-header=x-b"], Err("client_type_header and backoffice_header need")),
            ("another name",               &[LISTEN, "--backoffice-header=x-b"],                       Ok(true)),
        ];
        for (why, flags, expected) in cases {
            let command = GatewaySettings::augment_args(Command::new("test").no_binary_name(true));
            let matches = command.get_matches_from(flags);
            let settings = GatewaySettings::from_arg_matches(&matches).unwrap();
            match (settings.resolve(), expected) {
                (Ok(found), Ok(trusts)) => assert_eq!(found.trusted.is_some(), trusts, "{why}"),
                (Err(found), Err(said)) => {
                    assert!(found.to_string().contains(said), "{why}: {found}");
                }
                (found, _) => panic!("{why}: {found:?}"),
            }
        }
    }
}
