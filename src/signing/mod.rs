//! The server's own signing keys: which there are on each replica, which of them sign, and how one
//! follows another.

pub mod administration;
pub mod key_exchange;
pub mod keys;
mod make_way;
mod rotation;
pub mod succession;

use async_trait::async_trait;

use crate::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::signing_key::{PublishedKey, Rotation, SharedKeys};
use crate::domain::store_error::StoreError;

use keys::Retired;

/// Where the public halves of the signing keys are shared among replicas, and where retirements and
/// rotation requests are kept, each with its audit record in the same write.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// Everything that is shared about signing keys.
    async fn published(&self) -> Result<SharedKeys, StoreError>;

    /// Retires a key for good, durably; its record is kept with it.
    async fn retire(
        &self,
        kid: &str,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<Retired, StoreError>;

    /// Stores a rotation request and its audit record, durably. A request of the same id stays as it is.
    async fn request(&self, rotation: &Rotation, record: &AuditRecord) -> Result<(), StoreError>;

    /// Shows a key, or renews what was said of it. The date of its first publication stays, and
    /// so does its retirement.
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError>;

    /// Removes a retired key, but keeps its `kid` as a tombstone, so that it never returns.
    async fn leave_tombstone(&self, kid: &str) -> Result<(), StoreError>;

    /// Removes a key.
    async fn forget(&self, kid: &str) -> Result<(), StoreError>;

    /// Removes a rotation request.
    async fn forget_request(&self, id: &str) -> Result<(), StoreError>;
}

/// The keys that this replica signs and verifies with.
pub trait Ring: Send + Sync {
    /// The public halves of our own, the one that shall sign first.
    fn own(&self) -> Vec<OwnPublicKey>;

    /// What this replica signs with.
    fn algorithm(&self) -> Algorithm;

    /// The `kid` of the key that signs now.
    fn active_kid(&self) -> Option<String>;

    /// What the key signs with that signs now.
    fn signs_with(&self) -> Option<Algorithm>;

    /// Looks whether there are other files than before. Blocks.
    fn look_at_files(&self);

    /// Makes a key of this name, unless there is one already. Blocks.
    fn make(&self, algorithm: Algorithm, name: &str, need: Need);

    /// Takes in what is published now.
    fn update(&self, published: &[PublishedKey], now: Timestamp);
}

/// How much a new key is needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Without it no token can be signed soon: one that cannot be written to a file will do.
    Pressing,
    /// A rotation request asks for it; the old key serves until it is there.
    Requested,
}

/// The public half of a key of ours.
#[derive(Clone, Debug)]
pub struct OwnPublicKey {
    /// The key.
    pub jwk: PublicJwk,
    /// True for the key that the operator set to sign.
    pub preferred: bool,
    /// True if another platform signed with it before.
    pub imported: bool,
}
