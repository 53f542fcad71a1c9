//! A client gets a new id and a new secret in one call, and the old pair ends with its tokens: the
//! quick way to remove access.

use crate::audit::Action;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, Revision};
use crate::domain::id::ClientId;

use super::change::By;
use super::error::{ClientsError, refused};
use super::new_client::NewKeys;
use super::precondition::Precondition;
use super::{Clients, Registered};

impl Clients {
    /// Adds a client that is what this one is, under a new id, and removes this one. With keys, it
    /// takes those over, unless others are given. Cut off in between, the old one is still there
    /// and nobody knows the secret of the new one.
    pub async fn regenerate(
        &self,
        by: By<'_>,
        id: &ClientId,
        NewKeys { keys, proofs }: NewKeys,
    ) -> Result<Registered, ClientsError> {
        let By { authority, now } = by;
        let old = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        self.may_change(authority, &old).await?;
        authority.may_add_credentials(&old)?;
        if let Some(unreadable) = old.unreadable.first() {
            // The new one would have no such limit at all.
            return refused(format!("of the client's document {unreadable}; set it anew first"));
        }
        let as_it_was = Precondition::Tags(vec![old.revision.etag()]);
        let mut shown = old.registration_tokens.clone();
        shown.retain(|held| authority.registration_token() == Some(&held.digest));
        let mut new = Client {
            id: ClientId::random()?,
            former_ids: old.ids_so_far(),
            created: now,
            updater: authority.author().actor.to_string(),
            token_epoch: 0,
            last_login: None,
            revision: Revision::default(),
            secrets: Vec::new(),
            registration_tokens: shown,
            ..old
        };
        new.keys.retain(|key| key.is_live_at(now));
        let (keys, left_out) = self.judge(keys).await?.of_client(new.signing_algorithm, now)?;
        let mut shared_keys = Vec::new();
        if !keys.is_empty() {
            new.keys = keys;
            new.jwks_uri = None;
            self.limits.check(&new)?;
            // The one that is replaced may have had the same key.
            shared_keys = self.keys.admit(id, &new.keys, &proofs, now).await?;
        }
        let keyless = new.keys.is_empty() && new.jwks_uri.is_none();
        if new.auth_method == AuthMethod::PrivateKeyJwt && keyless {
            return refused("the client has no key that lives; send a new one");
        }
        let registered = self.add(new, authority.author(), Action::ClientRegenerated).await?;
        // What was done to the old one meanwhile, a revocation say, was not done to the new one.
        if let Err(error) = self.remove_as(by, Action::ClientRegenerated, id, &as_it_was).await {
            self.take_back(by, id, &registered.client.id).await;
            return Err(match error {
                ClientsError::Changed => ClientsError::Raced,
                error => error,
            });
        }
        Ok(Registered { shared_keys, left_out, ..registered })
    }

    /// Nobody will hear the secret of the new one. It goes again, unless the old one is gone after
    /// all: then it is the only one left, and an admin can give it another secret.
    async fn take_back(&self, By { authority, now }: By<'_>, old: &ClientId, new: &ClientId) {
        let (Ok(Some(_)), Ok(Some(orphan))) =
            (self.repository.read(old).await, self.repository.read(new).await)
        else {
            return;
        };
        let pair = (Some(&orphan), None);
        if let Ok(record) =
            self.recorder.change(authority.author(), Action::ClientDeleted, pair, now)
        {
            let _ = self.repository.remove(&orphan, &record).await;
        }
    }
}
