//! How often something happened lately, in leaky buckets: bounded, and forgotten by itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::time::Duration;

use parking_lot::Mutex;

use super::clock::Timestamp;

/// How many keys one generation holds: what a hash table of 2^15 places takes without growing.
const GENERATION: usize = 28_672;

/// How many may come at once, and after how long one more may.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// Until one of them is forgiven, in milliseconds; not 0.
    pub each_ms: u64,
}

impl Rate {
    /// So many in a minute; `None` for 0, which sets no limit.
    #[must_use]
    pub fn a_minute(many: u32) -> Option<Self> {
        (many > 0).then(|| Self { burst: many, each_ms: 60_000_u64.div_ceil(u64::from(many)) })
    }

    fn whole_ms(self) -> u64 {
        u64::from(self.burst).saturating_mul(self.each_ms)
    }
}

/// What one key did, as a leaky bucket: the moment at which it will be empty says it all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    empty_at_ms: u64,
    filled_at_ms: u64,
}

impl Bucket {
    /// How many more it has room for; if for none, how long until it has, in milliseconds.
    pub fn room(self, rate: Rate, now_ms: u64) -> Result<u64, u64> {
        // A clock that was set back must not make anybody wait longer than a full bucket does.
        let level = self.empty_at_ms.saturating_sub(now_ms).min(rate.whole_ms());
        match u64::from(rate.burst).saturating_sub(level.div_ceil(rate.each_ms.max(1))) {
            0 => Err(level.saturating_sub(rate.whole_ms().saturating_sub(rate.each_ms)).max(1)),
            room => Ok(room),
        }
    }

    /// Counts one.
    pub fn fill(&mut self, rate: Rate, now_ms: u64) {
        let later = self.empty_at_ms.max(now_ms).saturating_add(rate.each_ms);
        self.empty_at_ms = later.min(now_ms.saturating_add(rate.whole_ms()));
        self.filled_at_ms = now_ms;
    }

    /// Whether one was counted within that time.
    #[must_use]
    pub fn was_filled_within(self, ms: u64, now_ms: u64) -> bool {
        self.filled_at_ms > 0 && now_ms < self.filled_at_ms.saturating_add(ms)
    }
}

/// What was noted last of each key. When a generation is full, the one before it is forgotten as a
/// whole: that bounds the memory, costs nothing per note, and keeps those that were noted last.
#[derive(Debug)]
pub struct Recent<K, V = Bucket> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// What was noted of this key, if it was not forgotten.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).cloned()
    }

    /// Notes it.
    pub fn note(&mut self, key: K, value: V) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

impl<K: Eq + Hash> Recent<K> {
    /// The bucket of this key; an empty one if nothing is known of it.
    #[must_use]
    pub fn of(&self, key: &K) -> Bucket {
        self.get(key).unwrap_or_default()
    }

    /// Counts one for this key.
    pub fn fill(&mut self, key: K, rate: Rate, now_ms: u64) {
        let mut bucket = self.of(&key);
        bucket.fill(rate, now_ms);
        self.note(key, bucket);
    }
}

/// Limits how often each key may do something.
#[derive(Debug)]
pub struct RateLimit<K> {
    rate: Option<Rate>,
    counted: Mutex<Recent<K>>,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// With nothing counted yet; without a rate it sets no limit.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, counted: Mutex::default() }
    }

    /// Counts one for this key; if it is one too many, it is not counted, and the answer is after
    /// how long the next may come.
    pub fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now_ms = now.0.saturating_mul(1000);
        let mut counted = self.counted.lock();
        if let Err(ms) = counted.of(&key).room(rate, now_ms) {
            return Err(whole_seconds(ms));
        }
        counted.fill(key, rate, now_ms);
        Ok(())
    }

    /// Makes an attempt that is over at once, and counts it for this key if it failed so. Where too
    /// many failed it is not made, and the answer is after how long it may be. One waits for the
    /// other, so that those that come at once cannot fail more often.
    pub fn attempt<T, E>(
        &self,
        key: K,
        now: Timestamp,
        attempt: impl FnOnce() -> Result<T, E>,
        counts: impl FnOnce(&E) -> bool,
    ) -> Result<Result<T, E>, Duration> {
        let Some(rate) = self.rate else { return Ok(attempt()) };
        let now_ms = now.0.saturating_mul(1000);
        let mut counted = self.counted.lock();
        if let Err(ms) = counted.of(&key).room(rate, now_ms) {
            return Err(whole_seconds(ms));
        }
        let outcome = attempt();
        if outcome.as_ref().is_err_and(counts) {
            counted.fill(key, rate, now_ms);
        }
        Ok(outcome)
    }
}

fn whole_seconds(ms: u64) -> Duration {
    Duration::from_secs(ms.div_ceil(1000).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, each_ms: 10_000 };

    #[test]
    fn a_bucket_fills_at_once_and_empties_slowly() {
        let mut bucket = Bucket::default();
        for room in [3, 2, 1] {
            assert_eq!(bucket.room(RATE, 1_000), Ok(room));
            bucket.fill(RATE, 1_000);
        }
        #[rustfmt::skip]
        let cases = [
            ("full",                     1_000,  Err(10_000)),
            ("a moment before the first", 10_999, Err(1)),
            ("one is forgiven",          11_000, Ok(1)),
            ("two are",                  21_000, Ok(2)),
            ("all are",                  31_000, Ok(3)),
            ("the clock was set back",   1,      Err(10_000)),
        ];
        for (why, now, room) in cases {
            assert_eq!(bucket.room(RATE, now), room, "{why}");
        }
        bucket.fill(RATE, 1_000);
        assert_eq!(bucket.room(RATE, 1_000), Err(10_000), "what is full does not overflow");
    }

    #[test]
    fn memory_is_bounded_and_the_last_are_kept() {
        let mut recent = Recent::default();
        for key in 0..10 * GENERATION {
            recent.fill(key, RATE, 1_000);
            assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION);
        }
        let last = 10 * GENERATION - 1;
        assert_eq!(recent.of(&last).room(RATE, 1_000), Ok(2));
        assert_eq!(recent.of(&(last - GENERATION)).room(RATE, 1_000), Ok(2));
        assert_eq!(recent.of(&0).room(RATE, 1_000), Ok(3), "forgotten");
        let entry = mem::size_of::<((u64, [u8; 17]), Bucket)>();
        assert!(2 * 2 * (entry + 1) * (1 << 15) < 7 * 1024 * 1024, "two tables of two generations");
    }

    #[test]
    fn each_key_has_its_own_rate() {
        let limit = RateLimit::new(Rate::a_minute(2));
        #[rustfmt::skip]
        let cases = [
            // why                     key  at  after how long the next
            ("the first",              "a", 1,  Ok(())),
            ("the second",             "a", 1,  Ok(())),
            ("one too many",           "a", 1,  Err(30)),
            ("another key",            "b", 1,  Ok(())),
            ("a second before",        "a", 30, Err(1)),
            ("what was refused is not counted", "a", 31, Ok(())),
        ];
        for (why, key, at, taken) in cases {
            let taken = taken.map_err(Duration::from_secs);
            assert_eq!(limit.take(key, Timestamp(at)), taken, "{why}");
        }
        let unlimited = RateLimit::new(Rate::a_minute(0));
        assert!((0..100).all(|_| unlimited.take("a", Timestamp(1)).is_ok()));
    }
}
