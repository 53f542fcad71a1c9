//! A client registers itself: [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591).

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::audit::{Action, Origin};
use crate::domain::actor::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::provenance::Provenance;

use super::error::ClientsError;
use super::new_client::{Draft, NewClient};
use super::{Clients, Registered};

/// Who may register.
#[derive(Clone, Debug)]
pub enum RegistrationMode {
    /// Nobody; clients are made by admins.
    Closed,
    /// Anybody.
    Open,
    /// Whoever shows the initial access token: RFC 7591 §3.
    Token(SecretString),
}

impl RegistrationMode {
    /// Whether the bearer of `token` may register at all. Asked before the body is looked at.
    pub fn admit(&self, token: Option<&str>) -> Result<(), ClientsError> {
        match (self, token) {
            (Self::Closed, _) => Err(ClientsError::Closed),
            (Self::Open, _) => Ok(()),
            (Self::Token(_), None) => Err(ClientsError::InitialTokenMissing),
            (Self::Token(right), Some(token)) => {
                let same = right.expose_secret().as_bytes().ct_eq(token.as_bytes());
                if bool::from(same) { Ok(()) } else { Err(ClientsError::InitialTokenWrong) }
            }
        }
    }

    /// Whether anybody may register at all.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Closed)
    }
}

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
