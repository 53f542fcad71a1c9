//! How one signing key follows another.

use aws_lc_rs::digest::{SHA256, digest};

use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::jwk::Algorithm;
use crate::domain::signing_key::{KeyState, SharedKeys};
use crate::domain::store_error::StoreError;

use super::key_exchange::KeyExchange;
use super::{Need, OwnPublicKey, succession};

impl KeyExchange {
    /// Retires keys that newer ones replaced, and generates the keys that are missing. Whether
    /// anything was written.
    pub(super) async fn succeed(
        &self,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let superseded = succession::superseded(own, &shared.keys, now);
        for key in &superseded {
            self.changes.supersede(&key.jwk.kid, now).await.map_err(store_error)?;
            tracing::info!(kid = key.jwk.kid, "a signing key is retired: a newer one signs");
        }
        let signing = self.ring.algorithm();
        let requested = self.request_a_younger_key(own, shared, signing, now).await?;

        let is_usable = |key: &OwnPublicKey| {
            let there = shared.keys.iter().find(|there| there.jwk.kid == key.jwk.kid);
            key.jwk.algorithm == signing
                && there.is_some_and(|there| there.state_at(now) != KeyState::Retired)
        };
        if !own.iter().any(is_usable) {
            self.make(own, signing, Need::Pressing);
        }
        for algorithm in Algorithm::FOR_TOKENS {
            if succession::open_requests(own, shared, algorithm, signing).next().is_some() {
                self.make(own, algorithm, Need::Requested);
            }
        }
        Ok(requested || !superseded.is_empty())
    }

    /// Requests a rotation if the schedule demands one. Whether it did.
    async fn request_a_younger_key(
        &self,
        own: &[OwnPublicKey],
        shared: &SharedKeys,
        signing: Algorithm,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(oldest) = self.oldest else { return Ok(false) };
        let signer = succession::signer(own, &shared.keys, signing, now);
        let old = signer.filter(|key| key.signs_from + oldest <= now);
        let Some(old) = old.filter(|old| {
            let mut requests = shared.rotations.iter();
            !requests.any(|request| request.succeeds.as_deref() == Some(old.jwk.kid.as_str()))
                && succession::next(own, &shared.keys, signing, now).is_none()
        }) else {
            return Ok(false);
        };
        self.changes.succeed(old, now).await.map_err(store_error)?;
        Ok(true)
    }

    /// Starts to generate a key, unless one is being generated. The next exchange publishes it.
    fn make(&self, own: &[OwnPublicKey], algorithm: Algorithm, need: Need) {
        let mut making = self.memory.making.lock();
        if making.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (ring, name) = (self.ring.clone(), successor(own));
        *making = Some(tokio::task::spawn_blocking(move || ring.make(algorithm, &name, need)));
    }
}

/// The name of the key that follows these: replicas that share a folder agree on it, and no name
/// is used twice.
fn successor(own: &[OwnPublicKey]) -> String {
    let mut kids: Vec<&str> = own.iter().map(|own| own.jwk.kid.as_str()).collect();
    kids.sort_unstable();
    let digest = digest(&SHA256, kids.join("\n").as_bytes());
    digest.as_ref().iter().take(4).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

fn store_error(error: ClientsError) -> StoreError {
    match error {
        ClientsError::Store(error) => error,
        other => StoreError::new(other),
    }
}
