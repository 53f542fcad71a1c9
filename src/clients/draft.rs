//! A client before it is stored: what registration and creation share.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::algorithm::Algorithm;
use crate::domain::client::{AuthMethod, CLIENT_CREDENTIALS, Client};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::jwks_uri::{JwksUri, MalformedJwksUri};
use crate::domain::key_judge::KeyFault;
use crate::domain::printable::is_name;

use super::error::ClientsError;
use super::key_proof::ProofFault;
use super::public_key::{LeftOut, SentKeys};
use super::{Clients, other_metadata};

/// How many keys may be sent at once, whether a client may have them or not.
pub(super) const MOST_LISTED: usize = 64;

/// The metadata of RFC 7591 §2 that we know. Types are checked by hand, so that what is wrong is
/// said in the words of that document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    /// A name for people.
    pub client_name: Value,
    /// How the client will authenticate.
    pub token_endpoint_auth_method: Value,
    /// What it will sign assertions with.
    pub token_endpoint_auth_signing_alg: Value,
    /// The grants it wants to use.
    #[serde(deserialize_with = "present")]
    pub grant_types: Option<Value>,
    /// Ways of the authorization endpoint, of which there is none here.
    #[serde(deserialize_with = "present")]
    pub response_types: Option<Value>,
    /// One key as a JWK.
    #[serde(deserialize_with = "present")]
    pub public_key: Option<Value>,
    /// One key as PEM.
    #[serde(deserialize_with = "present")]
    pub public_key_pem: Option<Value>,
    /// Keys as a JWK Set.
    #[serde(deserialize_with = "present")]
    pub jwks: Option<Value>,
    /// Where the keys are published.
    #[serde(deserialize_with = "present")]
    pub jwks_uri: Option<Value>,
    /// A JWT for each key, which shows that its private half is there.
    #[serde(deserialize_with = "present")]
    pub proof: Option<Value>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A client as far as its metadata describes it without its keys, and these as they were sent.
#[derive(Debug)]
pub struct Outline {
    pub(super) client: Client,
    keys: SentKeys,
}

/// A client as its metadata describes it.
#[derive(Debug)]
pub struct Draft {
    /// The client, without a secret yet.
    pub client: Client,
    /// The keys of its set that are not taken.
    pub left_out: Vec<LeftOut>,
}

/// Tells a member that is `null` from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl ClientMetadata {
    /// A client of this metadata, without a secret yet. Its keys are not judged, so this costs
    /// little whatever was sent.
    pub fn outline(&self, id: ClientId, now: Timestamp) -> Result<Outline, ClientsError> {
        let name = client_name(&self.client_name)?;
        let auth_method = match &self.token_endpoint_auth_method {
            Value::Null => AuthMethod::default(),
            Value::String(method) => {
                method.parse().map_err(|e| ClientsError::Metadata(format!("{e}")))?
            }
            _ => return refused("`token_endpoint_auth_method` is a string"),
        };
        self.only_client_credentials()?;
        other_metadata::well_typed(&self.others)?;

        let mut client = Client::new(id, name, auth_method, now);
        let signing_algorithm = signing_algorithm(&self.token_endpoint_auth_signing_alg)?;
        let keys = self.keys()?;
        client.jwks_uri = self.jwks_uri()?;
        let has_key = !keys.is_empty() || client.jwks_uri.is_some();
        match auth_method {
            AuthMethod::PrivateKeyJwt if !has_key => {
                return refused(
                    "private_key_jwt needs a key: send `public_key`, `jwks`, `public_key_pem` or `jwks_uri`",
                );
            }
            AuthMethod::PrivateKeyJwt => {
                client.signing_algorithm = signing_algorithm;
            }
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost if has_key => {
                return refused(
                    "a key goes with `token_endpoint_auth_method` private_key_jwt, not with a secret",
                );
            }
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {}
        }
        Ok(Outline { client, keys })
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
    pub fn keys(&self) -> Result<SentKeys, ClientsError> {
        let keys = match (&self.public_key, &self.jwks, &self.public_key_pem) {
            (None, None, None) => SentKeys::None,
            (Some(Value::Object(jwk)), None, None) => SentKeys::Jwk(Value::Object(jwk.clone())),
            (Some(_), None, None) => return Err(KeyFault::NotAnObject.into()),
            (None, Some(set), None) => SentKeys::Set(listed(set)?.clone()),
            (None, None, Some(Value::String(pem))) => SentKeys::Pem(pem.clone()),
            (None, None, Some(_)) => return refused("`public_key_pem` is a string"),
            _ => return refused("send one of `public_key`, `jwks` and `public_key_pem`"),
        };
        // RFC 7591 §2: the two must not be there together.
        if self.jwks_uri.is_some() && !keys.is_empty() {
            return refused("send keys or a `jwks_uri`, not both");
        }
        Ok(keys)
    }

    fn jwks_uri(&self) -> Result<Option<JwksUri>, ClientsError> {
        match &self.jwks_uri {
            None => Ok(None),
            Some(Value::String(uri)) => Ok(Some(uri.parse()?)),
            Some(_) => Err(MalformedJwksUri.into()),
        }
    }

    /// The proofs that came with the keys: one as a string, or several as a list.
    pub fn proofs(&self) -> Result<Vec<String>, ClientsError> {
        let text = |proof: &Value| proof.as_str().map(str::to_owned).ok_or(ProofFault::Malformed);
        let proofs = match &self.proof {
            None => Ok(Vec::new()),
            Some(Value::Array(proofs)) => proofs.iter().map(text).collect(),
            Some(proof) => text(proof).map(|proof| vec![proof]),
        };
        Ok(proofs?)
    }
}

/// What a client signs assertions with, and nothing else; `null` for whatever its keys say.
pub(super) fn signing_algorithm(named: &Value) -> Result<Option<Algorithm>, ClientsError> {
    match named {
        Value::Null => Ok(None),
        named => match named.as_str().and_then(|name| name.parse().ok()) {
            Some(known) => Ok(Some(known)),
            None => {
                let known = Algorithm::names().join(", ");
                refused(&format!("`token_endpoint_auth_signing_alg` must be one of {known}"))
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
            Err(ClientsError::Metadata(format!("`jwks` may hold at most {MOST_LISTED} keys")))
        }
        Some(keys) => Ok(keys),
    }
}

/// A name for people.
pub(super) fn client_name(name: &Value) -> Result<String, ClientsError> {
    match name {
        Value::String(name) if name.chars().count() <= 256 && is_name(name) => Ok(name.clone()),
        _ => refused(
            "`client_name` is required: 1 to 256 characters, of which one can be seen, and none \
             controls lines or the direction of writing",
        ),
    }
}

fn refused<T>(why: &str) -> Result<T, ClientsError> {
    Err(ClientsError::Metadata(why.to_owned()))
}

impl Clients {
    /// The client of an outline, with its keys.
    pub(super) async fn draft(&self, outline: Outline) -> Result<Draft, ClientsError> {
        let Outline { mut client, keys } = outline;
        let judged = self.judge(keys).await?;
        let (keys, left_out) = judged.of_client(client.signing_algorithm, client.created)?;
        client.keys = keys;
        self.limits.check(&client)?;
        Ok(Draft { client, left_out })
    }
}
