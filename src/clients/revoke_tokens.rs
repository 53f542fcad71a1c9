//! The tokens of a client, or of one of its credentials, are revoked.

use crate::audit::{Action, AuditRecord};
use crate::domain::client::Client;
use crate::domain::id::CredentialId;
use crate::domain::revocation::Revoked;

use super::Clients;
use super::change::By;
use super::error::ClientsError;

impl Clients {
    /// Ends every token of a client that is about to be gone and so cannot hold its epoch.
    pub(super) async fn end_tokens(&self, by: By<'_>, client: &Client) -> Result<(), ClientsError> {
        let epoch = self.revoker.revocations.next_epoch(&client.id, client.token_epoch);
        let revoked = Revoked::ClientEpoch { client_id: client.id.clone(), epoch };
        self.revoke(by, revoked, client).await
    }

    /// Ends every token that was obtained with a credential which is about to be gone. A key may
    /// come back later under the same name, so the end has a date.
    pub(super) async fn end_tokens_of(
        &self,
        by: By<'_>,
        credential: &CredentialId,
        client: &Client,
    ) -> Result<(), ClientsError> {
        let revoked = Revoked::Credential {
            client_id: client.id.clone(),
            credential: credential.clone(),
            before: by.now,
        };
        self.revoke(by, revoked, client).await
    }

    async fn revoke(
        &self,
        By { authority, now }: By<'_>,
        revoked: Revoked,
        client: &Client,
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
