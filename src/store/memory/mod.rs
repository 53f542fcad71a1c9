//! A store that forgets everything: for tests.

mod audit;
mod changes;
mod clients;
mod quotas;
mod signing_keys;
mod unused;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use mongodb::bson::DateTime;
use parking_lot::{Mutex, MutexGuard};

use crate::audit::AuditRecord;
use crate::clients::{Inserted, SharedFacts, UnreadableCount, Upkeep};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;
use crate::oauth::logins::Login;
use crate::oauth::quota::Counted;

use super::unreadable::Unreadable;
use super::{Document, Export, Store, Taken, UsedAssertion, record, signing_key_record};

/// Keeps everything in maps.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    unreadable: Unreadable,
}

#[derive(Debug, Default)]
struct Tables {
    // By the order in which they came.
    clients: BTreeMap<u64, (ClientId, Document)>,
    assertions: HashMap<(ClientId, [u8; 32]), Timestamp>,
    signing_keys: BTreeMap<String, Document>,
    facts: HashMap<String, Vec<u8>>,
    revocations: BTreeMap<String, (i64, Revocation)>,
    // By their ids; true once somebody was told.
    records: BTreeMap<String, (AuditRecord, bool)>,
    leases: HashMap<String, (String, Timestamp)>,
    quotas: HashMap<(Counted, String), u64>,
    last_ms: i64,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock()
    }
}

impl Tables {
    fn document(&mut self, id: &ClientId) -> Option<&mut Document> {
        self.clients.values_mut().find(|(held, _)| held == id).map(|(_, document)| document)
    }

    /// Every change has a date of its own, as with a database whose clock goes on.
    fn tick(&mut self) -> DateTime {
        self.last_ms = DateTime::now().timestamp_millis().max(self.last_ms + 1);
        DateTime::from_millis(self.last_ms)
    }

    fn now_ms(&self) -> i64 {
        DateTime::now().timestamp_millis().max(self.last_ms)
    }

    fn note(&mut self, record: &AuditRecord) {
        self.records.entry(record.id.clone()).or_insert_with(|| (record.clone(), false));
    }

    fn put_key(&mut self, kid: &str, change: (Document, Vec<&str>), first: Document) {
        let document = match self.signing_keys.remove(kid) {
            Some(held) => signing_key_record::changed(held, change),
            None => first,
        };
        self.signing_keys.insert(kid.to_owned(), document);
    }

    fn add(&mut self, id: ClientId, document: Document) -> Inserted {
        if self.document(&id).is_some() {
            return Inserted::Duplicate;
        }
        let next = self.clients.last_key_value().map_or(0, |(last, _)| last + 1);
        self.clients.insert(next, (id, document));
        Inserted::Yes
    }
}

#[async_trait]
impl SharedFacts for MemoryStore {
    async fn agreed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().facts.get(name).cloned())
    }

    async fn agree(&self, name: &str, proposal: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut tables = self.tables();
        Ok(tables.facts.entry(name.to_owned()).or_insert_with(|| proposal.to_vec()).clone())
    }

    async fn has_checksummed_secrets(&self) -> Result<bool, StoreError> {
        let tables = self.tables();
        let mut clients = tables.clients.values().filter_map(|(_, held)| record::to_client(held));
        Ok(clients.any(|client| client.secrets.iter().any(|secret| secret.verifier.checksummed)))
    }
}

#[async_trait]
impl AssertionStore for MemoryStore {
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.tables().assertions.insert((client.clone(), jti_digest), until).is_none())
    }
}

#[async_trait]
impl Upkeep for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn write_logins(&self, logins: &[Login]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for login in logins {
            if let Some(document) = tables.document(&login.client) {
                record::set_login(document, login);
            }
        }
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let expired = tables.assertions.iter().filter(|(_, until)| **until < now);
        let expired: Vec<_> = expired.map(|(key, _)| key.clone()).take(limit).collect();
        for key in &expired {
            tables.assertions.remove(key);
        }
        let revocations = tables.revocations.len();
        tables.revocations.retain(|_, (_, revocation)| revocation.until >= now);
        Ok(expired.len() + revocations - tables.revocations.len())
    }

    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let old = tables.records.values().filter(|(record, _)| record.at < before);
        let old: Vec<_> = old.map(|(record, _)| record.id.clone()).take(limit).collect();
        for id in &old {
            tables.records.remove(id);
        }
        Ok(old.len())
    }

    fn unreadable(&self) -> UnreadableCount {
        self.unreadable.count()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn export(&self, _after: Option<&str>) -> Result<Export, StoreError> {
        let tables = self.tables();
        let documents = tables.clients.values().map(|(_, document)| document.clone()).collect();
        Ok(Export { documents, left_out: Vec::new(), next: None })
    }

    async fn import(&self, documents: Vec<Document>) -> Result<Taken, StoreError> {
        let mut tables = self.tables();
        let mut taken = Taken::default();
        for document in documents {
            let id = document.get_str(record::CLIENT_ID).ok().and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            taken.new += usize::from(tables.add(id, document) == Inserted::Yes);
        }
        Ok(taken)
    }

    async fn import_revocations(&self, revocations: Vec<Revocation>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for revocation in &revocations {
            tables.keep(revocation);
        }
        Ok(())
    }

    async fn used_assertions(
        &self,
        after: Option<&UsedAssertion>,
    ) -> Result<Vec<UsedAssertion>, StoreError> {
        let tables = self.tables();
        let mut used: Vec<_> = tables
            .assertions
            .iter()
            .map(|((client, jti_digest), until)| UsedAssertion {
                client: client.clone(),
                jti_digest: *jti_digest,
                until: *until,
            })
            .filter(|used| {
                after.is_none_or(|last| {
                    (&last.client, &last.jti_digest) < (&used.client, &used.jti_digest)
                })
            })
            .collect();
        used.sort_by(|a, b| (&a.client, &a.jti_digest).cmp(&(&b.client, &b.jti_digest)));
        Ok(used)
    }
}
