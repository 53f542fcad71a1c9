//! A client looks after its own registration: [RFC 7592](https://www.rfc-editor.org/rfc/rfc7592).
//! It may change its name and its credentials; what it is granted is for an admin.

use serde_json::Value;

use crate::audit::{Action, Origin};
use crate::domain::client::{AuthMethod, Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::registration_token::{RegistrationToken, StoredRegistrationToken};
use crate::domain::secret::{ClientSecret, Form};
use crate::domain::state::State;

use super::authority::Authority;
use super::change::{By, Precondition};
use super::draft::{ClientMetadata, Draft};
use super::error::ClientsError;
use super::key_admission::KeyAdmission;
use super::{Clients, Registered};

/// Members that are for the server to say: RFC 7592 §2.2.
const FOR_US_TO_SAY: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// A client that has shown its registration access token.
#[derive(Debug)]
pub struct Owner {
    authority: Authority,
    client: Client,
    token: RegistrationToken,
}

impl Owner {
    /// What it acts as.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The client as it was found.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The name of the token that it showed.
    #[must_use]
    pub fn credential(&self) -> CredentialId {
        self.token.digest().credential_id()
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
        // What has power over this server is for administrators to look after, whoever granted it.
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
            let by = By { authority: &authority, action: Action::ClientUpdated, now };
            client = self.change(authority.id(), &Precondition::None, by, alter).await?;
        }
        Ok(Owner { authority, client, token })
    }

    /// Puts other metadata in the place of those of a client, and gives it a new token. The one it
    /// showed is good until the new one is first used: the answer may be lost.
    pub async fn replace_metadata(
        &self,
        admission: &KeyAdmission,
        owner: Owner,
        body: &Value,
        metadata: &ClientMetadata,
        now: Timestamp,
    ) -> Result<Registered, ClientsError> {
        let Owner { authority, client: old, .. } = owner;
        self.says_who_it_is(&old, body, now).await?;
        let outline = metadata.outline(old.id.clone(), now)?;
        let Draft { client: asked, left_out } = self.draft(outline).await?;
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
        admission.admit(&old.id, &fresh, &metadata.proofs()?, now).await?;
        if elsewhere {
            admission.admit_uri(&asked, now).await?;
        }
        let made = match needs_secret && !had_secret {
            true => Some(self.make_secret(&old.id, now)?),
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
        let by = By { authority: &authority, action: Action::ClientUpdated, now };
        let client = self.change(&old.id, &Precondition::None, by, alter).await?;
        let secret = made.map(|(secret, _)| secret);
        let (registration_token, shared_keys) = (Some(registration_token), Vec::new());
        Ok(Registered { client, secret, registration_token, shared_keys, left_out })
    }

    /// What a client says of itself must be so, and what is ours to say it must not.
    async fn says_who_it_is(
        &self,
        client: &Client,
        body: &Value,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        if let Some(name) = FOR_US_TO_SAY.iter().find(|name| body.get(**name).is_some()) {
            return refused(format!("`{name}` is for the server to say"));
        }
        if body.get("client_id").and_then(Value::as_str) != Some(client.id.as_str()) {
            return refused("`client_id` must be that of the client".to_owned());
        }
        let Some(secret) = body.get("client_secret") else { return Ok(()) };
        let secret = ClientSecret::from(secret.as_str().unwrap_or_default().to_owned());
        let form = secret.form(&client.id, &self.pepper);
        let live = client.secrets.iter().filter(|held| held.is_live_at(now));
        let candidates = live.filter(|held| match &form {
            Form::Ours(id) => held.verifier.checksummed && held.id == *id,
            Form::Forged => false,
            Form::Foreign => !held.verifier.checksummed,
        });
        for held in candidates {
            if self.hashes.matches(&held.verifier.hash, &secret).await? {
                return Ok(());
            }
        }
        refused(
            "`client_secret` must be the one that the client has; it cannot be chosen".to_owned(),
        )
    }
}

fn refused<T>(why: String) -> Result<T, ClientsError> {
    Err(ClientsError::Metadata(why))
}
