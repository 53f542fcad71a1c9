//! A client gets a new id and a new secret in one call, and the old pair ends with its tokens: the
//! quick way to remove access.

use crate::domain::audit::Action;
use crate::domain::client::{AuthMethod, Client, ClientKey, Revision};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::jwk::PublicJwk;

use super::actor::Actor;
use super::change::Precondition;
use super::create::refused;
use super::draft::{Enrolment, Registered};
use super::error::RegistryError;
use super::key_admission::KeyAdmission;

impl Enrolment {
    /// Adds a client that is what this one is, under a new id, and removes this one. With keys, it
    /// takes those over, unless others are given. Cut off in between, the old one is still there
    /// and nobody knows the secret of the new one.
    pub async fn regenerate(
        &self,
        admission: &KeyAdmission,
        id: &ClientId,
        (keys, proofs): (Vec<PublicJwk>, &[String]),
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Registered, RegistryError> {
        let old = self.registry.read(id).await?.ok_or(RegistryError::NotFound)?;
        actor.may_change(&old)?;
        let mut new = Client {
            id: self.fresh_id()?,
            created: now,
            updater: actor.id().to_string(),
            token_epoch: 0,
            last_login: None,
            revision: Revision::default(),
            secrets: Vec::new(),
            ..old
        };
        new.keys.retain(|key| key.is_live_at(now));
        if !keys.is_empty() {
            new.keys = keys.into_iter().map(|jwk| ClientKey::new(jwk, now)).collect();
            new.jwks_uri = None;
            admission.admit(&new.id, &new.keys, proofs, now).await?;
        }
        let keyless = new.keys.is_empty() && new.jwks_uri.is_none();
        if new.auth_method == AuthMethod::PrivateKeyJwt && keyless {
            return refused("the client has no key that lives; send a new one".to_owned());
        }
        let registered = self.enrol(new, actor.origin(), Action::ClientRegenerated).await?;
        let deed = (actor, Action::ClientRegenerated);
        if let Err(error) = self.remove(id, &Precondition::None, deed, now).await {
            // Nobody will know the secret of the new one.
            let new = &registered.client.id;
            let _ = self.remove(new, &Precondition::None, deed, now).await;
            return Err(error);
        }
        Ok(registered)
    }
}
