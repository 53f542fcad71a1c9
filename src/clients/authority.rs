//! The right to change clients.

use crate::audit::{Author, Origin};
use crate::domain::actor::Actor;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::permission::{self, ADMIN, Permission};
use crate::domain::registration_token::RegistrationTokenDigest;
use crate::domain::state::State;

use super::Clients;
use super::error::ClientsError;

/// The right to make a change: that of the bearer of a live token which holds the permission, or of a
/// client that manages itself.
#[derive(Debug)]
pub struct Authority {
    id: ClientId,
    lineage: ClientId,
    is_admin: bool,
    owns: Option<RegistrationTokenDigest>,
    author: Author,
}

impl Authority {
    /// The bearer of these claims, if it holds the permission; what it does is recorded as done
    /// from `origin`.
    pub fn bearer(
        claims: &AccessTokenClaims,
        needed: &'static str,
        origin: Origin,
    ) -> Result<Self, ClientsError> {
        if !permission::allows(&claims.permissions, needed) {
            return Err(ClientsError::NotPermitted(needed));
        }
        let is_admin = permission::allows(&claims.permissions, ADMIN);
        let id = claims.client_id.clone();
        let author = origin.by(Actor::Client(id.clone()));
        Ok(Self { lineage: id.clone(), id, is_admin, owns: None, author })
    }

    /// The same, if the client as it is now holds the permission too: its token is a snapshot.
    pub fn now(self, client: &Client, needed: &'static str) -> Result<Self, ClientsError> {
        if !permission::allows(&client.permissions, needed) {
            return Err(ClientsError::NotPermitted(needed));
        }
        let is_admin = self.is_admin && permission::allows(&client.permissions, ADMIN);
        Ok(Self { lineage: client.lineage().clone(), is_admin, ..self })
    }

    /// The client itself, which has shown its registration access token.
    pub(super) fn owner(client: &Client, token: RegistrationTokenDigest, origin: Origin) -> Self {
        let (id, lineage) = (client.id.clone(), client.lineage().clone());
        let author = origin.by(Actor::Owner(id.clone()));
        Self { id, lineage, is_admin: false, owns: Some(token), author }
    }

    /// The registration access token that was shown, by a client that manages itself.
    pub(super) fn registration_token(&self) -> Option<&RegistrationTokenDigest> {
        self.owns.as_ref()
    }

    /// Ends the registration access tokens of a client, but for the one that was shown.
    pub(super) fn end_registration_tokens(&self, client: &mut Client) {
        let shown = self.owns.as_ref();
        client.registration_tokens.retain(|held| shown.is_some_and(|shown| held.digest == *shown));
    }

    /// Refuses a new credential to a client that is not in use and manages itself: it would be
    /// there when an administrator publishes the client.
    pub(super) fn may_add_credentials(&self, client: &Client) -> Result<(), ClientsError> {
        let refused = self.owns.is_some() && client.state != State::Public;
        if refused { Err(ClientsError::NotPublished) } else { Ok(()) }
    }

    /// Its client id.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// What its limits are counted by.
    #[must_use]
    pub fn lineage(&self) -> &ClientId {
        &self.lineage
    }

    /// Who audit records and client documents name.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Refuses to touch somebody who has power over this server, unless the authority has all of it,
    /// or is that client. Whoever could add a credential to an administrator would be one. A client
    /// may do so as long as its token is good, which it may not be any more.
    fn may_change(&self, client: &Client) -> Result<(), ClientsError> {
        let Some(token) = &self.owns else { return self.may_grant(&client.permissions) };
        let is_there = matches!(client.state, State::Public | State::Draft);
        let is_owner = client.id == self.id
            && client.registration_tokens.iter().any(|held| held.digest == *token);
        if is_there && is_owner { Ok(()) } else { Err(ClientsError::RegistrationToken) }
    }

    /// Refuses to hand out power over this server, unless the authority has all of it.
    fn may_grant(&self, permissions: &[Permission]) -> Result<(), ClientsError> {
        if self.is_admin || !permissions.iter().any(Permission::is_ours) {
            return Ok(());
        }
        Err(ClientsError::NotPermitted(ADMIN))
    }
}

impl Clients {
    /// [`Authority::may_change`], by what the store says of the authority at the time of the change.
    pub(super) async fn may_change(
        &self,
        authority: &Authority,
        client: &Client,
    ) -> Result<(), ClientsError> {
        authority.may_change(client)?;
        self.still_has_power(authority, &client.permissions).await
    }

    /// [`Authority::may_grant`], in the same way.
    pub(super) async fn may_grant(
        &self,
        authority: &Authority,
        permissions: &[Permission],
    ) -> Result<(), ClientsError> {
        authority.may_grant(permissions)?;
        self.still_has_power(authority, permissions).await
    }

    /// Where power over this server is at stake, what is remembered of the authority is not enough,
    /// nor is what was so when its request began.
    async fn still_has_power(
        &self,
        authority: &Authority,
        permissions: &[Permission],
    ) -> Result<(), ClientsError> {
        if authority.owns.is_some() || !permissions.iter().any(Permission::is_ours) {
            return Ok(());
        }
        let found = self.repository.read(&authority.id).await?;
        let is_admin = found.is_some_and(|client| {
            client.is_in_use() && permission::allows(&client.permissions, ADMIN)
        });
        if is_admin { Ok(()) } else { Err(ClientsError::NotPermitted(ADMIN)) }
    }
}
