//! An administrator calls tokens back.

mod order;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::audit::{Action, AuditRecord, Recorder};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::store_error::StoreError;
use crate::oauth::revoke::Revoker;

use super::Registry;
use super::actor::Actor;
use super::error::RegistryError;

pub use order::Order;

/// How often a client is tried that others change at the same time.
const ATTEMPTS: usize = 10;

/// Ends tokens in an administrator's name.
pub struct TokenRevocation {
    /// Where epochs are raised.
    pub registry: Arc<dyn Registry>,
    /// What ends tokens.
    pub revoker: Arc<Revoker>,
    /// What makes the records.
    pub recorder: Arc<Recorder>,
}

/// Who orders it, why and when.
struct Deed<'a> {
    actor: &'a Actor,
    reason: Option<String>,
    now: Timestamp,
}

impl TokenRevocation {
    /// Carries an order out; what is revoked when it returns is so for good, and everywhere within
    /// a second.
    pub async fn revoke(
        &self,
        actor: &Actor,
        order: Order,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, RegistryError> {
        let deed = Deed { actor, reason, now };
        let horizon = self.revoker.revocations.horizon(now);
        let (revoked, until) = match order {
            Order::Client(id) => return self.end_client(&deed, id).await,
            Order::ClientBefore(client_id, before) => {
                (Revoked::ClientBefore { client_id, before: past(before, now)? }, horizon)
            }
            Order::Credential(id, credential) => {
                (self.credential(id, credential, now).await?, horizon)
            }
            Order::Everything(before) => {
                (Revoked::Everything { before: past(before, now)? }, horizon)
            }
            // As long as its file is somewhere, it could sign again.
            Order::SigningKey(kid) => (Revoked::SigningKey { kid }, order::LATEST),
            Order::Token(jti, exp) => {
                (Revoked::Token { jti }, exp.map_or(horizon, |exp| exp.min(horizon)))
            }
        };
        let revocation = Revocation { revoked, until };
        self.end(&deed, &revocation).await?;
        Ok(vec![revocation])
    }

    /// Raises the epoch of a client. One that is not there may still have tokens, of an epoch that
    /// nobody may know: those issued so far end by their date too.
    async fn end_client(
        &self,
        deed: &Deed<'_>,
        client_id: ClientId,
    ) -> Result<Vec<Revocation>, RegistryError> {
        let until = self.revoker.revocations.horizon(deed.now);
        for _ in 0..ATTEMPTS {
            let Some(old) = self.registry.read(&client_id).await? else {
                let epoch = self.revoker.revocations.epoch(&client_id) + 1;
                let both = [
                    Revoked::ClientEpoch { client_id: client_id.clone(), epoch },
                    Revoked::ClientBefore { client_id, before: deed.now },
                ];
                let both = both.map(|revoked| Revocation { revoked, until });
                for revocation in &both {
                    self.end(deed, revocation).await?;
                }
                return Ok(both.into());
            };
            let epoch = old.token_epoch.max(self.revoker.revocations.epoch(&client_id)) + 1;
            if self.raise(deed, &old, epoch).await? {
                let revoked = Revoked::ClientEpoch { client_id, epoch };
                return Ok(vec![Revocation { revoked, until }]);
            }
        }
        Err(StoreError::new("the client is being changed all the time").into())
    }

    async fn raise(
        &self,
        deed: &Deed<'_>,
        old: &Client,
        epoch: u64,
    ) -> Result<bool, RegistryError> {
        let new =
            Client { token_epoch: epoch, updater: deed.actor.id().to_string(), ..old.clone() };
        let revoked = Revoked::ClientEpoch { client_id: old.id.clone(), epoch };
        let record = self.record(deed, &revoked)?;
        Ok(self.registry.replace(old, &new, &record).await?)
    }

    /// Of a credential that still lives, what was obtained so far; of one that has ended,
    /// everything.
    async fn credential(
        &self,
        client_id: ClientId,
        credential: CredentialId,
        now: Timestamp,
    ) -> Result<Revoked, RegistryError> {
        let client = self.registry.read(&client_id).await?;
        let lives = client.is_some_and(|client| {
            let secret = client.secrets.iter().any(|it| it.id == credential && it.is_live_at(now));
            secret || client.keys.iter().any(|it| it.id == credential && it.is_live_at(now))
        });
        Ok(Revoked::Credential { client_id, credential, before: lives.then_some(now) })
    }

    async fn end(&self, deed: &Deed<'_>, revocation: &Revocation) -> Result<(), RegistryError> {
        let record = self.record(deed, &revocation.revoked)?;
        let Revocation { revoked, until } = revocation.clone();
        Ok(self.revoker.revoke(revoked, until, &record).await?)
    }

    fn record(&self, deed: &Deed<'_>, revoked: &Revoked) -> Result<AuditRecord, RegistryError> {
        let mut about = Map::from_iter([("revoked".to_owned(), Value::from(revoked.name()))]);
        if let Some(reason) = &deed.reason {
            about.insert("reason".to_owned(), reason.as_str().into());
        }
        let origin = deed.actor.origin();
        let record = self.recorder.deed(origin, Action::TokensRevoked, about, deed.now)?;
        Ok(AuditRecord { client_id: revoked.client_id().cloned(), ..record })
    }
}

/// Tokens that are not issued yet cannot be called back.
fn past(moment: Timestamp, now: Timestamp) -> Result<Timestamp, RegistryError> {
    if moment <= now {
        return Ok(moment);
    }
    Err(RegistryError::Malformed("`issued_before` must not be in the future".to_owned()))
}
