//! A client registers itself: [RFC 7591](https://www.rfc-editor.org/rfc/rfc7591).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::audit::{Action, Origin};
use crate::domain::actor::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::provenance::Provenance;

use super::draft::{ClientMetadata, Draft, Outline};
use super::error::ClientsError;
use super::key_admission::KeyAdmission;
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

/// Takes registrations.
pub struct Registration {
    /// Who may.
    pub mode: RegistrationMode,
    /// What adds the clients.
    pub clients: Arc<Clients>,
    /// What lets keys in.
    pub keys: Arc<KeyAdmission>,
}

impl Registration {
    /// Whether the bearer of `token` may register at all. Asked before the body is looked at.
    pub fn admit(&self, token: Option<&str>) -> Result<(), ClientsError> {
        match (&self.mode, token) {
            (RegistrationMode::Closed, _) => Err(ClientsError::Closed),
            (RegistrationMode::Open, _) => Ok(()),
            (RegistrationMode::Token(_), None) => Err(ClientsError::InitialTokenMissing),
            (RegistrationMode::Token(right), Some(token)) => {
                let same = right.expose_secret().as_bytes().ct_eq(token.as_bytes());
                if bool::from(same) { Ok(()) } else { Err(ClientsError::InitialTokenWrong) }
            }
        }
    }

    /// Whether anybody may register at all.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        !matches!(self.mode, RegistrationMode::Closed)
    }

    /// The client that the metadata asks for, if it can be one. It has nothing but its name and its
    /// credential: whatever else the metadata asks for is for an admin to grant.
    pub fn outline(
        &self,
        metadata: &ClientMetadata,
        now: Timestamp,
    ) -> Result<Outline, ClientsError> {
        let mut outline = metadata.outline(self.clients.fresh_id()?, now)?;
        outline.client.provenance = Some(Provenance::Registered);
        Ok(outline)
    }

    /// Registers it, if its keys are good.
    pub async fn register(
        &self,
        outline: Outline,
        metadata: &ClientMetadata,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Registered, ClientsError> {
        let Draft { client, left_out } = self.clients.draft(outline).await?;
        self.keys.admit_first(&client, &metadata.proofs()?, now).await?;
        let author = origin.by(Actor::Owner(client.id.clone()));
        let added = self.clients.add(client, &author, Action::ClientRegistered).await?;
        Ok(Registered { left_out, ..added })
    }
}
