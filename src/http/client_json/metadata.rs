//! Client metadata: [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2).

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::clients::error::{ClientsError, refused};
use crate::clients::key_proof::ProofFault;
use crate::clients::new_client::{NewClient, NewKeys};
use crate::clients::public_key::{MOST_LISTED, SentKeys};
use crate::domain::algorithm::Algorithm;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::CLIENT_CREDENTIALS;
use crate::domain::jwks_uri::{JwksUri, MalformedJwksUri};
use crate::domain::key_fault::KeyFault;
use crate::domain::printable::excerpt;
use crate::web::json;

use super::other_metadata;

/// The members of RFC 7591 §2 that the server reads. Types are checked by hand, so that errors use
/// the terms of that RFC.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct ClientMetadata {
    /// A name for people.
    client_name: Value,
    /// How the client will authenticate.
    token_endpoint_auth_method: Value,
    /// The algorithm of its assertions.
    token_endpoint_auth_signing_alg: Value,
    /// The grants it wants to use.
    #[serde(deserialize_with = "present")]
    grant_types: Option<Value>,
    /// Must be empty: there is no authorization endpoint.
    #[serde(deserialize_with = "present")]
    response_types: Option<Value>,
    /// One key as a JWK.
    #[serde(deserialize_with = "present")]
    public_key: Option<Value>,
    /// One key as PEM.
    #[serde(deserialize_with = "present")]
    public_key_pem: Option<Value>,
    /// Keys as a JWK Set.
    #[serde(deserialize_with = "present")]
    jwks: Option<Value>,
    /// The URL of its key set.
    #[serde(deserialize_with = "present")]
    jwks_uri: Option<Value>,
    /// A JWT for each key, which shows that its private half is there.
    #[serde(deserialize_with = "present")]
    proof: Option<Value>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Tells a member that is `null` from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl ClientMetadata {
    /// Reads the input of a registration. It does not validate keys, so it is cheap for any input.
    pub(in crate::http) fn read(&self) -> Result<NewClient, ClientsError> {
        // `NewClient::check` refuses an empty name.
        let name = self.client_name.as_str().unwrap_or_default().to_owned();
        let auth_method = match &self.token_endpoint_auth_method {
            Value::Null => AuthMethod::default(),
            method => auth_method(method)?,
        };
        self.only_client_credentials()?;
        other_metadata::well_typed(&self.others)?;
        let new = NewClient {
            name,
            auth_method,
            signing_algorithm: signing_algorithm(&self.token_endpoint_auth_signing_alg)?,
            keys: self.keys()?,
            jwks_uri: self.jwks_uri()?,
        };
        new.check()?;
        Ok(new)
    }

    fn only_client_credentials(&self) -> Result<(), ClientsError> {
        if let Some(grants) = &self.grant_types {
            let known = grants.as_array().is_some_and(|list| {
                !list.is_empty() && list.iter().all(|grant| grant == CLIENT_CREDENTIALS)
            });
            if !known {
                return refused("`grant_types` may only be [\"client_credentials\"]");
            }
        }
        let none = self.response_types.as_ref().is_none_or(|types| types == &Value::Array(vec![]));
        if none {
            Ok(())
        } else {
            refused("`response_types` must be empty: there is no authorization endpoint")
        }
    }

    /// The keys that it brings, in whichever form.
    fn keys(&self) -> Result<NewKeys, ClientsError> {
        let keys = match (&self.public_key, &self.jwks, &self.public_key_pem) {
            (None, None, None) => SentKeys::None,
            (Some(Value::Object(jwk)), None, None) => SentKeys::Jwk(Value::Object(jwk.clone())),
            (Some(_), None, None) => return Err(KeyFault::NotAnObject.into()),
            (None, Some(set), None) => SentKeys::Set(listed(set)?.clone()),
            (None, None, Some(Value::String(pem))) => SentKeys::Pem(pem.clone()),
            (None, None, Some(_)) => return refused("`public_key_pem` is a string"),
            _ => return refused("send one of `public_key`, `jwks` and `public_key_pem`"),
        };
        Ok(NewKeys { keys, proofs: self.proofs()? })
    }

    fn jwks_uri(&self) -> Result<Option<JwksUri>, ClientsError> {
        match &self.jwks_uri {
            None => Ok(None),
            Some(Value::String(uri)) => Ok(Some(uri.parse()?)),
            Some(_) => Err(MalformedJwksUri.into()),
        }
    }

    /// The proofs that came with the keys: one as a string, or several as a list.
    fn proofs(&self) -> Result<Vec<String>, ClientsError> {
        let text = |proof: &Value| proof.as_str().map(str::to_owned).ok_or(ProofFault::Malformed);
        let proofs = match &self.proof {
            None => Ok(Vec::new()),
            Some(Value::Array(proofs)) => proofs.iter().map(text).collect(),
            Some(proof) => text(proof).map(|proof| vec![proof]),
        };
        Ok(proofs?)
    }
}

/// The members that keys may come as, with their proofs.
const KEYS: [&str; 4] = ["jwks", "proof", "public_key", "public_key_pem"];

/// Keys in whichever form, and nothing beside them but their proofs.
pub(in crate::http) fn new_keys(members: Map<String, Value>) -> Result<NewKeys, ClientsError> {
    if let Some(name) = members.keys().find(|name| !KEYS.contains(&name.as_str())) {
        return refused(format!("unknown member `{}`", excerpt(name)));
    }
    json::from_object::<ClientMetadata>(Value::Object(members))?.keys()
}

pub(super) fn auth_method(method: &Value) -> Result<AuthMethod, ClientsError> {
    match method {
        Value::String(method) => {
            method.parse().map_err(|error| ClientsError::Metadata(format!("{error}")))
        }
        _ => refused("`token_endpoint_auth_method` is a string"),
    }
}

/// The only algorithm of a client's assertions; `null`: as its keys say.
pub(super) fn signing_algorithm(named: &Value) -> Result<Option<Algorithm>, ClientsError> {
    match named {
        Value::Null => Ok(None),
        named => match named.as_str().and_then(|name| name.parse().ok()) {
            Some(known) => Ok(Some(known)),
            None => {
                let known = Algorithm::names().join(", ");
                refused(format!("`token_endpoint_auth_signing_alg` must be one of {known}"))
            }
        },
    }
}

/// The keys of a JWK Set. Each is judged, which takes a while: not as many as there is room for in a
/// body.
fn listed(set: &Value) -> Result<&Vec<Value>, ClientsError> {
    match set.get("keys").and_then(Value::as_array) {
        None => Err(KeyFault::Member("keys").into()),
        Some(keys) if keys.is_empty() => Err(KeyFault::Member("keys").into()),
        Some(keys) if keys.len() > MOST_LISTED => {
            refused(format!("`jwks` may hold at most {MOST_LISTED} keys"))
        }
        Some(keys) => Ok(keys),
    }
}
