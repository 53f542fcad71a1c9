//! How clients stand, as far as their tokens are concerned, whoever changed them.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::audit::{Action, AuditRecord, Origin, Recorder};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::id::ClientId;
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::oauth::revocations::Revocations;
use crate::oauth::revoke::Revoker;
use crate::registry::Registry;

use super::{ChangeLog, Standing};

/// How many clients are looked at in one question.
const AT_ONCE: usize = 500;

/// Brings what became of clients into the list of revocations, and makes it last.
pub struct Standings {
    /// What is in force here.
    pub revocations: Arc<Revocations>,
    /// Where what vanished is written down.
    pub revoker: Arc<Revoker>,
    /// Where epochs are raised.
    pub registry: Arc<dyn Registry>,
    /// What makes records.
    pub recorder: Arc<Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Standings {
    /// For how long what happened to a client matters.
    pub(super) fn memory(&self) -> Duration {
        self.revocations.memory()
    }

    pub(super) fn revoked(&self, revocations: &[Revocation]) {
        for revocation in revocations {
            self.revocations.add(revocation);
        }
    }

    pub(super) fn see(&self, standing: &Standing) {
        let Standing { id, state, epoch, .. } = standing;
        self.revocations.see_client(id, *state, *epoch, self.clock.now());
    }

    /// A client that another tool unpublished and published again has the epoch of its old tokens.
    /// It is raised in the document, so that they stay dead when this process is gone.
    pub(super) async fn repair(&self, standings: &[Standing]) -> Result<(), StoreError> {
        for standing in standings {
            let good = self.revocations.epoch(&standing.id);
            if standing.state == State::Public && standing.epoch < good {
                self.raise(&standing.id, good).await?;
            }
        }
        Ok(())
    }

    async fn raise(&self, id: &ClientId, epoch: u64) -> Result<(), StoreError> {
        let Some(old) = self.registry.read(id).await? else { return Ok(()) };
        if old.state != State::Public || old.token_epoch >= epoch {
            return Ok(());
        }
        let mut new = old.clone();
        new.token_epoch = epoch;
        let (origin, now) = (Origin::server(), self.clock.now());
        let pair = (Some(&old), Some(&new));
        let record = self.recorder.change(&origin, Action::ClientLeft, pair, now);
        // If somebody else changed it first, it is looked at again.
        self.registry.replace(&old, &new, &record.map_err(StoreError::new)?).await.map(drop)
    }

    /// Looks for clients that left no trace: deleted, or changed under a date that was passed by.
    /// Those that are gone.
    pub(super) async fn look_again(
        &self,
        log: &dyn ChangeLog,
    ) -> Result<Vec<ClientId>, StoreError> {
        let mut gone = Vec::new();
        let in_use = self.revocations.clients_in_use();
        for batch in in_use.chunks(AT_ONCE) {
            let ids: Vec<ClientId> = batch.iter().map(|(id, _)| id.clone()).collect();
            let found = log.standings(&ids).await?;
            for standing in &found {
                self.see(standing);
            }
            self.repair(&found).await?;
            for (id, epoch) in batch {
                if found.iter().any(|standing| standing.id == *id) {
                    continue;
                }
                if self.revocations.epoch(id) <= *epoch {
                    self.end(id, epoch + 1).await?;
                }
                gone.push(id.clone());
            }
        }
        Ok(gone)
    }

    async fn end(&self, id: &ClientId, epoch: u64) -> Result<(), StoreError> {
        let now = self.clock.now();
        let record = self.gone(id, now)?;
        let revoked = Revoked::ClientEpoch { client_id: id.clone(), epoch };
        self.revoker.revoke(revoked, self.revocations.horizon(now), &record).await
    }

    fn gone(&self, id: &ClientId, now: Timestamp) -> Result<AuditRecord, StoreError> {
        let about = serde_json::Map::from_iter([("gone".to_owned(), true.into())]);
        let record = self.recorder.deed(&Origin::server(), Action::ClientLeft, about, now);
        let record = record.map_err(StoreError::new)?;
        Ok(AuditRecord { client_id: Some(id.clone()), ..record })
    }
}
