//! An administrator revokes tokens.

mod order;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit::{Action, AuditRecord, Recorder};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::registration_token::StoredRegistrationToken;
use crate::domain::revocation::{Revocation, Revoked};
use crate::revocation::rate::RevocationRate;
use crate::revocation::revoker::Revoker;

use super::ClientRepository;
use super::authority::Authority;
use super::change::By;
use super::error::ClientsError;

pub use order::{Instruction, LATEST, Order, Part};

/// How much longer a revocation is kept than its token is said to live.
const RESERVE: Duration = Duration::from_secs(600);

/// How often a client is tried that others change at the same time.
const ATTEMPTS: usize = 8;

/// Ends tokens in an administrator's name.
pub struct TokenRevocation {
    /// Where epochs are raised.
    pub repository: Arc<dyn ClientRepository>,
    /// What ends tokens.
    pub revoker: Arc<Revoker>,
    /// What makes the records.
    pub recorder: Arc<Recorder>,
    /// How often one authority may revoke single tokens.
    pub rate: Arc<RevocationRate>,
}

/// Who revokes, why and when.
struct Cause<'a> {
    authority: &'a Authority,
    reason: Option<String>,
    now: Timestamp,
}

impl TokenRevocation {
    /// Carries an order out; what is revoked when it returns is so for good, and everywhere within
    /// a second.
    pub async fn revoke(
        &self,
        By { authority, now }: By<'_>,
        Instruction { order, reason, force }: Instruction,
    ) -> Result<Vec<Revocation>, ClientsError> {
        let by = Cause { authority, reason, now };
        let horizon = self.revoker.revocations.horizon(now);
        let (revoked, until) = match order {
            Order::Client(id, part) => return self.end_part(&by, id, part, force).await,
            // A registration access token that is as old may be shown at any time.
            Order::Everything(before) => {
                (Revoked::Everything { before: past(before, now)? }, LATEST)
            }
            // As long as its file is somewhere, it could sign again.
            Order::SigningKey(kid) => (Revoked::SigningKey { kid }, LATEST),
            Order::Token(jti, exp) => {
                let until = end_of(exp, now, horizon)?;
                self.rate.take(authority.lineage(), now)?;
                (Revoked::Token { jti }, until)
            }
        };
        let revocation = Revocation { revoked, until };
        self.end(&by, &revocation).await?;
        Ok(vec![revocation])
    }

    /// Ends the tokens of the client that has this id, and of those that had it. The latter second:
    /// a client that is getting another id meanwhile is there by then, or does not get it.
    async fn end_part(
        &self,
        by: &Cause<'_>,
        id: ClientId,
        part: Part,
        force: bool,
    ) -> Result<Vec<Revocation>, ClientsError> {
        let part = match part {
            Part::Before(before) => Part::Before(past(before, by.now)?),
            part => part,
        };
        if !force && !self.is_known(&id).await? {
            return Err(ClientsError::NothingToRevoke("client"));
        }
        let mut ended = self.end_part_of(by, id.clone(), &part).await?;
        for successor in self.repository.successors(&id).await? {
            ended.extend(self.end_part_of(by, successor.id, &part).await?);
        }
        Ok(ended)
    }

    /// Whether there is a client that has this id, or had it.
    async fn is_known(&self, id: &ClientId) -> Result<bool, ClientsError> {
        Ok(self.repository.read(id).await?.is_some()
            || !self.repository.successors(id).await?.is_empty())
    }

    async fn end_part_of(
        &self,
        by: &Cause<'_>,
        client_id: ClientId,
        part: &Part,
    ) -> Result<Vec<Revocation>, ClientsError> {
        let revoked = match part {
            Part::All => return self.end_client(by, client_id).await,
            Part::Before(before) => {
                let ends = |token: &StoredRegistrationToken| token.created <= *before;
                self.end_registration_tokens(by, &client_id, ends).await?;
                Revoked::ClientBefore { client_id, before: *before }
            }
            // It may be in use again: what was obtained so far.
            Part::Of(credential) => {
                let ends = |token: &StoredRegistrationToken| token.id == *credential;
                self.end_registration_tokens(by, &client_id, ends).await?;
                Revoked::Credential { client_id, credential: credential.clone(), before: by.now }
            }
        };
        let until = self.revoker.revocations.horizon(by.now);
        let revocation = Revocation { revoked, until };
        self.end(by, &revocation).await?;
        Ok(vec![revocation])
    }

    /// Raises the epoch of a client. One that is not there, or cannot be changed, may still have tokens,
    /// of an epoch that nobody may know: those issued so far end by their date too.
    async fn end_client(
        &self,
        by: &Cause<'_>,
        client_id: ClientId,
    ) -> Result<Vec<Revocation>, ClientsError> {
        let until = self.revoker.revocations.horizon(by.now);
        for _ in 0..ATTEMPTS {
            let found = self.repository.read(&client_id).await?;
            let Some(old) = found.filter(|client| !client.is_damaged()) else {
                let epoch = self.revoker.revocations.next_epoch(&client_id, 0);
                let both = [
                    Revoked::ClientEpoch { client_id: client_id.clone(), epoch },
                    Revoked::ClientBefore { client_id, before: by.now },
                ];
                let both = both.map(|revoked| Revocation { revoked, until });
                for revocation in &both {
                    self.end(by, revocation).await?;
                }
                return Ok(both.into());
            };
            let epoch = self.revoker.revocations.next_epoch(&client_id, old.token_epoch);
            if self.raise(by, &old, epoch).await? {
                let revoked = Revoked::ClientEpoch { client_id, epoch };
                return Ok(vec![Revocation { revoked, until }]);
            }
        }
        Err(ClientsError::Raced)
    }

    async fn raise(&self, by: &Cause<'_>, old: &Client, epoch: u64) -> Result<bool, ClientsError> {
        let new = Client {
            token_epoch: epoch,
            registration_tokens: Vec::new(),
            updater: by.authority.author().actor.to_string(),
            ..old.clone()
        };
        let revoked = Revoked::ClientEpoch { client_id: old.id.clone(), epoch };
        let record = self.record(by, &revoked)?;
        Ok(self.repository.replace(old, &new, &record).await?)
    }

    /// Ends what a client is looked after with, as far as the order is about it.
    async fn end_registration_tokens(
        &self,
        by: &Cause<'_>,
        id: &ClientId,
        ends: impl Fn(&StoredRegistrationToken) -> bool + Send,
    ) -> Result<(), ClientsError> {
        for _ in 0..ATTEMPTS {
            let Some(old) = self.repository.read(id).await? else { return Ok(()) };
            let mut new =
                Client { updater: by.authority.author().actor.to_string(), ..old.clone() };
            new.registration_tokens.retain(|token| !ends(token));
            if new.registration_tokens.len() == old.registration_tokens.len() {
                return Ok(());
            }
            let (author, action) = (by.authority.author(), Action::RegistrationTokenDeleted);
            let pair = (Some(&old), Some(&new));
            let record = self.recorder.change(author, action, pair, by.now)?;
            if self.repository.replace(&old, &new, &record).await? {
                return Ok(());
            }
        }
        Err(ClientsError::Raced)
    }

    async fn end(&self, by: &Cause<'_>, revocation: &Revocation) -> Result<(), ClientsError> {
        let record = self.record(by, &revocation.revoked)?;
        let Revocation { revoked, until } = revocation.clone();
        Ok(self.revoker.revoke(revoked, until, &record).await?)
    }

    fn record(&self, by: &Cause<'_>, revoked: &Revoked) -> Result<AuditRecord, ClientsError> {
        let mut about = Map::from_iter([("revoked".to_owned(), Value::from(revoked.name()))]);
        if let Some(reason) = &by.reason {
            about.insert("reason".to_owned(), reason.as_str().into());
        }
        let author = by.authority.author();
        let record = self.recorder.record(author, Action::TokensRevoked, about, by.now)?;
        let record = AuditRecord { client_id: revoked.client_id().cloned(), ..record };
        Ok(match revoked {
            Revoked::Token { .. } => self.rate.shared(by.authority.lineage(), record),
            _ => record,
        })
    }
}

/// When a token that is said to end then is of no matter any more. Clocks differ: a little later.
fn end_of(
    exp: Option<Timestamp>,
    now: Timestamp,
    horizon: Timestamp,
) -> Result<Timestamp, ClientsError> {
    match exp {
        None => Ok(horizon),
        Some(exp) if exp <= now => {
            Err(ClientsError::Malformed("`exp` is past: the token is dead already".to_owned()))
        }
        Some(exp) => Ok((exp + RESERVE).min(horizon)),
    }
}

/// Tokens that are not issued yet cannot be revoked.
fn past(moment: Timestamp, now: Timestamp) -> Result<Timestamp, ClientsError> {
    if moment <= now {
        return Ok(moment);
    }
    Err(ClientsError::Malformed("`issued_before` must not be in the future".to_owned()))
}
