//! The threads that compute slow hashes, beside those that serve.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use super::Busy;

/// How long a hash takes, as long as nobody knows better.
const GUESS: Duration = Duration::from_millis(15);
/// A hash that was measured counts for one in so many.
const WEIGHT: u64 = 8;

/// Threads for slow hashes. They are started when the first one is needed.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) count: usize,
    threads: OnceLock<Option<ThreadPool>>,
    mean_micros: AtomicU64,
    /// How many are in each queue that leads here.
    queues: Mutex<Vec<Arc<AtomicUsize>>>,
}

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        let mean_micros = AtomicU64::new(micros(GUESS));
        Self { count, threads: OnceLock::new(), mean_micros, queues: Mutex::default() }
    }

    /// Every core, where the system runs these threads only while no other wants to; else half of
    /// them.
    pub(super) fn of_this_machine() -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if cfg!(target_os = "linux") { cores } else { cores.div_ceil(2) }
    }

    /// One more queue that leads here.
    pub(super) fn queue(&self) -> Arc<AtomicUsize> {
        let queue = Arc::<AtomicUsize>::default();
        self.queues.lock().push(queue.clone());
        queue
    }

    /// How long one waits that has so many before it in its queue. Queues take turns: meanwhile as
    /// many of each other queue are computed, and those that the threads have already.
    pub(super) fn wait(&self, queue: &Arc<AtomicUsize>, before: usize) -> Duration {
        let queues = self.queues.lock();
        let others = queues.iter().filter(|other| !Arc::ptr_eq(other, queue));
        let turns =
            |other: &Arc<AtomicUsize>| other.load(Ordering::Relaxed).min(before + self.count);
        self.time_for(before + others.map(turns).sum::<usize>())
    }

    /// How long it takes until so many hashes are computed.
    fn time_for(&self, hashes: usize) -> Duration {
        let mean = Duration::from_micros(self.mean_micros.load(Ordering::Relaxed));
        mean.saturating_mul(u32::try_from(hashes.div_ceil(self.count)).unwrap_or(u32::MAX))
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let threads = self.threads.get_or_init(|| started(self.count)).as_ref();
        let threads = threads.ok_or(Busy::default())?;
        let (tell, told) = oneshot::channel();
        threads.spawn_fifo(move || {
            let began = Instant::now();
            let done = work();
            let _ = tell.send((done, began.elapsed())); // nobody may be there any more
        });
        let (done, took) = told.await.map_err(|_| Busy::default())?;
        self.learn(took);
        Ok(done)
    }

    fn learn(&self, took: Duration) {
        let learn = |mean: u64| Some((mean * (WEIGHT - 1) + micros(took)) / WEIGHT);
        let _ = self.mean_micros.fetch_update(Ordering::Relaxed, Ordering::Relaxed, learn);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / WEIGHT)
}

fn started(count: usize) -> Option<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|number| format!("slow-hash-{number}"))
        .start_handler(|_| step_back())
        .panic_handler(|_| tracing::error!("computing a hash failed"))
        .build();
    pool.inspect_err(|error| tracing::error!(%error, "cannot start the threads for slow hashes"))
        .ok()
}

/// Lets the threads that serve go first, so that a hash takes what they leave. On Linux, and there
/// alone, this concerns one thread: setpriority(2), "C library/kernel differences".
#[cfg(target_os = "linux")]
fn step_back() {
    const NICE: i32 = 5;
    let _ = rustix::process::setpriority_process(None, NICE); // else it is as fast as the others
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}
