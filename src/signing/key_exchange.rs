//! The exchange of public signing keys among replicas: each publishes its own in the store, and reads
//! those of the others.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use crate::clients::SharedFacts;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::jwk::Algorithm;
use crate::domain::signing_key::{
    HASTY_LEAD, PUBLICATION_LEAD, PublishedKey, SIGNING_PROMISE, SharedKeys,
};
use crate::domain::store_error::StoreError;
use crate::revocation::list::Revocations;

use super::keys::SigningKeys;
use super::{OwnPublicKey, Ring, SigningKeyStore, succession};

/// Under this name the key that may sign at once is agreed on.
pub const FIRST_KEY: &str = "first_signing_key";

/// How long a rotation request is kept for replicas that are away.
const REQUESTS_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Publishes, looks, makes and forgets.
pub struct KeyExchange {
    /// Our keys, and what is known of the others.
    pub ring: Arc<dyn Ring>,
    /// Where public halves are shared.
    pub store: Arc<dyn SigningKeyStore>,
    /// Where the first key is agreed on.
    pub facts: Arc<dyn SharedFacts>,
    /// What retires a key that another took over from.
    pub changes: SigningKeys,
    /// Which of them were revoked.
    pub revocations: Arc<Revocations>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The longest that any token lives.
    pub longest_life: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// How old the key that signs may become; `None`: as old as it likes.
    pub oldest: Option<Duration>,
    /// What is remembered from one look to the next.
    pub memory: Memory,
}

/// What a [`KeyExchange`] remembers.
#[derive(Debug, Default)]
pub struct Memory {
    // Our own keys as they were last shown.
    shown: Mutex<Vec<PublishedKey>>,
    // The key that may sign at once, when it is agreed on.
    first: OnceLock<String>,
    // The key that is being made.
    pub(super) making: Mutex<Option<JoinHandle<()>>>,
    // One look at a time: the feed's, or that of somebody who has just changed something.
    turn: tokio::sync::Mutex<()>,
}

impl KeyExchange {
    /// Shows our keys, looks at those of the others, and takes back what nobody needs.
    pub async fn exchange(&self) -> Result<(), StoreError> {
        let _turn = self.memory.turn.lock().await;
        let now = self.clock.now();
        let ring = self.ring.clone();
        // A folder may be slow; if looking fails, that was said, and we have what we had.
        let _ = tokio::task::spawn_blocking(move || ring.look_at_files()).await;
        let own = self.ring.own();

        let mut shared = self.store.published().await?;
        let written = self.write(&own, &mut shared, now).await;
        match &written {
            Err(error) if error.is_unwritable() => sign_on(&own, &mut shared, now),
            Err(_) => return written,
            Ok(()) => {}
        }
        shared.keys.retain(|key| self.is_needed(key, now));
        self.ring.update(&shared.keys, now);
        written
    }

    /// Whether there is a key of this name, on this replica or another, or was one.
    pub async fn knows(&self, kid: &str) -> Result<bool, StoreError> {
        let is_own = self.ring.own().iter().any(|key| key.jwk.kid == kid);
        let shared = self.store.published().await?;
        Ok(is_own
            || shared.keys.iter().any(|key| key.jwk.kid == kid)
            || shared.tombstones.iter().any(|gone| gone == kid)
            || self.revocations.is_key_revoked(kid))
    }

    /// What is to be written. `shared` is then as the store has it.
    async fn write(
        &self,
        own: &[OwnPublicKey],
        shared: &mut SharedKeys,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.show(own, shared, now).await? {
            *shared = self.store.published().await?;
        }
        if self.succeed(own, shared, now).await? {
            *shared = self.store.published().await?;
        }
        self.clear_away(shared, now).await
    }

    /// Renews the promise of each of our keys when half of it is over, and shows again what is
    /// gone from the store, as if it had never been gone. Whether anything was shown.
    async fn show(
        &self,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let before = self.shown().clone();
        let (mut shown, mut wrote) = (Vec::new(), false);
        let gone =
            |kid: &String| shared.tombstones.contains(kid) || self.revocations.is_key_revoked(kid);
        for own_key in own.iter().filter(|own| !gone(&own.jwk.kid)) {
            let is_this = |key: &&PublishedKey| key.jwk.kid == own_key.jwk.kid;
            let there = shared.keys.iter().find(is_this);
            if there.is_some_and(|key| key.jwk.material != own_key.jwk.material) {
                let kid = &own_key.jwk.kid;
                let why = format!("another signing key is published under the kid `{kid}`");
                return Err(StoreError::new(why));
            }
            let known = there.or_else(|| before.iter().find(is_this));
            let wanted = match known {
                Some(known) => self.renewed(known, own, shared, now),
                None => self.fresh(own_key, own, shared, now).await?,
            };
            if there != Some(&wanted) {
                self.store.publish(&wanted).await?;
                wrote = true;
            }
            shown.push(wanted);
        }
        *self.shown() = shown;
        Ok(wrote)
    }

    /// A key of ours as it shall be shown from now on.
    fn renewed(
        &self,
        known: &PublishedKey,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        now: Timestamp,
    ) -> PublishedKey {
        let mut key = known.clone();
        if key.retired.is_some() {
            return key;
        }
        if now + SIGNING_PROMISE / 2 >= key.signs_until {
            key.signs_until = now + SIGNING_PROMISE;
        }
        if let Some(lead) = succession::corrected_lead(&key, own, &shared.keys, now) {
            let wrong = key.signs_from;
            key.signs_from = now + lead;
            key.signs_until = now + SIGNING_PROMISE;
            key.published = key.published.min(key.signs_from);
            tracing::warn!(
                kid = key.jwk.kid,
                instead_of = wrong.for_people(),
                signs_from = key.signs_from.for_people(),
                "a signing key has dates of a clock that was ahead; they are corrected"
            );
        }
        let algorithm = key.jwk.algorithm;
        let next = succession::next(own, &shared.keys, algorithm, now);
        let is_next = next.is_some_and(|next| next.jwk.kid == key.jwk.kid);
        if is_next && self.is_pressing(own, shared, algorithm, now) {
            key.signs_from = key.signs_from.min(now + HASTY_LEAD);
        }
        key
    }

    /// A key of ours that was never shown.
    async fn fresh(
        &self,
        key: &OwnPublicKey,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        now: Timestamp,
    ) -> Result<PublishedKey, StoreError> {
        let algorithm = key.jwk.algorithm;
        let requests = succession::open_requests(own, shared, algorithm, self.ring.algorithm());
        let (mut published, mut hasty) = (now, self.is_pressing(own, shared, algorithm, now));
        for request in requests {
            // Else it would not count as fulfilled.
            published = published.max(request.at + Duration::from_secs(1));
            hasty |= request.hasty;
        }
        let alone = shared.keys.iter().all(|other| now <= other.published);
        let lead = if alone && self.first(own).await? == key.jwk.kid {
            Duration::ZERO // nobody can have cached a key set before it
        } else if hasty {
            HASTY_LEAD
        } else {
            PUBLICATION_LEAD
        };
        Ok(PublishedKey {
            jwk: key.jwk.clone(),
            published,
            signs_from: published + lead,
            signs_until: now + SIGNING_PROMISE,
            imported: key.imported.then_some(now),
            retired: None,
        })
    }

    /// Whether this replica signs with this algorithm, or did with a key that was revoked, and none
    /// of its keys may any more.
    fn is_pressing(
        &self,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> bool {
        let revoked = |own: &OwnPublicKey| {
            own.jwk.algorithm == algorithm && self.revocations.is_key_revoked(&own.jwk.kid)
        };
        (self.ring.signs_with() == Some(algorithm) || own.iter().any(revoked))
            && succession::signer(own, &shared.keys, algorithm, now).is_none()
    }

    async fn clear_away(&self, shared: &SharedKeys, now: Timestamp) -> Result<(), StoreError> {
        for gone in shared.keys.iter().filter(|key| !self.is_needed(key, now)) {
            match gone.retired {
                Some(_) => self.store.leave_tombstone(&gone.jwk.kid).await?,
                None => self.store.forget(&gone.jwk.kid).await?,
            }
        }
        for old in shared.rotations.iter().filter(|request| request.at + REQUESTS_KEPT <= now) {
            self.store.forget_request(&old.id).await?;
        }
        Ok(())
    }

    fn shown(&self) -> MutexGuard<'_, Vec<PublishedKey>> {
        self.memory.shown.lock()
    }

    /// Of all replicas that start on an empty store, the first one's key may sign at once.
    async fn first(&self, own: &[OwnPublicKey]) -> Result<&str, StoreError> {
        if let Some(first) = self.memory.first.get() {
            return Ok(first);
        }
        let proposal = own.first().map(|own| own.jwk.kid.as_str()).unwrap_or_default();
        let agreed = self.facts.agree(FIRST_KEY, proposal.as_bytes()).await?;
        Ok(self.memory.first.get_or_init(|| String::from_utf8_lossy(&agreed).into_owned()))
    }

    /// A key that was revoked is for nobody: not to be shown, not to verify and not to sign with.
    fn is_needed(&self, key: &PublishedKey, now: Timestamp) -> bool {
        key.is_needed_at(now, self.longest_life, self.skew)
            && !self.revocations.is_key_revoked(&key.jwk.kid)
    }
}

/// On a disk that is full our keys go on: nobody else reads there until when they were to sign.
fn sign_on(own: &[OwnPublicKey], shared: &mut SharedKeys, now: Timestamp) {
    for key in shared.keys.iter_mut().filter(|key| key.retired.is_none()) {
        if own.iter().any(|own| own.jwk.kid == key.jwk.kid) {
            key.signs_until = key.signs_until.max(now + SIGNING_PROMISE);
        }
    }
}
