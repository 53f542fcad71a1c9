//! What runs without being asked: news from other replicas, logins written behind, sweeping.

pub mod credential_watch;
pub mod delivery;
pub mod feed;
pub mod key_exchange;
pub mod lease;
pub mod logins;
pub mod outbox;
pub mod policy_file;
pub mod quota;
pub mod rehash;
pub mod room;
pub mod standings;
pub mod succession;
pub mod sweep;
pub mod unused;

use async_trait::async_trait;

use crate::domain::audit::AuditRecord;
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::revocation::Revocation;
use crate::domain::signing_key::PublishedKey;
use crate::domain::state::State;
use crate::domain::store_error::StoreError;
use crate::domain::webhook::Message;
use crate::registry::signing_keys::SigningKeyDeeds;

/// What the tasks need of a store.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Sets the last login of each client, and the last use of the credentials. Touches neither
    /// its version nor its date of change.
    async fn write_logins(&self, logins: &[Login]) -> Result<(), StoreError>;

    /// Removes what expired before `now`, `limit` records at the most. How many were removed.
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Removes records of deeds before `before`, `limit` at the most. How many were removed.
    async fn sweep_audit(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Whether the last writes were taken: a store on a disk that is full can be read only.
    fn takes_writes(&self) -> bool {
        true
    }

    /// How much this process met there that it could not read whole.
    fn unreadable(&self) -> UnreadableCount;
}

/// How much could not be read whole; each document counts once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UnreadableCount {
    /// Clients.
    pub clients: u64,
    /// Audit records.
    pub records: u64,
}

/// What tells one replica what the others, and other tools, did.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// What was changed since `since_ms`, by anybody.
    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError>;

    /// How the clients stand that were changed since `since_ms` and have tokens that ended: those
    /// that are not `PUBLIC`, or had their epoch raised. A client whose date of change cannot be
    /// read counts as changed. Looks at up to `limit` of them, behind the place where the last page
    /// ended.
    async fn ended_since(
        &self,
        since_ms: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<StandingPage, StoreError>;

    /// How these clients stand. Of one that is gone nothing is said.
    async fn standings(&self, ids: &[ClientId]) -> Result<Vec<Standing>, StoreError>;

    /// Some revocations, behind the place where the last page ended.
    async fn revocations(&self, after: Option<&str>) -> Result<RevocationPage, StoreError>;
}

/// How the records of deeds go from where they were written with the deed to where they are read,
/// and to whoever is told of them.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Moves up to `limit` records on. How many were moved.
    async fn move_on(&self, limit: usize) -> Result<usize, StoreError>;

    /// Adds a record that belongs to no change in a document. False if it is there already.
    async fn append(&self, record: &AuditRecord) -> Result<bool, StoreError>;

    /// Up to `limit` records that nobody was told of yet, the oldest first, but none of deeds
    /// before `from`.
    async fn untold(&self, from: Timestamp, limit: usize) -> Result<Vec<AuditRecord>, StoreError>;

    /// Notes that somebody was told.
    async fn told(&self, ids: &[String]) -> Result<(), StoreError>;

    /// Takes or renews the lease of this name for `holder`, if no other holds it at `now`.
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Brings messages to whoever wants to be told.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Sends one, once.
    async fn send(&self, message: &Message) -> Result<(), Undelivered>;
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// Nobody answers, or not now.
    #[error("{0}")]
    Away(String),
    /// This one was not taken, with this HTTP status.
    #[error("it was refused with {0}")]
    Refused(u16),
}

/// Where the public halves of the signing keys are shared among replicas.
#[async_trait]
pub trait SigningKeyStore: SigningKeyDeeds {
    /// Shows a key, or renews what was said of it. The date of its first publication stays, and
    /// so does its retirement.
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError>;

    /// Takes a retired key back, but for its name: it never returns.
    async fn bury(&self, kid: &str) -> Result<(), StoreError>;

    /// Takes a key back.
    async fn forget(&self, kid: &str) -> Result<(), StoreError>;

    /// Takes a wish for new keys back.
    async fn forget_request(&self, id: &str) -> Result<(), StoreError>;
}

/// Clients kept at hand, which the feed keeps honest.
pub trait ClientCache: Send + Sync {
    /// Forgets a client: the next use reads it again.
    fn forget(&self, id: &ClientId);

    /// Forgets them all.
    fn forget_all(&self);
}

/// The keys that this replica signs and verifies with.
pub trait Ring: Send + Sync {
    /// The public halves of our own, the one that shall sign first.
    fn own(&self) -> Vec<OwnPublicKey>;

    /// What this replica signs with.
    fn algorithm(&self) -> Algorithm;

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
    /// It was wished for; the old key serves as long as there is none.
    Wished,
}

/// The last login of a client, or a use of its credentials that was none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// Whose.
    pub client: ClientId,
    /// When it got a token; `None`: it got none.
    pub at: Option<Timestamp>,
    /// Its credentials that were used, each with the last day of its use.
    pub used: Vec<(CredentialId, Timestamp)>,
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

/// How a client stands, as far as its tokens are concerned.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Standing {
    /// Which.
    pub id: ClientId,
    /// Its state.
    pub state: State,
    /// Its epoch.
    pub epoch: u64,
    /// When it was changed, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// How some clients stand.
#[derive(Clone, Debug, Default)]
pub struct StandingPage {
    /// Those that were asked for.
    pub standings: Vec<Standing>,
    /// How many clients were looked at.
    pub looked_at: usize,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}

/// What was changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Clients.
    pub clients: Vec<Standing>,
    /// Revocations that were made.
    pub revocations: Vec<Revocation>,
    /// Revocations of a kind that only a newer version knows.
    pub unknown_revocations: usize,
    /// The store's own time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Some revocations.
#[derive(Clone, Debug, Default)]
pub struct RevocationPage {
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// Those of a kind that only a newer version knows.
    pub unknown: usize,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}
