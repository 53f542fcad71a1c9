//! Signing keys.

use std::collections::btree_map::Entry;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::signing_key::{PublishedKey, Rotation, SharedKeys};
use crate::domain::store_error::StoreError;
use crate::signing::SigningKeyStore;
use crate::signing::keys::Retired;
use crate::store::{audit, signing_key_record};

use super::MemoryStore;

#[async_trait]
impl SigningKeyStore for MemoryStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let first = signing_key_record::to_document(key);
        self.tables().put_key(&key.jwk.kid, signing_key_record::renewal(key), first);
        Ok(())
    }

    async fn leave_tombstone(&self, kid: &str) -> Result<(), StoreError> {
        let remains = signing_key_record::remains(kid);
        let change = (remains.clone(), signing_key_record::LIVING.to_vec());
        self.tables().put_key(kid, change, remains);
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
        audit::to_text(record)?;
        let mut tables = self.tables();
        let Some(held) = tables.signing_keys.get_mut(kid) else { return Ok(Retired::Unknown) };
        let ended = [signing_key_record::RETIRED_AT, signing_key_record::TOMBSTONE];
        if ended.iter().any(|name| held.contains_key(name)) {
            return Ok(Retired::Before);
        }
        held.extend(signing_key_record::retirement(at));
        tables.note(record);
        Ok(Retired::Now)
    }

    async fn request(&self, rotation: &Rotation, record: &AuditRecord) -> Result<(), StoreError> {
        audit::to_text(record)?;
        let (name, document) = signing_key_record::rotation_document(rotation);
        let mut tables = self.tables();
        if let Entry::Vacant(place) = tables.signing_keys.entry(name) {
            place.insert(document);
            tables.note(record);
        }
        Ok(())
    }
}
