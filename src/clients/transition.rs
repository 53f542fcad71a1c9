//! An admin takes a client into use, out of it, and back.

use crate::audit::Action;
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::state::State;

use super::Clients;
use super::change::By;
use super::error::ClientsError;
use super::precondition::Precondition;

impl Clients {
    /// Brings a client into a state. Leaving `PUBLIC` ends its tokens, for good.
    pub async fn bring_to(
        &self,
        by: By<'_>,
        id: &ClientId,
        state: State,
        precondition: &Precondition,
    ) -> Result<Client, ClientsError> {
        let alter = |client: &mut Client| {
            if !client.state.may_become(state) {
                return Err(ClientsError::Transition(client.state, state));
            }
            let epoch = self.revoker.revocations.next_epoch(id, client.token_epoch);
            client.move_to(state, epoch);
            Ok(())
        };
        self.change(by, Action::ClientStateChanged, id, precondition, alter).await
    }
}
