//! Keys that clients publish at a `jwks_uri`: fetched, judged and remembered. Behind a port
//! of [`crate::oauth`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::domain::clock::Timestamp;
use crate::domain::jwks_uri::{AdmittedHost, JwksUri, KeysUnavailable};
use crate::domain::submitted_jwk::SubmittedJwk;
use crate::oauth::RemoteKeys;

use super::download::{Reach, download};
use super::entry::{Entry, Look};
use super::key_set;

/// How many are remembered; each takes 64 KiB at the very most, and seldom more than 2.
const REMEMBERED: usize = 2048;
/// How many are fetched at once.
const AT_ONCE: usize = 32;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// The key sets of clients, as far as they are known.
pub struct RemoteKeySets {
    admitted: Vec<AdmittedHost>,
    entries: Cache<JwksUri, Arc<Entry>>,
    turns: Arc<Semaphore>,
}

impl RemoteKeySets {
    /// Knows none yet. Hosts that are `admitted` may be at whatever address, and without TLS.
    #[must_use]
    pub fn new(admitted: Vec<AdmittedHost>) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { admitted, entries: Cache::new(REMEMBERED), turns }
    }

    async fn keys(
        &self,
        uri: &JwksUri,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<[SubmittedJwk]>, KeysUnavailable> {
        let reach = self.reach(uri)?;
        let entry = self.entries.get_or_insert_with(uri, || Ok(Arc::default()))?;
        if let Some(known) = settled(entry.look(kid, now)) {
            return known;
        }
        let flight = entry.flight.clone().lock_owned().await;
        // Whoever fetched it meanwhile may have found what we need, or that it cannot be had.
        if let Some(known) = settled(entry.look(kid, now)) {
            return known;
        }
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            tracing::warn!(host = uri.url().host_str(), "too many key sets are being fetched");
            return entry.last_known(now);
        };
        let (fetched, uri) = (entry.clone(), uri.clone());
        // In a task of its own: a caller that hangs up must not make it begin over and over.
        let fetch = tokio::spawn(async move {
            fetch(&fetched, &uri, reach, turn, now).await;
            drop(flight);
        });
        // If it did not end well there is nothing new to see.
        let _ = fetch.await;
        settled(entry.look(None, now)).unwrap_or_else(|| entry.last_known(now))
    }

    fn reach(&self, uri: &JwksUri) -> Result<Reach, KeysUnavailable> {
        match self.admitted.iter().any(|host| host.admits(uri)) {
            true => Ok(Reach::Anywhere),
            false if uri.is_https() => Ok(Reach::PublicOnly),
            false => Err(KeysUnavailable::NotHttps),
        }
    }
}

fn settled(look: Look) -> Option<Result<Arc<[SubmittedJwk]>, KeysUnavailable>> {
    match look {
        Look::Fetch => None,
        Look::Keys(keys) => Some(Ok(keys)),
        Look::Unavailable(why) => Some(Err(why)),
    }
}

async fn fetch(
    entry: &Entry,
    uri: &JwksUri,
    reach: Reach,
    turn: tokio::sync::OwnedSemaphorePermit,
    now: Timestamp,
) {
    let host = uri.url().host_str();
    let downloaded = match download(uri, reach, turn).await {
        Ok(downloaded) => downloaded,
        Err(error) => {
            let cause = std::error::Error::source(&error);
            tracing::warn!(host, reason = %error, ?cause, "key set not fetched");
            return entry.failed(&KeysUnavailable::Unreachable, now);
        }
    };
    match key_set::keys(&downloaded.body) {
        Ok(keys) => {
            tracing::debug!(host, keys = keys.len(), "key set fetched");
            entry.succeeded(keys, downloaded.freshness, now);
        }
        Err(why) => {
            tracing::warn!(host, reason = %why, "key set not usable");
            entry.failed(&why, now);
        }
    }
}

#[async_trait]
impl RemoteKeys for RemoteKeySets {
    async fn key_set(
        &self,
        uri: &JwksUri,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<[SubmittedJwk]>, KeysUnavailable> {
        self.keys(uri, kid, now).await
    }
}
