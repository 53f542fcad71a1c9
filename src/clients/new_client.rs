//! A client that is not stored yet: what registration and creation share.

use crate::domain::algorithm::Algorithm;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::jwks_uri::JwksUri;
use crate::domain::printable::is_name;

use super::Clients;
use super::error::{ClientsError, refused};
use super::public_key::{LeftOut, SentKeys};

/// The input of a registration: [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2), as far
/// as it means something here.
#[derive(Debug, Default)]
pub struct NewClient {
    /// A name for people.
    pub name: String,
    /// How it will authenticate.
    pub auth_method: AuthMethod,
    /// The only algorithm that it will sign assertions with; `None`: as its keys say.
    pub signing_algorithm: Option<Algorithm>,
    /// Its keys.
    pub keys: NewKeys,
    /// The URL of its key set, if it publishes its keys.
    pub jwks_uri: Option<JwksUri>,
}

/// Keys that a client shall have.
#[derive(Debug, Default)]
pub struct NewKeys {
    /// The keys.
    pub keys: SentKeys,
    /// A JWT for each, which shows that its private half is there.
    pub proofs: Vec<String>,
}

/// A client that is ready to be stored.
#[derive(Debug)]
pub(super) struct Draft {
    /// The client, without a secret yet.
    pub(super) client: Client,
    /// The proofs that came with its keys.
    pub(super) proofs: Vec<String>,
    /// The keys of its set that are not taken.
    pub(super) left_out: Vec<LeftOut>,
}

impl NewClient {
    /// Refuses input that cannot become a client. It does not validate keys, so it is cheap for any
    /// input.
    pub fn check(&self) -> Result<(), ClientsError> {
        check_name(&self.name)?;
        let (sends_keys, publishes) = (!self.keys.keys.is_empty(), self.jwks_uri.is_some());
        // RFC 7591 §2: the two must not be there together.
        if sends_keys && publishes {
            return refused("send keys or a `jwks_uri`, not both");
        }
        match self.auth_method {
            AuthMethod::PrivateKeyJwt if !sends_keys && !publishes => refused(
                "private_key_jwt needs a key: send `public_key`, `jwks`, `public_key_pem` or `jwks_uri`",
            ),
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
                if sends_keys || publishes =>
            {
                refused(
                    "a key goes with `token_endpoint_auth_method` private_key_jwt, not with a secret",
                )
            }
            _ => Ok(()),
        }
    }
}

/// Refuses a name that people cannot read.
pub(super) fn check_name(name: &str) -> Result<(), ClientsError> {
    match name.chars().count() <= 256 && is_name(name) {
        true => Ok(()),
        false => refused(
            "`client_name` is required: 1 to 256 characters, of which one can be seen, and none \
             controls lines or the direction of writing",
        ),
    }
}

impl Clients {
    /// Builds the client, with its validated keys.
    pub(super) async fn draft(
        &self,
        new: NewClient,
        id: ClientId,
        now: Timestamp,
    ) -> Result<Draft, ClientsError> {
        new.check()?;
        let NewKeys { keys, proofs } = new.keys;
        let judged = self.judge(keys).await?;
        let mut client = Client::new(id, new.name, new.auth_method, now);
        client.jwks_uri = new.jwks_uri;
        client.signing_algorithm = match new.auth_method {
            AuthMethod::PrivateKeyJwt => new.signing_algorithm,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => None,
        };
        let (keys, left_out) = judged.of_client(client.signing_algorithm, now)?;
        client.keys = keys;
        self.limits.check(&client)?;
        Ok(Draft { client, proofs, left_out })
    }
}
