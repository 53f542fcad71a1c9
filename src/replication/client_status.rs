//! Applies what changed in the status of clients to the revocations, whoever changed it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::audit::{Action, AuditRecord, Author, Recorder};
use crate::clients::ClientRepository;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::ClientId;
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::revocation::list::Revocations;
use crate::revocation::revoker::Revoker;

use super::{ChangeLog, ClientStatus};

/// How many clients are looked at in one question.
const AT_ONCE: usize = 500;

/// Brings what became of clients into the list of revocations, and makes it last.
pub struct ClientStatuses {
    /// What is in force here.
    pub revocations: Arc<Revocations>,
    /// Where what vanished is written down.
    pub revoker: Arc<Revoker>,
    /// Where epochs are raised.
    pub repository: Arc<dyn ClientRepository>,
    /// What makes records.
    pub recorder: Arc<Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether other tools write to the store: what we do ourselves is settled when it is done.
    pub shared: bool,
    /// What was made to last, and what is still to be.
    pub settling: Mutex<Settling>,
}

/// What was made to last, and what is still to be.
#[derive(Debug, Default)]
pub struct Settling {
    waiting: HashMap<ClientId, ClientStatus>,
    // The epochs below which the tokens of clients that left have ended in the store too.
    ended: HashMap<ClientId, u64>,
}

impl Settling {
    fn has_ended(&self, id: &ClientId, epoch: u64) -> bool {
        self.ended.get(id).is_some_and(|first_good| epoch < *first_good)
    }
}

impl ClientStatuses {
    /// For how long what happened to a client matters.
    pub(super) fn memory(&self) -> Duration {
        self.revocations.memory()
    }

    pub(super) fn revoked(&self, revocations: &[Revocation]) {
        for revocation in revocations {
            self.revocations.add(revocation);
        }
    }

    pub(super) fn see(&self, status: &ClientStatus) {
        let ClientStatus { id, state, epoch, .. } = status;
        self.revocations.see_client(id, *state, *epoch, self.clock.now());
        if self.shared {
            let settled = self.is_settled(status);
            let mut settling = self.settling();
            if settled {
                settling.waiting.remove(id);
            } else {
                settling.waiting.insert(id.clone(), status.clone());
            }
        }
    }

    /// Whether its tokens that ended stay so when this process is gone.
    fn is_settled(&self, status: &ClientStatus) -> bool {
        let ClientStatus { id, state, epoch, .. } = status;
        match state {
            State::Public => *epoch >= self.revocations.epoch(id),
            State::Deleted | State::Draft | State::Trash => {
                self.settling().has_ended(id, *epoch)
                    || self.revocations.epoch_in_use(id).is_none_or(|in_use| in_use < *epoch)
            }
        }
    }

    /// Makes what was seen last. What fails is tried again, and keeps no news waiting.
    pub(super) async fn settle(&self) {
        let all: Vec<ClientStatus> =
            self.settling().waiting.values().take(AT_ONCE).cloned().collect();
        for status in all {
            match self.settle_one(&status).await {
                // Unless it has been seen again meanwhile.
                Ok(()) => {
                    let mut settling = self.settling();
                    if settling.waiting.get(&status.id) == Some(&status) {
                        settling.waiting.remove(&status.id);
                    }
                }
                Err(error) => {
                    tracing::warn!(client_id = %status.id, %error, "cannot store the end of a client's tokens; trying again");
                }
            }
        }
    }

    /// A client that another tool unpublished gets a revocation, because it may be published again
    /// while nobody looks. One that is published again has the epoch of its old tokens: that is
    /// raised in the document.
    async fn settle_one(&self, status: &ClientStatus) -> Result<(), StoreError> {
        match status.state {
            State::Public => self.raise(&status.id, self.revocations.epoch(&status.id)).await,
            State::Deleted | State::Draft | State::Trash => {
                let in_use = self.revocations.epoch_in_use(&status.id).unwrap_or_default();
                let first_good = status.epoch.max(in_use) + 1;
                self.end(&status.id, first_good, status.state).await
            }
        }
    }

    async fn raise(&self, id: &ClientId, epoch: u64) -> Result<(), StoreError> {
        let Some(old) = self.repository.read(id).await? else { return Ok(()) };
        if old.state != State::Public || old.token_epoch >= epoch {
            return Ok(());
        }
        let mut new = old.clone();
        new.token_epoch = epoch;
        new.registration_tokens.clear();
        let (author, now) = (Author::server(), self.clock.now());
        let pair = (Some(&old), Some(&new));
        let record = self.recorder.change(&author, Action::ClientLeft, pair, now);
        // If somebody else changed it first, it is looked at again.
        self.repository.replace(&old, &new, &record.map_err(StoreError::new)?).await.map(drop)
    }

    /// Looks for clients that left no trace: deleted, or changed under a date that was passed by.
    /// Those that are gone.
    pub(super) async fn look_again(
        &self,
        log: &dyn ChangeLog,
    ) -> Result<Vec<ClientId>, StoreError> {
        let mut gone = Vec::new();
        let in_use = self.revocations.clients_in_use();
        self.settling().ended.retain(|id, _| self.revocations.epoch_in_use(id).is_some());
        for batch in in_use.chunks(AT_ONCE) {
            let ids: Vec<ClientId> = batch.iter().map(|(id, _)| id.clone()).collect();
            let found = log.statuses(&ids).await?;
            for status in &found {
                self.see(status);
            }
            for (id, epoch) in batch {
                if found.iter().any(|status| status.id == *id) {
                    continue;
                }
                if !self.settling().has_ended(id, *epoch) {
                    self.end(id, epoch + 1, State::Deleted).await?;
                }
                gone.push(id.clone());
            }
        }
        Ok(gone)
    }

    async fn end(&self, id: &ClientId, epoch: u64, state: State) -> Result<(), StoreError> {
        let now = self.clock.now();
        let record = self.left(id, state, now)?;
        let revoked = Revoked::ClientEpoch { client_id: id.clone(), epoch };
        self.revoker.revoke(revoked, self.revocations.horizon(now), &record).await?;
        self.settling().ended.insert(id.clone(), epoch);
        Ok(())
    }

    fn left(&self, id: &ClientId, state: State, now: Timestamp) -> Result<AuditRecord, StoreError> {
        let state = serde_json::to_value(state).map_err(StoreError::new)?;
        let about = serde_json::Map::from_iter([("__STATE__".to_owned(), state)]);
        let record = self.recorder.record(&Author::server(), Action::ClientLeft, about, now);
        let record = record.map_err(StoreError::new)?;
        Ok(AuditRecord { client_id: Some(id.clone()), ..record })
    }

    fn settling(&self) -> MutexGuard<'_, Settling> {
        self.settling.lock()
    }
}
