//! How many credentials and grants a client may have.

use std::time::Duration;

use crate::domain::client::Client;
use crate::domain::lists::ListLimits;

use super::error::ClientsError;

/// The limits on the credentials and grants of one client.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Secrets.
    pub secrets: usize,
    /// Keys.
    pub keys: usize,
    /// The lengths of its lists.
    pub lists: ListLimits,
    /// The longest life of its tokens.
    pub token_lifetime: Duration,
}

impl ClientLimits {
    /// Refuses a client with more keys than it may have.
    pub(super) fn check(&self, client: &Client) -> Result<(), ClientsError> {
        let most = self.keys;
        if client.keys.len() > most {
            let why = format!("a client may have at most {most} keys");
            return Err(ClientsError::Metadata(why));
        }
        Ok(())
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            secrets: 5,
            keys: 10,
            lists: ListLimits::DEFAULT,
            token_lifetime: Duration::from_secs(86_400),
        }
    }
}
