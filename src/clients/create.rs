//! An admin registers a client, with what it is granted.

use crate::audit::Action;
use crate::domain::client::Provenance;
use crate::domain::id::ClientId;

use super::change::By;
use super::error::ClientsError;
use super::grants::Grants;
use super::new_client::{Draft, NewClient};
use super::{Clients, Registered};

impl Clients {
    /// Registers a client in an admin's name.
    pub async fn create(
        &self,
        by: By<'_>,
        new: NewClient,
        grants: Grants,
    ) -> Result<Registered, ClientsError> {
        let By { authority, now } = by;
        self.may_grant(authority, &grants.permissions).await?;
        let Draft { mut client, proofs, left_out } =
            self.draft(new, ClientId::random()?, now).await?;
        grants.checked(&self.limits)?.give(&mut client);
        client.provenance = Some(Provenance::Created);
        client.creator = authority.author().actor.to_string();
        client.updater = authority.author().actor.to_string();
        let shared_keys = self.keys.admit_first(&client, &proofs, now).await?;
        let added = self.add(client, authority.author(), Action::ClientCreated).await?;
        Ok(Registered { shared_keys, left_out, ..added })
    }
}
