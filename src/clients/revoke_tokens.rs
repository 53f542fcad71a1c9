//! The tokens of a client, or of one of its credentials, are revoked.

use crate::audit::{Action, AuditRecord};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::CredentialId;
use crate::domain::revocation::Revoked;

use super::Clients;
use super::authority::Authority;
use super::error::ClientsError;

impl Clients {
    /// Ends every token of a client that is about to be gone and so cannot hold its epoch.
    pub(super) async fn end_tokens(
        &self,
        client: &Client,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        let epoch = self.revoker.revocations.next_epoch(&client.id, client.token_epoch);
        let revoked = Revoked::ClientEpoch { client_id: client.id.clone(), epoch };
        self.revoke(revoked, client, authority, now).await
    }

    /// Ends every token that was obtained with a credential which is about to be gone. A key may
    /// come back later under the same name, so the end has a date.
    pub(super) async fn end_tokens_of(
        &self,
        credential: &CredentialId,
        client: &Client,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        let revoked = Revoked::Credential {
            client_id: client.id.clone(),
            credential: credential.clone(),
            before: now,
        };
        self.revoke(revoked, client, authority, now).await
    }

    async fn revoke(
        &self,
        revoked: Revoked,
        client: &Client,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        let about = match serde_json::to_value(&revoked) {
            Ok(serde_json::Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        let record = self.recorder.record(authority.author(), Action::TokensRevoked, about, now)?;
        let record = AuditRecord { client_id: Some(client.id.clone()), ..record };
        let until = self.revoker.revocations.horizon(now);
        Ok(self.revoker.revoke(revoked, until, &record).await?)
    }
}
