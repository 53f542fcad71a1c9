//! A store that forgets everything: for tests.

mod audit;
mod changes;
mod quotas;
mod unused;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mongodb::bson::DateTime;

use crate::domain::audit::AuditRecord;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::revocation::Revocation;
use crate::domain::signing_key::{PublishedKey, Rotation, SharedKeys};
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionStore;
use crate::registry::signing_keys::{Retired, SigningKeyDeeds};
use crate::registry::{Cursor, Inserted, ListQuery, Page, Registry, SharedFacts};
use crate::tasks::quota::Counted;
use crate::tasks::{Login, SigningKeyStore, Upkeep};

use super::{Document, Export, Store, UsedAssertion, record, signing_key_record};

/// Keeps everything in maps.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
impl Registry for MemoryStore {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        let mut tables = self.tables();
        let mut document = record::to_document(client);
        document.insert(record::VERSION, 1_i64);
        document.insert(record::UPDATED_AT, tables.tick());
        let inserted = tables.add(client.id.clone(), document);
        if inserted == Inserted::Yes {
            tables.note(record);
        }
        Ok(inserted)
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        Ok(self.tables().document(id).and_then(|document| record::to_client(document)))
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let now = tables.tick();
        let Some(document) = tables.document(&old.id) else { return Ok(false) };
        if record::revision(document) != old.revision {
            return Ok(false);
        }
        let change = record::Change::between(old, new);
        document.extend(change.set);
        document.insert(record::UPDATED_AT, now);
        for name in change.unset {
            document.remove(name);
        }
        tables.note(record);
        Ok(true)
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let is_it = |document: &Document| record::revision(document) == old.revision;
        if !tables.document(&old.id).is_some_and(|document| is_it(document)) {
            return Ok(false);
        }
        tables.clients.retain(|_, (held, _)| *held != old.id);
        tables.note(record);
        Ok(true)
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        let start = query.after.as_ref().map(|cursor| cursor.0.parse::<u64>()).transpose();
        let Ok(start) = start else { return Ok(None) };
        let tables = self.tables();
        let after = tables.clients.range(start.map_or(0, |last| last.saturating_add(1))..);
        let mut found = after.take(query.limit + 1).peekable();
        let (mut clients, mut last) = (Vec::new(), None);
        while clients.len() < query.limit {
            let Some((place, (_, document))) = found.next() else { break };
            clients.extend(record::to_client(document));
            last = Some(Cursor(place.to_string()));
        }
        Ok(Some(Page { next: last.filter(|_| found.peek().is_some()), clients }))
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let clients = tables.clients.values().filter_map(|(_, held)| record::to_client(held));
        Ok(clients.filter(|client| client.permissions.contains(permission)).collect())
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let documents = tables.clients.values().map(|(_, document)| document);
        let holders =
            documents.filter_map(|document| record::key_holder(document, thumbprints)).take(most);
        Ok(holders.collect())
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
        Ok(clients.any(|client| client.secrets.iter().any(|secret| secret.checksummed)))
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
impl SigningKeyStore for MemoryStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let first = signing_key_record::to_document(key);
        self.tables().put_key(&key.jwk.kid, signing_key_record::renewal(key), first);
        Ok(())
    }

    async fn bury(&self, kid: &str) -> Result<(), StoreError> {
        let remains = signing_key_record::remains(kid);
        let buried = (remains.clone(), signing_key_record::LIVING.to_vec());
        self.tables().put_key(kid, buried, remains);
        Ok(())
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        self.tables().signing_keys.remove(kid);
        Ok(())
    }

    async fn forget_request(&self, id: &str) -> Result<(), StoreError> {
        self.tables().signing_keys.remove(&signing_key_record::rotation_name(id));
        Ok(())
    }
}

#[async_trait]
impl SigningKeyDeeds for MemoryStore {
    async fn published(&self) -> Result<SharedKeys, StoreError> {
        let tables = self.tables();
        let named = tables.signing_keys.iter().map(|(name, held)| (name.as_str(), held));
        Ok(signing_key_record::to_shared_keys(named))
    }

    async fn retire(
        &self,
        kid: &str,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<Retired, StoreError> {
        let mut tables = self.tables();
        let Some(held) = tables.signing_keys.get_mut(kid) else { return Ok(Retired::Unknown) };
        let ended = [signing_key_record::RETIRED_AT, signing_key_record::BURIED];
        if ended.iter().any(|name| held.contains_key(name)) {
            return Ok(Retired::Before);
        }
        held.extend(signing_key_record::retirement(at));
        tables.note(record);
        Ok(Retired::Now)
    }

    async fn request(&self, rotation: &Rotation, record: &AuditRecord) -> Result<(), StoreError> {
        let (name, document) = signing_key_record::rotation_document(rotation);
        let mut tables = self.tables();
        if let Entry::Vacant(place) = tables.signing_keys.entry(name) {
            place.insert(document);
            tables.note(record);
        }
        Ok(())
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
}

#[async_trait]
impl Store for MemoryStore {
    async fn export(&self, _after: Option<&str>) -> Result<Export, StoreError> {
        let tables = self.tables();
        let documents = tables.clients.values().map(|(_, document)| document.clone()).collect();
        Ok(Export { documents, next: None })
    }

    async fn import(&self, documents: Vec<Document>) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let mut taken = 0;
        for document in documents {
            let id = document.get_str(record::CLIENT_ID).ok().and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            taken += usize::from(tables.add(id, document) == Inserted::Yes);
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
