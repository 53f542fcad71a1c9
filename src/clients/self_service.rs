//! A client manages its own registration: [RFC 7592](https://www.rfc-editor.org/rfc/rfc7592).
//! It may change its name and its credentials; what it is granted is for an admin.

use crate::audit::{Action, Origin};
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::ClientId;
use crate::domain::registration_token::{RegistrationToken, StoredRegistrationToken};
use crate::domain::secret::ClientSecret;
use crate::domain::state::State;

use super::authority::Authority;
use super::change::By;
use super::error::{ClientsError, refused};
use super::new_client::{Draft, NewClient};
use super::precondition::Precondition;
use super::{Clients, Registered};

/// The new registration of a client: RFC 7592 §2.2.
#[derive(Debug)]
pub struct Replacement {
    /// The id in the request.
    pub client_id: Option<String>,
    /// The secret in the request, if there is one.
    pub client_secret: Option<ClientSecret>,
    /// The new metadata.
    pub client: NewClient,
}

/// A client that has shown its registration access token.
#[derive(Debug)]
pub struct Owner {
    authority: Authority,
    client: Client,
    token: RegistrationToken,
}

impl Owner {
    /// Its authority over itself.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The client as it was found.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its registration, with the token that it showed.
    #[must_use]
    pub fn registration(self) -> Registered {
        Registered {
            client: self.client,
            secret: None,
            registration_token: Some(self.token),
            shared_keys: Vec::new(),
            left_out: Vec::new(),
        }
    }
}

impl From<Owner> for Authority {
    fn from(owner: Owner) -> Self {
        owner.authority
    }
}

impl Clients {
    /// Proves that the caller is the client. A wrong token, a client that is gone and one that never
    /// was are told the same. When a new token is first used, the one before it ends.
    pub async fn owner(
        &self,
        client_id: &str,
        token: Option<RegistrationToken>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Owner, ClientsError> {
        let token = token.ok_or(ClientsError::RegistrationTokenMissing)?;
        let id: ClientId = client_id.parse().map_err(|_| ClientsError::RegistrationToken)?;
        let found = self.repository.read(&id).await?;
        let mut client = found.ok_or(ClientsError::RegistrationToken)?;
        let mut known = client.registration_tokens.iter().rev();
        let place = known.position(|held| held.digest.is_of(&token));
        // Clients with power over this server are managed by administrators only.
        let is_there = matches!(client.state, State::Public | State::Draft) && !client.has_power();
        let place = place.filter(|_| is_there).ok_or(ClientsError::RegistrationToken)?;
        let held = client.registration_tokens.iter().rev().nth(place);
        if held.is_none_or(|it| self.revoker.revocations.has_ended_everything_of(it.created)) {
            return Err(ClientsError::RegistrationToken);
        }

        let digest = token.digest();
        let authority = Authority::owner(&client, digest, origin);
        if place == 0 && client.registration_tokens.len() > 1 {
            let alter = |client: &mut Client| {
                client.registration_tokens.retain(|held| held.digest == digest);
                Ok(())
            };
            let by = By { authority: &authority, now };
            let (id, action) = (authority.id(), Action::ClientUpdated);
            client = self.change(by, action, id, &Precondition::None, alter).await?;
        }
        self.logins.note_use(&client.id, &digest.credential_id(), now);
        Ok(Owner { authority, client, token })
    }

    /// Puts other metadata in the place of those of a client, and gives it a new token. The one it
    /// showed is good until the new one is first used: the answer may be lost.
    pub async fn replace(
        &self,
        owner: Owner,
        replacement: Replacement,
        now: Timestamp,
    ) -> Result<Registered, ClientsError> {
        let Owner { authority, client: old, .. } = owner;
        replacement.client.check()?;
        self.says_who_it_is(&old, &replacement, now).await?;
        let drafted = self.draft(replacement.client, old.id.clone(), now).await?;
        let Draft { client: asked, proofs, left_out } = drafted;
        let fresh = asked
            .keys
            .iter()
            .filter(|key| !old.keys.iter().any(|held| held.verifier.jwk == key.verifier.jwk));
        let fresh: Vec<Credential<ClientKey>> = fresh.cloned().collect();
        let had_secret = old.auth_method != AuthMethod::PrivateKeyJwt;
        let needs_secret = asked.auth_method != AuthMethod::PrivateKeyJwt;
        let place = |client: &Client| (client.jwks_uri.clone(), client.signing_algorithm);
        let elsewhere = asked.jwks_uri.is_some() && place(&asked) != place(&old);
        let adds = !fresh.is_empty() || elsewhere || (needs_secret && !had_secret);
        if adds {
            authority.may_add_credentials(&old)?;
        }
        self.keys.admit(&old.id, &fresh, &proofs, now).await?;
        if elsewhere {
            self.keys.admit_uri(&asked, now).await?;
        }
        let made = match needs_secret && !had_secret {
            true => Some(self.secrets.make(&old.id, now)?),
            false => None,
        };
        let registration_token = RegistrationToken::random()?;
        let fresh_token = StoredRegistrationToken::new(registration_token.digest(), now);
        let alter = |client: &mut Client| {
            if adds {
                authority.may_add_credentials(client)?;
            }
            client.name.clone_from(&asked.name);
            client.auth_method = asked.auth_method;
            client.signing_algorithm = asked.signing_algorithm;
            client.jwks_uri.clone_from(&asked.jwks_uri);
            let mut keys = asked.keys.clone();
            for key in &mut keys {
                // A key that stays is the one it was.
                if let Some(held) =
                    client.keys.iter().find(|held| held.verifier.jwk == key.verifier.jwk)
                {
                    key.clone_from(held);
                }
            }
            client.keys = keys;
            match &made {
                Some((_, stored)) => client.secrets = vec![stored.clone()],
                None if !needs_secret => client.secrets.clear(),
                None => {}
            }
            authority.end_registration_tokens(client);
            client.registration_tokens.push(fresh_token.clone());
            Ok(())
        };
        let by = By { authority: &authority, now };
        let (id, action) = (&old.id, Action::ClientUpdated);
        let client = self.change(by, action, id, &Precondition::None, alter).await?;
        let secret = made.map(|(secret, _)| secret);
        let (registration_token, shared_keys) = (Some(registration_token), Vec::new());
        Ok(Registered { client, secret, registration_token, shared_keys, left_out })
    }

    /// Refuses an id or a secret that is not the client's.
    async fn says_who_it_is(
        &self,
        client: &Client,
        said: &Replacement,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        if said.client_id.as_deref() != Some(client.id.as_str()) {
            return refused("`client_id` must be that of the client");
        }
        match &said.client_secret {
            Some(secret) if !self.secrets.has(client, secret, now).await? => {
                refused("`client_secret` must be the one that the client has; it cannot be chosen")
            }
            _ => Ok(()),
        }
    }
}
