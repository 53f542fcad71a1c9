//! How a command proves that it acts for a client.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::domain::clock::{Clock, SystemClock};
use crate::domain::jwk::Algorithm;
use crate::jose::{Assertion, PrivateKey, sign_assertion};
use crate::random::{self, ALPHANUMERIC};

use super::remote::{Metadata, RemoteError, send};
use super::variable;

type Failure = Box<dyn std::error::Error>;

/// How a private key is used.
#[derive(Args, Debug)]
pub(super) struct KeyUse {
    /// The name under which the key is registered [default: its thumbprint]
    #[arg(long)]
    kid: Option<String>,

    /// What an RSA key signs with: RS256, RS384, RS512, PS256, PS384 or PS512 [default: RS256]
    #[arg(long)]
    algorithm: Option<Algorithm>,
}

impl KeyUse {
    /// Signs an assertion of the key in `file`, for this server: RFC 7523 §3, RFC 10070.
    pub(super) fn sign(
        &self,
        client_id: &str,
        file: &Path,
        issuer: &str,
        lifetime: Duration,
    ) -> Result<String, Failure> {
        let unusable = |error: &dyn std::fmt::Display| {
            format!("the key in `{}` cannot be used: {error}", file.display())
        };
        let password = variable("LATCHKEY_SIGNING_KEY_PASSWORD").map(SecretString::from);
        let pem = SecretString::from(read(file)?);
        let mut key = PrivateKey::from_pem(pem.expose_secret(), password.as_ref())
            .map_err(|error| unusable(&error))?;
        if let Some(algorithm) = self.algorithm {
            key = key.with_algorithm(algorithm).map_err(|error| unusable(&error))?;
        }
        let now = SystemClock.now();
        let assertion = Assertion {
            iss: client_id.to_owned(),
            sub: client_id.to_owned(),
            aud: issuer.to_owned(),
            jti: random::text(ALPHANUMERIC, 22)?,
            iat: now,
            exp: now + lifetime,
        };
        let kid = self.kid.as_deref().unwrap_or(&key.public().kid);
        Ok(sign_assertion(&assertion, &key, kid)?)
    }
}

/// What is sent to the token endpoint beside the grant.
pub(super) enum Credential {
    /// A signed assertion: RFC 7523 §2.2.
    Assertion(String),
    /// A secret: RFC 6749 §2.3.1.
    Secret(SecretString),
}

/// Asks for a token; returns the whole answer.
pub(super) async fn token(
    server: &Metadata,
    client_id: &str,
    credential: &Credential,
    more: &[(&str, &str)],
) -> Result<Value, RemoteError> {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend_from_slice(more);
    if let Credential::Assertion(assertion) = credential {
        form.push(("client_id", client_id));
        form.push((
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ));
        form.push(("client_assertion", assertion));
    }
    let url = &server.token_endpoint;
    send(url, |http| {
        let request = http.post(url.clone()).form(&form);
        match credential {
            Credential::Assertion(_) => request,
            Credential::Secret(secret) => {
                request.basic_auth(encoded(client_id), Some(encoded(secret.expose_secret())))
            }
        }
    })
    .await
}

/// The access token of an answer.
pub(super) fn access_token<'a>(
    server: &Metadata,
    answer: &'a Value,
) -> Result<&'a str, RemoteError> {
    let token = answer.get("access_token").and_then(Value::as_str);
    token.ok_or_else(|| RemoteError::Strange(server.token_endpoint.clone()))
}

/// Both halves of basic credentials are form-encoded first: RFC 6749 §2.3.1.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The secret in a file; a line break at its end is not part of it.
pub(super) fn secret_in(file: &Path) -> Result<SecretString, Failure> {
    let secret = read(file)?.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() {
        return Err(format!("`{}` is empty", file.display()).into());
    }
    Ok(secret.into())
}

/// The secret in the environment: `NAME`, or in the file that `NAME_FILE` names.
pub(super) fn secret_in_environment(name: &str) -> Result<Option<SecretString>, Failure> {
    match (variable(name), variable(&format!("{name}_FILE"))) {
        (Some(secret), None) => Ok(Some(secret.into())),
        (None, Some(file)) => secret_in(&PathBuf::from(file)).map(Some),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("set {name} or {name}_FILE, not both").into()),
    }
}

/// A file that the user named.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| format!("cannot read `{}`: {error}", file.display()).into())
}
