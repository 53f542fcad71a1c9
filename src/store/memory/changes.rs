//! What changed, and what was revoked.

use std::collections::btree_map::Entry;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::replication::{ChangeLog, Changes, ClientStatus, ClientStatusPage, RevocationPage};
use crate::revocation::RevocationStore;
use crate::store::{audit, record};

use super::{MemoryStore, Tables};

impl Tables {
    fn statuses(&self) -> impl Iterator<Item = ClientStatus> {
        self.clients.values().filter_map(|(_, document)| record::to_status(document))
    }

    /// Keeps a revocation; false if it is there already, and then for as long as the longer of the
    /// two.
    pub(super) fn keep(&mut self, revocation: &Revocation) -> bool {
        let made_ms = self.tick().timestamp_millis();
        match self.revocations.entry(revocation.revoked.name()) {
            Entry::Occupied(mut kept) => {
                let (seen_ms, held) = kept.get_mut();
                if held.until < revocation.until {
                    (*seen_ms, held.until) = (made_ms, revocation.until);
                }
                false
            }
            Entry::Vacant(place) => {
                place.insert((made_ms, revocation.clone()));
                true
            }
        }
    }
}

#[async_trait]
impl ChangeLog for MemoryStore {
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        let tables = self.tables();
        let made = tables.revocations.values().filter(|(made_ms, _)| *made_ms >= since_ms);
        Ok(Changes {
            clients: tables.statuses().filter(|it| it.updated_at_ms >= since_ms).collect(),
            revocations: made.map(|(_, revocation)| revocation.clone()).collect(),
            unknown_revocations: 0,
            now_ms: tables.now_ms(),
        })
    }

    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let tables = self.tables();
        let done: usize = after.and_then(|after| after.parse().ok()).unwrap_or_default();
        let changed = tables.statuses().filter(|it| it.updated_at_ms >= since_ms);
        let page: Vec<ClientStatus> = changed.skip(done).take(limit).collect();
        let looked_at = page.len();
        let next = (looked_at == limit).then(|| (done + looked_at).to_string());
        let ended = |it: &ClientStatus| it.state != State::Public || it.epoch > 0;
        let statuses = page.into_iter().filter(ended).collect();
        Ok(ClientStatusPage { statuses, looked_at, next })
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        Ok(self.tables().statuses().filter(|it| ids.contains(&it.id)).collect())
    }

    async fn revocations(&self, _after: Option<&str>) -> Result<RevocationPage, StoreError> {
        let tables = self.tables();
        let revocations = tables.revocations.values().map(|(_, held)| held.clone()).collect();
        Ok(RevocationPage { revocations, unknown: 0, next: None })
    }
}

#[async_trait]
impl RevocationStore for MemoryStore {
    async fn revoke(
        &self,
        revocation: &Revocation,
        record: &AuditRecord,
    ) -> Result<(), StoreError> {
        audit::to_text(record)?;
        let mut tables = self.tables();
        if tables.keep(revocation) {
            tables.note(record);
        }
        Ok(())
    }
}
