//! How a client is changed: on the state that it has now, or not at all.

use crate::audit::Action;
use crate::domain::client::{Client, Revision};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

use super::authority::Authority;
use super::draft::Enrolment;
use super::error::RegistryError;

/// How often a change is tried again when somebody else's came first.
const ATTEMPTS: usize = 8;

/// On which state of a client a change may be made: `If-Match`,
/// [RFC 9110 §13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Precondition {
    /// On any.
    #[default]
    None,
    /// On one with one of these tags.
    Tags(Vec<String>),
}

impl Precondition {
    /// Whether a change may be made on this state.
    pub fn check(&self, revision: Revision) -> Result<(), RegistryError> {
        match self {
            Self::None => Ok(()),
            Self::Tags(tags) if tags.iter().any(|tag| *tag == revision.etag()) => Ok(()),
            Self::Tags(_) => Err(RegistryError::Changed),
        }
    }
}

impl Enrolment {
    /// Changes a client, with the record of who did it; returns it as it stands then. If somebody
    /// else's change comes first, the change is made on top of that one, unless the precondition
    /// says otherwise.
    pub async fn change(
        &self,
        id: &ClientId,
        precondition: &Precondition,
        (authority, action): (&Authority, Action),
        now: Timestamp,
        mut alter: impl FnMut(&mut Client) -> Result<(), RegistryError> + Send,
    ) -> Result<Client, RegistryError> {
        for _ in 0..ATTEMPTS {
            let old = self.to_be_changed(id, precondition, authority).await?;
            if old.is_damaged() {
                return Err(RegistryError::Damaged);
            }
            let mut new = old.clone();
            alter(&mut new)?;
            self.may_change(authority, &new).await?;
            if new.permissions.iter().any(|it| it.is_ours() && !old.permissions.contains(it)) {
                // Whoever held one before could add a credential to what has power now.
                new.registration_tokens.clear();
            }
            new.updater = authority.author().actor.to_string();
            let pair = (Some(&old), Some(&new));
            let record = self.recorder.change(authority.author(), action, pair, now)?;
            if self.registry.replace(&old, &new, &record).await? {
                return self.registry.read(id).await?.ok_or(RegistryError::NotFound);
            }
        }
        Err(RegistryError::Raced)
    }

    /// Ends the tokens of a client, and then removes it for good.
    pub async fn remove(
        &self,
        id: &ClientId,
        precondition: &Precondition,
        (authority, action): (&Authority, Action),
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        for _ in 0..ATTEMPTS {
            let old = self.to_be_changed(id, precondition, authority).await?;
            self.end_tokens(&old, authority, now).await?;
            let pair = (Some(&old), None);
            let record = self.recorder.change(authority.author(), action, pair, now)?;
            if self.registry.remove(&old, &record).await? {
                // Whoever proved itself between the two got a token of the new epoch.
                return self.end_tokens(&old, authority, now).await;
            }
        }
        Err(RegistryError::Raced)
    }

    async fn to_be_changed(
        &self,
        id: &ClientId,
        precondition: &Precondition,
        authority: &Authority,
    ) -> Result<Client, RegistryError> {
        let old = self.registry.read(id).await?.ok_or(RegistryError::NotFound)?;
        self.may_change(authority, &old).await?;
        precondition.check(old.revision)?;
        Ok(old)
    }
}
