//! Failing authentication is slowed down: [RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)
//! wants brute force made hard, and nobody elsewhere may lock a client out.
//!
//! Failures are counted by client and address together, by address, and overall. The overall limit
//! concerns only addresses that have failed, so a right credential from any other always works.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use strum::IntoStaticStr;
use tokio::sync::Notify;

use crate::domain::bucket::{Bucket, Rate, Recent};
use crate::domain::clock::Timestamp;
use crate::hashing::Busy;

use super::OAuthError;

/// How long an attempt waits for the verdicts of those before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how long an address counts as one that has failed.
const REMEMBERED_MS: u64 = 300_000;

/// From where somebody authenticates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallerAddress {
    /// The address, or the network that one caller has for itself.
    pub address: IpAddr,
    /// Whether many callers may be behind it, who must not suffer for each other.
    pub is_shared: bool,
}

/// How many failures are let through.
#[derive(Clone, Copy, Debug)]
pub struct FailureLimits {
    /// Of one client from one address.
    pub pair: Rate,
    /// From one address.
    pub address: Rate,
    /// Altogether.
    pub overall: Rate,
}

impl Default for FailureLimits {
    fn default() -> Self {
        Self {
            pair: Rate { burst: 10, each_ms: 6_000 },
            address: Rate { burst: 100, each_ms: 1_000 },
            overall: Rate { burst: 1_000, each_ms: 100 },
        }
    }
}

/// Which limit it was.
#[derive(Clone, Copy, Debug, Eq, IntoStaticStr, PartialEq)]
#[strum(serialize_all = "lowercase")]
pub enum Limit {
    /// That of one client from one address.
    Client,
    /// That of one address.
    Address,
    /// That of all addresses that have failed.
    Overall,
}

impl Limit {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Too many attempts have failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many failed attempts (limit: {})", .limit.as_str())]
pub struct Throttled {
    /// The limit that holds longest.
    pub limit: Limit,
    /// For how long.
    pub wait: Duration,
}

/// A client by the digest of whatever name was sent, and an address.
type Pair = (u64, IpAddr);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    Address(IpAddr),
    Pair(Pair),
}

/// Counts failures, and refuses further attempts before they cost anything.
#[derive(Debug)]
pub struct FailureThrottle {
    limits: Option<FailureLimits>,
    names: RandomState,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    pairs: Recent<Pair>,
    addresses: Recent<IpAddr>,
    overall: Bucket,
    // Attempts without a verdict yet; each may turn out to be a failure.
    under_way: HashMap<Key, u64>,
}

enum Verdict {
    Go,
    Wait,
    Refuse(Throttled),
}

impl FailureThrottle {
    /// With nothing counted yet; without limits it lets everything through.
    #[must_use]
    pub fn new(limits: Option<FailureLimits>) -> Self {
        Self { limits, names: RandomState::new(), state: Mutex::default(), ended: Notify::new() }
    }

    /// Lets an attempt begin. Where as many are under way as may still fail, it waits for their
    /// verdicts, so that those who come at once cannot fail more often than those who queue.
    pub(super) async fn admit(
        &self,
        caller: CallerAddress,
        client: &str,
        now: Timestamp,
    ) -> Result<Attempt<'_>, OAuthError> {
        let pair = (self.names.hash_one(client), caller.address);
        let address = (!caller.is_shared).then_some(caller.address);
        let mut attempt = Attempt { throttle: self, pair, address, holds: false };
        let Some(limits) = &self.limits else { return Ok(attempt) };
        let admission = async {
            loop {
                let mut ended = std::pin::pin!(self.ended.notified());
                ended.as_mut().enable(); // before looking, so that no end is missed
                // Not in the `match`, which would hold the lock while it waits.
                let verdict = self.state().judge(limits, pair, address, millis(now));
                match verdict {
                    Verdict::Go => return Ok(()),
                    Verdict::Wait => ended.await,
                    Verdict::Refuse(throttled) => return Err(throttled.into()),
                }
            }
        };
        let admitted = tokio::time::timeout(PATIENCE, admission).await;
        admitted.unwrap_or(Err(OAuthError::Busy(Busy::default())))?;
        attempt.holds = true;
        Ok(attempt)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

fn millis(now: Timestamp) -> u64 {
    now.0.saturating_mul(1000)
}

impl State {
    fn judge(
        &mut self,
        limits: &FailureLimits,
        pair: Pair,
        address: Option<IpAddr>,
        now_ms: u64,
    ) -> Verdict {
        let of_address = address.map(|address| self.addresses.of(&address));
        let has_failed =
            of_address.is_some_and(|bucket| bucket.was_filled_within(REMEMBERED_MS, now_ms));
        let by_pair = self.pairs.of(&pair).room(limits.pair, now_ms);
        let by_address =
            of_address.map_or(Ok(u64::MAX), |bucket| bucket.room(limits.address, now_ms));
        let overall =
            if has_failed { self.overall.room(limits.overall, now_ms) } else { Ok(u64::MAX) };

        let refusals =
            [(Limit::Client, by_pair), (Limit::Address, by_address), (Limit::Overall, overall)];
        let refusals = refusals.into_iter().filter_map(|(limit, room)| Some((limit, room.err()?)));
        if let Some((limit, ms)) = refusals.max_by_key(|(_, ms)| *ms) {
            let wait = Duration::from_secs(ms.div_ceil(1000).max(1));
            return Verdict::Refuse(Throttled { limit, wait });
        }
        let full = |key, room: Result<u64, u64>| {
            self.under_way.get(&key).copied().unwrap_or(0) >= room.unwrap_or(0)
        };
        if full(Key::Pair(pair), by_pair)
            || address.is_some_and(|address| full(Key::Address(address), by_address))
        {
            return Verdict::Wait;
        }
        for key in keys(pair, address) {
            *self.under_way.entry(key).or_default() += 1;
        }
        Verdict::Go
    }

    fn release(&mut self, key: Key) {
        if let Entry::Occupied(mut held) = self.under_way.entry(key) {
            match held.get() {
                0 | 1 => drop(held.remove()),
                _ => *held.get_mut() -= 1,
            }
        }
    }
}

fn keys(pair: Pair, address: Option<IpAddr>) -> impl Iterator<Item = Key> {
    std::iter::once(Key::Pair(pair)).chain(address.map(Key::Address))
}

/// An attempt that was let through. Unless it is said to have failed, it costs its caller nothing.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    throttle: &'a FailureThrottle,
    pair: Pair,
    address: Option<IpAddr>,
    holds: bool,
}

impl Attempt<'_> {
    /// Others need not wait for it any more, although it may still fail.
    pub(super) fn let_go(&mut self) {
        if !std::mem::take(&mut self.holds) {
            return;
        }
        let mut state = self.throttle.state();
        keys(self.pair, self.address).for_each(|key| state.release(key));
        drop(state);
        self.throttle.ended.notify_waiters();
    }

    /// Counts it.
    pub(super) fn failed(mut self, now: Timestamp) {
        if let Some(limits) = &self.throttle.limits {
            let (mut state, now_ms) = (self.throttle.state(), millis(now));
            state.pairs.fill(self.pair, limits.pair, now_ms);
            if let Some(address) = self.address {
                state.addresses.fill(address, limits.address, now_ms);
                state.overall.fill(limits.overall, now_ms);
            }
        }
        self.let_go();
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}
