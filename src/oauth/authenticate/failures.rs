//! What is remembered of failed attempts: bounded, and forgotten by itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// How many keys one generation holds: what a hash table of 2^15 places takes without growing.
const GENERATION: usize = 28_672;

/// How many failures may come at once, and after how long one more may.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Failures at once.
    pub burst: u32,
    /// Until one of them is forgiven, in milliseconds; not 0.
    pub each_ms: u64,
}

impl Rate {
    fn whole_ms(self) -> u64 {
        u64::from(self.burst).saturating_mul(self.each_ms)
    }
}

/// The failures of one key, as a leaky bucket: the moment at which it will be empty says it all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    empty_at_ms: u64,
    failed_at_ms: u64,
}

impl Bucket {
    /// How many more failures it has room for; if for none, how long until it has, in milliseconds.
    pub(super) fn room(self, rate: Rate, now_ms: u64) -> Result<u64, u64> {
        // A clock that was set back must not make anybody wait longer than a full bucket does.
        let level = self.empty_at_ms.saturating_sub(now_ms).min(rate.whole_ms());
        match u64::from(rate.burst).saturating_sub(level.div_ceil(rate.each_ms.max(1))) {
            0 => Err(level.saturating_sub(rate.whole_ms().saturating_sub(rate.each_ms)).max(1)),
            room => Ok(room),
        }
    }

    pub(super) fn fail(&mut self, rate: Rate, now_ms: u64) {
        let later = self.empty_at_ms.max(now_ms).saturating_add(rate.each_ms);
        self.empty_at_ms = later.min(now_ms.saturating_add(rate.whole_ms()));
        self.failed_at_ms = now_ms;
    }

    /// Whether it failed within that time.
    pub(super) fn has_failed_within(self, ms: u64, now_ms: u64) -> bool {
        self.failed_at_ms > 0 && now_ms < self.failed_at_ms.saturating_add(ms)
    }
}

/// Buckets by key. When a generation is full, the one before it is forgotten as a whole: that bounds
/// the memory, costs nothing per failure, and keeps those that failed last.
#[derive(Debug)]
pub(super) struct Recent<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash> Recent<K> {
    pub(super) fn of(&self, key: &K) -> Bucket {
        self.young.get(key).or_else(|| self.old.get(key)).copied().unwrap_or_default()
    }

    pub(super) fn fail(&mut self, key: K, rate: Rate, now_ms: u64) {
        let mut bucket = self.of(&key);
        bucket.fail(rate, now_ms);
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
    }
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
            bucket.fail(RATE, 1_000);
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
        bucket.fail(RATE, 1_000);
        assert_eq!(bucket.room(RATE, 1_000), Err(10_000), "what is full does not overflow");
    }

    #[test]
    fn memory_is_bounded_and_the_last_to_fail_are_kept() {
        let mut recent = Recent::default();
        for key in 0..10 * GENERATION {
            recent.fail(key, RATE, 1_000);
            assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION);
        }
        let last = 10 * GENERATION - 1;
        assert_eq!(recent.of(&last).room(RATE, 1_000), Ok(2));
        assert_eq!(recent.of(&(last - GENERATION)).room(RATE, 1_000), Ok(2));
        assert_eq!(recent.of(&0).room(RATE, 1_000), Ok(3), "forgotten");
        let entry = mem::size_of::<((u64, std::net::IpAddr), Bucket)>();
        assert!(2 * 2 * (entry + 1) * (1 << 15) < 7 * 1024 * 1024, "two tables of two generations");
    }
}
