//! Slow hashes, as many at a time as there are cores.
//!
//! They take about 12 ms and 19 MiB each, on purpose; imported ones up to a second, or 256 MiB. They,
//! and other slow work that callers can cause, go through bounded queues, so that a flood cannot
//! occupy the whole server; when a queue is too long the caller is told when to come back. A secret
//! that this server made has a light hash, which is computed at once.

mod lanes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::secret::ClientSecret;
use crate::domain::secret_hash::{Profile, SecretHash};
use crate::random::NoEntropy;

use lanes::Lanes;

/// The longest wait of callers whose secret is likely to be right, or that hold a token.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A queue for slow hashes. Several may lead to the same threads: each gets its share of them.
#[derive(Clone, Debug)]
pub struct SlowHashes {
    lanes: Arc<Lanes>,
    /// Who may be among those that the threads are shared between.
    ahead: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    patience: Duration,
}

/// The queue is too long, or the process is ending.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the queue of slow hashes is full")]
pub struct Busy {
    /// When it is worth trying again.
    pub wait: Duration,
}

impl Default for Busy {
    fn default() -> Self {
        Self { wait: Duration::from_secs(1) }
    }
}

impl SlowHashes {
    /// `at_once` are computed at the same time; a caller that would wait longer than `patience` is
    /// refused.
    #[must_use]
    pub fn new(at_once: usize, patience: Duration) -> Self {
        Self::before(Arc::new(Lanes::new(at_once)), patience)
    }

    /// As many at once as this machine bears beside its other work.
    #[must_use]
    pub fn for_this_machine() -> Self {
        Self::new(Lanes::of_this_machine(), PATIENCE)
    }

    /// Another queue before the same threads. However long the one is, it keeps nobody in the other
    /// waiting for more than a few hashes.
    #[must_use]
    pub fn beside(&self, patience: Duration) -> Self {
        Self::before(self.lanes.clone(), patience)
    }

    fn before(lanes: Arc<Lanes>, patience: Duration) -> Self {
        let ahead = Arc::new(Semaphore::new(lanes.count));
        Self { ahead, inside: lanes.queue(), lanes, patience }
    }

    /// Waits for a place among those that are computed next.
    pub async fn turn(&self) -> Result<Turn, Busy> {
        let (place, before) = Place::take(&self.inside);
        let wait = self.lanes.wait(&self.inside, before);
        if wait > self.patience {
            return Err(Busy { wait });
        }
        let turn = self.ahead.clone().acquire_owned();
        let ahead = tokio::time::timeout(self.patience, turn).await.map_err(|_| Busy { wait })?;
        let ahead = ahead.map_err(|_| Busy::default())?;
        Ok(Turn { lanes: self.lanes.clone(), held: (ahead, place) })
    }

    /// Whether the presented secret has this hash.
    pub async fn matches(&self, hash: &SecretHash, presented: &ClientSecret) -> Result<bool, Busy> {
        match hash.is_light() {
            true => Ok(hash.matches(presented)),
            false => self.turn().await?.matches(hash, presented).await,
        }
    }

    /// The hash of a secret.
    pub async fn hash(
        &self,
        secret: &ClientSecret,
        profile: Profile,
    ) -> Result<Result<SecretHash, NoEntropy>, Busy> {
        let secret = secret.clone();
        let hash = move || SecretHash::of(&secret, profile);
        match profile {
            Profile::Light => Ok(hash()),
            Profile::Slow => self.turn().await?.run(hash).await,
        }
    }
}

/// A caller's turn to compute. Kept until the computation has ended, even if the caller has gone
/// away: a computation cannot be stopped.
#[derive(Debug)]
pub struct Turn {
    lanes: Arc<Lanes>,
    held: (OwnedSemaphorePermit, Place),
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
        let Self { lanes, held } = self;
        let work = move || {
            let done = work();
            drop(held);
            done
        };
        lanes.run(work).await
    }
}

/// A place in the queue, given back when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    /// A place, and how many were there before it.
    fn take(inside: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = inside.fetch_add(1, Ordering::Relaxed);
        (Self(inside.clone()), before)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_queue_that_is_too_long_refuses_and_empties_again() {
        let hashes = SlowHashes::new(1, PATIENCE);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = hashes.turn().await.unwrap();
        let mut first = Box::pin(first.run(move || wait.recv()));
        assert!(futures_util::poll!(&mut first).is_pending(), "it is computed");

        let mut waiting = Vec::new();
        let refused = loop {
            let mut turn = Box::pin(hashes.turn());
            match futures_util::poll!(&mut turn) {
                std::task::Poll::Pending => waiting.push(turn),
                std::task::Poll::Ready(turn) => break turn.unwrap_err(),
            }
        };
        assert!(refused.wait > PATIENCE, "it says how long it would be: {refused:?}");
        assert!(waiting.len() > 10, "{}", waiting.len());
        let other = hashes.beside(PATIENCE);
        let other = other.turn().now_or_never().expect("nobody waits there");

        drop((first, other)); // its caller went away, but it is computed all the same
        assert!(hashes.turn().await.is_err(), "there is still no room");
        go.send(()).unwrap();
        let second = waiting.remove(0).await.unwrap();
        drop(second);
        drop(waiting);
        assert!(hashes.turn().await.is_ok());
    }

    /// With one thread, and as long as nothing was measured.
    #[tokio::test]
    async fn a_wait_counts_the_other_queues_before_the_same_threads() {
        let ours = SlowHashes::new(1, PATIENCE);
        let (second, third) = (ours.beside(PATIENCE), ours.beside(PATIENCE));
        let hash = ours.lanes.wait(&third.inside, 1);
        assert!(hash > Duration::ZERO);
        #[rustfmt::skip]
        let cases = [
            // why                                      ours second before hashes
            ("nobody is there",                         0,   0,     0,     0),
            ("one in another queue",                    1,   0,     0,     1),
            ("one in each of two",                      1,   1,     0,     2),
            ("the other queue is long: turns are taken", 9,  0,     0,     1),
            ("turns are taken with each before it",     9,   0,     3,     7),
            ("the other queue is the shorter",          2,   0,     3,     5),
            ("both others are long",                    9,   9,     3,     11),
        ];
        for (why, in_ours, in_second, before, hashes) in cases {
            let places = |queue: &SlowHashes, count: usize| -> Vec<Place> {
                (0..count).map(|_| Place::take(&queue.inside).0).collect()
            };
            let _held = (places(&ours, in_ours), places(&second, in_second));
            assert_eq!(third.lanes.wait(&third.inside, before), hash * hashes, "{why}");
        }

        let hasty = ours.beside(Duration::ZERO);
        let held = ours.turn().await.unwrap();
        assert_eq!(hasty.turn().await.unwrap_err().wait, hash, "the caller is told");
        drop(held);
        assert!(hasty.turn().await.is_ok());
    }

    #[tokio::test]
    async fn a_light_hash_waits_for_nobody() {
        let hashes = SlowHashes::new(1, Duration::ZERO);
        let secret = ClientSecret::from("x".to_owned());
        let slow = SecretHash::of(&secret, Profile::Slow).unwrap();
        let held = hashes.turn().await.unwrap();
        let light = hashes.hash(&secret, Profile::Light).await.unwrap().unwrap();
        assert_eq!(hashes.matches(&light, &secret).await, Ok(true));
        assert!(hashes.matches(&slow, &secret).await.is_err(), "a slow one does");
        assert!(hashes.hash(&secret, Profile::Slow).await.is_err());
        drop(held);
        assert_eq!(hashes.matches(&slow, &secret).await, Ok(true));
    }
}
