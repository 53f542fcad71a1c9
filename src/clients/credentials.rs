//! A client gets another secret or key beside those it has, and loses one: how credentials are
//! replaced without an outage.

use std::time::Duration;

use crate::audit::Action;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::jwk::PublicJwk;
use crate::domain::printable::excerpt;
use crate::domain::secret::ClientSecret;

use super::Clients;
use super::authority::Authority;
use super::change::By;
use super::error::{ClientsError, refused};
use super::key_admission::SharedKey;
use super::new_client::NewKeys;
use super::precondition::Precondition;
use super::public_key::LeftOut;

/// How long the new credential and the older ones live.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lives {
    /// When the new one ends; `None`: never.
    pub expires_in: Option<Duration>,
    /// When the older ones of its kind end, unless they do earlier; `None`: they stay as they are.
    pub overlap: Option<Duration>,
}

/// A credential that was added.
#[derive(Debug)]
pub struct Added<T> {
    /// The client as it stands now.
    pub client: Client,
    /// Under which name.
    pub id: CredentialId,
    /// What was added.
    pub credential: T,
    /// Other clients that have it too: for admins alone.
    pub shared_keys: Vec<SharedKey>,
    /// Keys that came with it and were not taken.
    pub left_out: Vec<LeftOut>,
}

impl Clients {
    /// Adds a secret, which is shown this once.
    pub async fn add_secret(
        &self,
        by: By<'_>,
        id: &ClientId,
        lives: Lives,
    ) -> Result<Added<ClientSecret>, ClientsError> {
        let By { authority, now } = by;
        // Before anything is made and written for nothing.
        let mut found = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        self.may_change(authority, &found).await?;
        authority.may_add_credentials(&found)?;
        make_room(&mut found.secrets, lives.overlap, now);
        if found.secrets.len() >= self.limits.secrets {
            return too_many("secrets", self.limits.secrets);
        }
        let (secret, mut stored) = self.secrets.make(id, now)?;
        stored.expires = lives.expires_in.map(|life| now + life);
        let credential_id = stored.id.clone();
        let most = self.limits.secrets;
        let alter = |client: &mut Client| {
            authority.may_add_credentials(client)?;
            make_room(&mut client.secrets, lives.overlap, now);
            if client.secrets.len() >= most {
                return too_many("secrets", most);
            }
            client.secrets.push(stored.clone());
            Ok(())
        };
        let client = self.change(by, Action::SecretAdded, id, &Precondition::None, alter).await?;
        let (shared_keys, left_out) = (Vec::new(), Vec::new());
        Ok(Added { client, id: credential_id, credential: secret, shared_keys, left_out })
    }

    /// Adds a key, with the proofs that came with it.
    pub async fn add_key(
        &self,
        by: By<'_>,
        id: &ClientId,
        NewKeys { keys, proofs }: NewKeys,
        lives: Lives,
    ) -> Result<Added<PublicJwk>, ClientsError> {
        let By { authority, now } = by;
        let found = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        self.may_change(authority, &found).await?;
        authority.may_add_credentials(&found)?;
        let keys = self.judge(keys).await?;
        let (mut keys, left_out) = keys.of_client(found.signing_algorithm, now)?;
        let Some(key) = keys.pop().filter(|_| keys.is_empty()) else {
            return refused("send one key, as `public_key`");
        };
        let expires = lives.expires_in.map(|life| now + life);
        let key = Credential { expires, ..key };
        let shared_keys = self.keys.admit(id, std::slice::from_ref(&key), &proofs, now).await?;
        let (credential_id, most) = (key.id.clone(), self.limits.keys);
        let alter = |client: &mut Client| {
            authority.may_add_credentials(client)?;
            if client.jwks_uri.is_some() {
                return refused("the client publishes its keys at its `jwks_uri`; add it there");
            }
            make_room(&mut client.keys, lives.overlap, now);
            if client
                .keys
                .iter()
                .any(|held| held.verifier.jwk.kid == key.verifier.jwk.kid || held.id == key.id)
            {
                let kid = excerpt(&key.verifier.jwk.kid);
                return refused(format!("the client has this key, or one with the kid `{kid}`"));
            }
            if client.keys.len() >= most {
                return too_many("keys", most);
            }
            let mut key = key.clone();
            // The client may have registered another one meanwhile.
            key.verifier.follow(client.signing_algorithm);
            client.keys.push(key);
            // Where its keys were published nobody can read; from now on they are here.
            client.unreadable.retain(|it| it.member != "jwksUri");
            Ok(())
        };
        let client = self.change(by, Action::KeyAdded, id, &Precondition::None, alter).await?;
        Ok(Added { client, id: credential_id, credential: key.verifier.jwk, shared_keys, left_out })
    }

    /// Ends a secret at once; if told so, with everything that was obtained with it.
    pub async fn delete_secret(
        &self,
        by: By<'_>,
        id: &ClientId,
        secret: &CredentialId,
        tokens: Tokens,
    ) -> Result<(), ClientsError> {
        let found = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        let is_there = found.secrets.iter().any(|held| held.id == *secret);
        self.end_first(by, &found, is_there.then_some(secret), tokens).await?;
        let alter = |client: &mut Client| {
            tokens.end_registration_tokens(by.authority, client);
            without(&mut client.secrets, |held| held.id == *secret)
        };
        self.change(by, Action::SecretDeleted, id, &Precondition::None, alter).await.map(drop)
    }

    /// Ends a key at once; if told so, with everything that was obtained with it.
    pub async fn delete_key(
        &self,
        by: By<'_>,
        id: &ClientId,
        key: &CredentialId,
        tokens: Tokens,
    ) -> Result<(), ClientsError> {
        let found = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        let is_there = found.keys.iter().any(|held| held.id == *key);
        self.end_first(by, &found, is_there.then_some(key), tokens).await?;
        let alter = |client: &mut Client| {
            tokens.end_registration_tokens(by.authority, client);
            without(&mut client.keys, |held| held.id == *key)
        };
        self.change(by, Action::KeyDeleted, id, &Precondition::None, alter).await.map(drop)
    }

    /// Ends a registration access token at once.
    pub async fn delete_registration_token(
        &self,
        by: By<'_>,
        id: &ClientId,
        token: &CredentialId,
    ) -> Result<(), ClientsError> {
        let alter =
            |client: &mut Client| without(&mut client.registration_tokens, |it| it.id == *token);
        self.change(by, Action::RegistrationTokenDeleted, id, &Precondition::None, alter)
            .await
            .map(drop)
    }

    /// The tokens go first: cut off in between, the same can be asked for again.
    async fn end_first(
        &self,
        by: By<'_>,
        client: &Client,
        credential: Option<&CredentialId>,
        tokens: Tokens,
    ) -> Result<(), ClientsError> {
        self.may_change(by.authority, client).await?;
        let credential = credential.ok_or(ClientsError::NoCredential)?;
        match tokens {
            Tokens::Keep => Ok(()),
            Tokens::Revoke => self.end_tokens_of(by, credential, client).await,
        }
    }
}

/// What becomes of the tokens that were obtained with a credential that ends, and of the registration
/// access tokens of its client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tokens {
    /// They live on until they expire.
    #[default]
    Keep,
    /// They end with it.
    Revoke,
}

impl Tokens {
    /// What a client is looked after with is one of them.
    fn end_registration_tokens(self, authority: &Authority, client: &mut Client) {
        if self == Self::Revoke {
            authority.end_registration_tokens(client);
        }
    }
}

/// Sets the end of those that are there, and drops those that have ended.
fn make_room<T>(held: &mut Vec<Credential<T>>, overlap: Option<Duration>, now: Timestamp) {
    if let Some(overlap) = overlap {
        for credential in held.iter_mut() {
            credential.end_by(now + overlap);
        }
    }
    held.retain(|credential| credential.is_live_at(now));
}

fn without<T>(held: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Result<(), ClientsError> {
    let before = held.len();
    held.retain(|credential| !is_it(credential));
    if held.len() == before { Err(ClientsError::NoCredential) } else { Ok(()) }
}

fn too_many<T>(what: &str, most: usize) -> Result<T, ClientsError> {
    refused(format!("the client has {most} {what}, and no more are allowed; delete one first"))
}
