//! A client registers itself: [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591).

use crate::audit::{Action, Origin};
use crate::domain::actor::Actor;
use crate::domain::client::Provenance;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

use super::error::ClientsError;
use super::new_client::{Draft, NewClient};
use super::{Clients, Registered};

impl Clients {
    /// Registers a client, with a name and a credential only: an administrator grants the rest.
    pub async fn register(
        &self,
        new: NewClient,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Registered, ClientsError> {
        let drafted = self.draft(new, ClientId::random()?, now).await?;
        let Draft { mut client, proofs, left_out } = drafted;
        client.provenance = Some(Provenance::Registered);
        self.keys.admit_first(&client, &proofs, now).await?;
        let author = origin.by(Actor::Owner(client.id.clone()));
        let added = self.add(client, &author, Action::ClientRegistered).await?;
        Ok(Registered { left_out, ..added })
    }
}
