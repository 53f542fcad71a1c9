//! Which clients there are.

use crate::domain::auth_method::AuthMethod;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::state::State;

use super::error::ClientsError;
use super::{Clients, Cursor, ListQuery, Page};

/// At most so many clients are looked at for one page.
const LOOKED_AT: usize = 10_000;
/// In at most so many questions to the store.
const QUESTIONS: usize = 200;

/// Which of them are wanted; all that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A part of the name, in whatever case.
    pub name: Option<String>,
    /// The state.
    pub state: Option<State>,
    /// A permission that it holds.
    pub permission: Option<Permission>,
    /// How it authenticates.
    pub auth_method: Option<AuthMethod>,
    /// It got no token at this moment or after, and was there before.
    pub unused_since: Option<Timestamp>,
}

impl Filter {
    fn fits(&self, client: &Client) -> bool {
        let name = |part: &String| client.name.to_lowercase().contains(&part.to_lowercase());
        let unused = |since: Timestamp| client.last_login.unwrap_or(client.created) < since;
        self.name.as_ref().is_none_or(name)
            && self.state.is_none_or(|state| state == client.state)
            && self.permission.as_ref().is_none_or(|held| client.permissions.contains(held))
            && self.auth_method.is_none_or(|method| method == client.auth_method)
            && self.unused_since.is_none_or(unused)
    }
}

impl Clients {
    /// The client as it stands now.
    pub async fn read(&self, id: &ClientId) -> Result<Client, ClientsError> {
        self.repository.read(id).await?.ok_or(ClientsError::NotFound)
    }

    /// A page of clients that fit, oldest first. Where
    /// few fit a page may hold less than was asked for: it goes on as long as there is a cursor. What
    /// other tools wrote is judged as it is read, so the store cannot choose.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ClientsError> {
        let mut found = Page { clients: Vec::new(), next: after };
        let mut looked_at = 0;
        while found.clients.len() < limit && looked_at < LOOKED_AT {
            // No more than fit, so that a page of ours ends where one of the store's does.
            let wanted = limit - found.clients.len();
            let query = ListQuery { after: found.next.take(), limit: wanted };
            let page = self.repository.list(&query).await?.ok_or(ClientsError::Cursor)?;
            found.clients.extend(page.clients.into_iter().filter(|client| filter.fits(client)));
            found.next = page.next;
            looked_at += wanted.max(LOOKED_AT / QUESTIONS);
            if found.next.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
