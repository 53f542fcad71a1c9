//! How gateways ask, and how they are answered.

use std::cmp::Reverse;

use clap::ValueEnum;
use serde::Serialize;

use crate::domain::resource::ProtectedResource;
use crate::policy::AnswerHeaders;
use crate::policy::answer_headers::FieldName;

use super::{ConfigError, Settings};

/// The header in which Mia-Platform's gateway names the kind of client.
pub(super) const CLIENT_TYPE: &str = "client-type";
/// The header in which it says whether it is a request of the back office.
pub(super) const BACKOFFICE: &str = "isbackoffice";

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
    resources: Vec<ProtectedResource>,
}

/// Headers that a policy may ask about, and that only a gateway may write.
#[derive(Clone, Debug)]
pub struct TrustedHeaders {
    /// The kind of client.
    pub client_type: FieldName,
    /// Whether it is a request of the back office.
    pub backoffice: FieldName,
}

impl Gateways {
    pub(super) fn of(settings: &Settings) -> Result<Self, ConfigError> {
        let conflict = |why: &str| Err(ConfigError::Conflict(why.to_owned()));
        // A gateway that knows these headers overwrites what its clients sent in them.
        let is_mias = settings.auth_source == AuthSource::Mia && settings.gateway_listen.is_some();
        if !settings.auth_strict && !is_mias {
            return conflict(
                "auth_strict false needs a gateway_listen of its own and auth_source mia: any other \
                 gateway takes 200 for a yes",
            );
        }
        let (client_type, backoffice) =
            (settings.client_type_header.clone(), settings.backoffice_header.clone());
        let are_ours = client_type.as_str() == CLIENT_TYPE && backoffice.as_str() == BACKOFFICE;
        if !are_ours && !is_mias {
            return conflict(
                "client_type_header and backoffice_header need a gateway_listen of its own and \
                 auth_source mia: elsewhere clients might send such headers, and nobody looks at them",
            );
        }
        if client_type == backoffice {
            return conflict("client_type_header and backoffice_header must be two headers");
        }
        let headers = AnswerHeaders::new(settings.answer_headers.clone());
        Ok(Self {
            auth: settings.auth_source,
            forward_auth: settings.forward_auth_source,
            strict: settings.auth_strict,
            trusted: is_mias.then_some(TrustedHeaders { client_type, backoffice }),
            properties: settings.user_properties.clone(),
            resources: resources(settings)?,
            headers: headers
                .map_err(|error| ConfigError::Conflict(format!("answer_headers: {error}")))?,
        })
    }
}

impl Gateways {
    /// The resource that a request for this path is about: of several the one with the longest path.
    #[must_use]
    pub fn resource_of(&self, path: &str) -> Option<&ProtectedResource> {
        self.resources.iter().find(|resource| resource.covers(path))
    }

    /// The resource of exactly this path.
    #[must_use]
    pub fn resource_at(&self, path: &str) -> Option<&ProtectedResource> {
        self.resources.iter().find(|resource| resource.path() == path)
    }
}

/// Those with the longest paths first.
fn resources(settings: &Settings) -> Result<Vec<ProtectedResource>, ConfigError> {
    let mut resources = settings.gateway_resources.clone();
    resources.sort_by_key(|resource| (Reverse(resource.path().len()), resource.path().to_owned()));
    let repeated = resources.windows(2).find(|pair| match pair {
        [one, other] => one.path() == other.path(),
        _ => false,
    });
    match repeated.and_then(|pair| pair.first()) {
        None => Ok(resources),
        Some(one) => Err(ConfigError::Conflict(format!(
            "gateway_resources: `{one}` and another one have the same path, by which they are told apart"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

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
            let command = Settings::augment_args(Command::new("test").no_binary_name(true));
            let settings = Settings::from_arg_matches(&command.get_matches_from(flags)).unwrap();
            match (Gateways::of(&settings), expected) {
                (Ok(found), Ok(trusts)) => assert_eq!(found.trusted.is_some(), trusts, "{why}"),
                (Err(found), Err(said)) => {
                    assert!(found.to_string().contains(said), "{why}: {found}");
                }
                (found, _) => panic!("{why}: {found:?}"),
            }
        }
    }
}
