//! What changed, and what was revoked.

use std::collections::btree_map::Entry;
use std::ops::Bound;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::replication::{ChangeLog, ClientStatus, ClientStatusPage, RevocationPage};
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
    async fn now_ms(&self) -> Result<i64, StoreError> {
        Ok(self.tables().now_ms())
    }

    async fn changed_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let tables = self.tables();
        let done: usize = after.and_then(|after| after.parse().ok()).unwrap_or_default();
        let changed = tables.statuses().filter(|it| it.updated_at_ms >= since_ms);
        let statuses: Vec<ClientStatus> = changed.skip(done).take(limit).collect();
        let looked_at = statuses.len();
        let next = (looked_at == limit).then(|| (done + looked_at).to_string());
        Ok(ClientStatusPage { statuses, looked_at, next })
    }

    async fn statuses(&self, ids: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        Ok(self.tables().statuses().filter(|it| ids.contains(&it.id)).collect())
    }

    async fn revocations(
        &self,
        since_ms: Option<i64>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RevocationPage, StoreError> {
        let tables = self.tables();
        let since_ms = since_ms.unwrap_or(i64::MIN);
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let made = tables.revocations.range::<str, _>(behind);
        let made = made.filter(|(_, (made_ms, _))| *made_ms >= since_ms).take(limit);
        let (names, revocations): (Vec<&String>, Vec<Revocation>) =
            made.map(|(name, (_, revocation))| (name, revocation.clone())).unzip();
        let next = names.last().filter(|_| names.len() == limit).map(|name| (*name).clone());
        Ok(RevocationPage { revocations, unknown: 0, next })
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
