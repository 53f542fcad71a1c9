//! Slow hashes, few at a time.
//!
//! They take about 12 ms and 19 MiB each, on purpose. All of them, and other work that callers ask
//! for and that takes a while, go through one bounded queue, so
//! that nobody can make this server do nothing else; when the queue is full the caller is told to
//! come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::entropy::{Entropy, NoEntropy};
use crate::domain::secret::{ClientSecret, SecretHash};

/// The queue for slow hashes.
#[derive(Clone, Debug)]
pub struct SlowHashes {
    permits: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most_inside: usize,
}

/// The queue is full, or the process is ending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many secrets and keys are being checked")]
pub struct Busy;

/// Somebody's turn to compute. Kept until the computation has ended, also if whoever asked for it
/// has gone away: a computation cannot be stopped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

impl SlowHashes {
    /// `at_once` are computed at the same time, `waiting` more may wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(at_once)),
            inside: Arc::default(),
            most_inside: at_once + waiting,
        }
    }

    /// Half of the cores at once, so that the others go on serving; 64 may wait.
    #[must_use]
    pub fn for_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores.div_ceil(2), 64)
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Result<Turn, Busy> {
        let place = Place::take(&self.inside, self.most_inside).ok_or(Busy)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn { _permit: permit, _place: place })
    }

    /// Whether the presented secret has this hash.
    pub async fn matches(&self, hash: &SecretHash, presented: &ClientSecret) -> Result<bool, Busy> {
        self.turn().await?.matches(hash, presented).await
    }

    /// The hash of a secret.
    pub async fn hash(
        &self,
        secret: &ClientSecret,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Result<SecretHash, NoEntropy>, Busy> {
        let (secret, entropy) = (secret.clone(), entropy.clone());
        self.turn().await?.run(move || SecretHash::of(&secret, &*entropy)).await
    }
}

impl Turn {
    /// Whether the presented secret has this hash.
    pub async fn matches(self, hash: &SecretHash, presented: &ClientSecret) -> Result<bool, Busy> {
        let (hash, presented) = (hash.clone(), presented.clone());
        self.run(move || hash.matches(&presented)).await
    }

    /// Does work that takes as long as a slow hash, on another thread than those that serve requests.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let work = move || {
            let done = work();
            drop(self);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

/// A place in the queue, given back when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(inside: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = inside.fetch_add(1, Ordering::Relaxed);
        let place = Self(inside.clone());
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_and_empties_again() {
        let hashes = SlowHashes::new(1, 1);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = hashes.turn().await.unwrap();
        let mut first = Box::pin(first.run(move || wait.recv()));
        assert!(futures_util::poll!(&mut first).is_pending(), "it is computed");
        let mut second = Box::pin(hashes.turn());
        assert!(futures_util::poll!(&mut second).is_pending(), "it waits");
        assert!(hashes.turn().await.is_err(), "there is no more room");

        drop(first); // its caller went away, but it is computed all the same
        assert!(futures_util::poll!(&mut second).is_pending(), "it still waits");
        assert!(hashes.turn().await.is_err(), "there is still no room");
        go.send(()).unwrap();
        drop(second.await.unwrap());
        assert!(hashes.turn().await.is_ok());
    }
}
