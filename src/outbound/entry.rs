//! What is remembered of one `jwks_uri`, and when it is asked again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::domain::clock::Timestamp;
use crate::domain::jwks_uri::KeysUnavailable;
use crate::domain::submitted_jwk::SubmittedJwk;

/// How long a set goes on being used while a newer one cannot be had.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// A name that is not in the set makes us ask again once in this time, or anyone could make us
/// ask for every assertion that they invent.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(30);
/// How long a failure keeps us from trying again: twice as long each time.
const BACKOFF: (u64, u64) = (5, 10 * 60);

/// One `jwks_uri`.
#[derive(Debug, Default)]
pub(super) struct Entry {
    state: Mutex<State>,
    /// Held by the one who fetches; the others wait for what it finds.
    pub(super) flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    asked_again: Option<Timestamp>,
    failures: u32,
    retry_at: Timestamp,
    unusable: bool,
}

#[derive(Clone, Debug)]
struct Known {
    keys: Arc<[SubmittedJwk]>,
    fresh_until: Timestamp,
    usable_until: Timestamp,
}

impl State {
    fn usable(&self, now: Timestamp) -> Option<&Known> {
        self.known.as_ref().filter(|known| now < known.usable_until)
    }

    /// When it was last fetched although the set was fresh, the fetch at `now` included: such a one
    /// is for a name that the set lacks.
    fn asked_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        let is_fresh = self.known.as_ref().is_some_and(|known| now < known.fresh_until);
        if is_fresh { Some(now) } else { self.asked_again }
    }
}

/// What a look at the entry says.
#[derive(Debug)]
pub(super) enum Look {
    /// These are the keys, as far as we can know.
    Keys(Arc<[SubmittedJwk]>),
    /// It must be fetched.
    Fetch,
    /// It cannot be had now.
    Unavailable(KeysUnavailable),
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What is known to somebody who looks for the key of this name.
    pub(super) fn look(&self, kid: Option<&str>, now: Timestamp) -> Look {
        let state = self.state();
        let usable = state.usable(now);
        let may_try = state.retry_at <= now;
        match usable {
            Some(known) if now < known.fresh_until => {
                let is_known = kid.is_none_or(|kid| known.keys.iter().any(|key| key.kid() == kid));
                let may_ask =
                    state.asked_again.is_none_or(|before| before + BETWEEN_QUESTIONS <= now);
                if is_known || !may_try || !may_ask {
                    Look::Keys(known.keys.clone())
                } else {
                    Look::Fetch
                }
            }
            _ if may_try => Look::Fetch,
            Some(known) => Look::Keys(known.keys.clone()),
            None if state.unusable => Look::Unavailable(KeysUnavailable::Unusable),
            None => Look::Unavailable(KeysUnavailable::Unreachable),
        }
    }

    /// What was fetched last, fresh or stale, for somebody who cannot fetch it now.
    pub(super) fn last_known(
        &self,
        now: Timestamp,
    ) -> Result<Arc<[SubmittedJwk]>, KeysUnavailable> {
        let state = self.state();
        state.usable(now).map(|known| known.keys.clone()).ok_or(KeysUnavailable::Unreachable)
    }

    /// Notes what was fetched.
    pub(super) fn succeeded(&self, keys: Vec<SubmittedJwk>, freshness: Duration, now: Timestamp) {
        let fresh_until = now + freshness;
        let known = Known { keys: keys.into(), fresh_until, usable_until: fresh_until + STALE };
        let mut state = self.state();
        let asked_again = state.asked_again_at(now);
        *state = State { known: Some(known), asked_again, ..State::default() };
    }

    /// Notes that nothing good was fetched.
    pub(super) fn failed(&self, why: &KeysUnavailable, now: Timestamp) {
        let (shortest, longest) = BACKOFF;
        let mut state = self.state();
        state.asked_again = state.asked_again_at(now);
        let wait = shortest.saturating_mul(1 << state.failures.min(10)).min(longest);
        state.failures = state.failures.saturating_add(1);
        state.retry_at = now + Duration::from_secs(wait);
        state.unusable = matches!(why, KeysUnavailable::Unusable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(kid: &str) -> SubmittedJwk {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        SubmittedJwk::parse(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })).unwrap()
    }

    fn look(entry: &Entry, kid: &str, at: u64) -> &'static str {
        match entry.look(Some(kid), Timestamp(at)) {
            Look::Keys(keys) if keys.iter().any(|key| key.kid() == kid) => "key",
            Look::Keys(_) => "other keys",
            Look::Fetch => "fetch",
            Look::Unavailable(_) => "nothing",
        }
    }

    #[test]
    fn a_set_is_fresh_then_stale_then_gone() {
        let entry = Entry::default();
        assert_eq!(look(&entry, "a", 1000), "fetch");
        entry.succeeded(vec![key("a")], Duration::from_secs(60), Timestamp(1000));
        for (at, seen) in [(1000, "key"), (1059, "key"), (1060, "fetch")] {
            assert_eq!(look(&entry, "a", at), seen, "at {at}");
        }
        let gone = 1060 + 86_400;
        entry.failed(&KeysUnavailable::Unreachable, Timestamp(1060));
        for (at, seen) in [(1060, "key"), (1064, "key"), (1065, "fetch")] {
            assert_eq!(look(&entry, "a", at), seen, "stale, at {at}");
        }
        entry.failed(&KeysUnavailable::Unreachable, Timestamp(gone - 1));
        for (at, seen) in [(gone - 1, "key"), (gone, "nothing"), (gone + 9, "fetch")] {
            assert_eq!(look(&entry, "a", at), seen, "at the end, at {at}");
        }
        for (at, is_known) in [(1000, true), (gone - 1, true), (gone, false)] {
            assert_eq!(entry.last_known(Timestamp(at)).is_ok(), is_known, "unasked, at {at}");
        }
    }

    #[test]
    fn an_unknown_name_is_asked_for_once_in_a_while() {
        let entry = Entry::default();
        entry.succeeded(vec![key("a")], Duration::from_secs(3600), Timestamp(1000));
        assert_eq!(look(&entry, "b", 1000), "fetch", "the first time at once");
        entry.succeeded(vec![key("a")], Duration::from_secs(3600), Timestamp(1000));
        for (at, seen) in [(1000, "other keys"), (1029, "other keys"), (1030, "fetch")] {
            assert_eq!(look(&entry, "b", at), seen, "at {at}");
        }
        entry.failed(&KeysUnavailable::Unreachable, Timestamp(1030));
        assert_eq!(look(&entry, "a", 1031), "key", "a failure takes nothing away");
        assert_eq!(look(&entry, "b", 1031), "other keys");
    }

    #[test]
    fn failures_are_farther_and_farther_apart() {
        let entry = Entry::default();
        let mut now = 1000;
        for wait in [5, 10, 20, 40, 80, 160, 320, 600, 600] {
            entry.failed(&KeysUnavailable::Unusable, Timestamp(now));
            assert_eq!(look(&entry, "a", now + wait - 1), "nothing", "{wait}");
            now += wait;
            assert_eq!(look(&entry, "a", now), "fetch", "{wait}");
        }
        entry.succeeded(vec![key("a")], Duration::from_secs(60), Timestamp(now));
        entry.failed(&KeysUnavailable::Unreachable, Timestamp(now + 60));
        assert_eq!(look(&entry, "a", now + 65), "fetch", "success begins anew");
    }
}
