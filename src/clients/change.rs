//! How a client is changed: on the state that it has now, or not at all.

use crate::audit::Action;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

use super::Clients;
use super::authority::Authority;
use super::error::ClientsError;
use super::precondition::Precondition;

/// How often a change is tried again when somebody else's came first.
const ATTEMPTS: usize = 8;

/// The author and the time of a change.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The author, and what it may change.
    pub authority: &'a Authority,
    /// The time.
    pub now: Timestamp,
}

impl Clients {
    /// Changes a client, with the record of who did it; returns it as it stands then. If somebody
    /// else's change comes first, the change is made on top of that one, unless the precondition
    /// says otherwise.
    pub(super) async fn change(
        &self,
        by: By<'_>,
        action: Action,
        id: &ClientId,
        precondition: &Precondition,
        mut alter: impl FnMut(&mut Client) -> Result<(), ClientsError> + Send,
    ) -> Result<Client, ClientsError> {
        let By { authority, now } = by;
        for _ in 0..ATTEMPTS {
            let old = self.to_be_changed(id, precondition, authority).await?;
            if old.is_damaged() {
                return Err(ClientsError::of_damaged(&old));
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
            if self.repository.replace(&old, &new, &record).await? {
                return self.repository.read(id).await?.ok_or(ClientsError::NotFound);
            }
        }
        Err(ClientsError::Raced)
    }

    /// Ends the tokens of a client, and then removes it for good.
    pub async fn remove(
        &self,
        by: By<'_>,
        id: &ClientId,
        precondition: &Precondition,
    ) -> Result<(), ClientsError> {
        self.remove_as(by, Action::ClientDeleted, id, precondition).await
    }

    pub(super) async fn remove_as(
        &self,
        by: By<'_>,
        action: Action,
        id: &ClientId,
        precondition: &Precondition,
    ) -> Result<(), ClientsError> {
        let By { authority, now } = by;
        for _ in 0..ATTEMPTS {
            let old = self.to_be_changed(id, precondition, authority).await?;
            match self.repository.check_removal(&old).await {
                Err(error) if error.is_damaged() => return Err(ClientsError::DamagedPage),
                Err(error) if !error.is_unwritable() => return Err(error.into()),
                // On a full disk they end here all the same, until there is room.
                _ => self.end_tokens(by, &old).await?,
            }
            let pair = (Some(&old), None);
            let record = self.recorder.change(authority.author(), action, pair, now)?;
            if self.repository.remove(&old, &record).await? {
                // Whoever proved itself between the two got a token of the new epoch.
                return self.end_tokens(by, &old).await;
            }
        }
        Err(ClientsError::Raced)
    }

    async fn to_be_changed(
        &self,
        id: &ClientId,
        precondition: &Precondition,
        authority: &Authority,
    ) -> Result<Client, ClientsError> {
        let old = self.repository.read(id).await?.ok_or(ClientsError::NotFound)?;
        self.may_change(authority, &old).await?;
        precondition.check(old.revision)?;
        Ok(old)
    }
}
