//! A client revokes a token of its own:
//! [RFC 7009 §2](https://www.rfc-editor.org/rfc/rfc7009#section-2).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::audit::{Action, AuditRecord, Origin, Recorder};
use crate::domain::actor::Actor;
use crate::domain::clock::Timestamp;
use crate::domain::revocation::Revoked;
use crate::revocation::rate::RevocationRate;
use crate::revocation::revoker::Revoker;

use super::authenticate::AuthenticatedClient;
use super::error::{OAuthError, TokenFault};
use super::tokeninfo::TokenJudge;

/// Ends tokens for those they were issued to.
pub struct OwnTokens {
    /// What ends them.
    pub revoker: Arc<Revoker>,
    /// What makes the records.
    pub recorder: Arc<Recorder>,
    /// How often a client may do so.
    pub rate: Arc<RevocationRate>,
}

impl OwnTokens {
    /// Ends this token, if it is alive and the client's own. What it is otherwise is not said:
    /// RFC 7009 §2.2 answers the same to all of it.
    pub async fn revoke(
        &self,
        judge: &TokenJudge,
        client: &AuthenticatedClient,
        token: &str,
        origin: Origin,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let live = match judge.judge_for_anyone(token, now).await {
            Ok(live) => live,
            Err(TokenFault::Store(error)) => return Err(error.into()),
            Err(fault) => {
                tracing::debug!(reason = %fault, "nothing to revoke");
                return Ok(());
            }
        };
        let (claims, id) = (live.claims(), &client.client().id);
        if claims.client_id != *id {
            tracing::info!(client_id = %id, "asked to revoke a token of another client");
            return Ok(());
        }
        // Not before it is known that something would be kept.
        let lineage = client.client().lineage();
        self.rate.take(lineage, now)?;

        let about = Map::from_iter([("jti".to_owned(), Value::from(&*claims.jti))]);
        let record = self.recorder.record(
            &origin.by(Actor::Client(id.clone())),
            Action::TokensRevoked,
            about,
            now,
        )?;
        let record = AuditRecord { client_id: Some(id.clone()), ..record };
        let record = self.rate.shared(lineage, record);
        let revoked = Revoked::Token { jti: claims.jti.to_string() };
        // A replica whose clock is behind finds it alive for so much longer.
        Ok(self.revoker.revoke(revoked, claims.exp + judge.skew, &record).await?)
    }
}
