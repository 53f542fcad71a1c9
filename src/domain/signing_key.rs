//! The server's own signing keys, as every replica sees them.

use std::time::Duration;

use serde::Serialize;

use super::clock::Timestamp;
use super::jwk::{Algorithm, PublicJwk};

/// How long the key set may be cached by those who verify (`Cache-Control: max-age`), and so how
/// long a new key is shown before it signs.
pub const PUBLICATION_LEAD: Duration = Duration::from_secs(60);

/// How long a new key is shown before it signs when that may not wait: long enough for every
/// replica to have looked, so that none of them refuses a token of it.
pub const HASTY_LEAD: Duration = Duration::from_secs(2);

/// How long a publisher promises to go on signing, each time that it renews the promise.
pub const SIGNING_PROMISE: Duration = Duration::from_secs(3600);

/// How long a replica may go on signing with a key that it may use no more, until another may
/// sign: making one takes a while.
pub const BRIDGE: Duration = Duration::from_secs(30);

/// When the last signature of a retired key was made, after its retirement: no replica signs if it
/// has not looked for ten seconds, and after it has seen the retirement it has the [`BRIDGE`].
pub const RETIREMENT_NOTICE: Duration = Duration::from_secs(60);

/// The public half of a signing key, shared through the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedKey {
    /// The key.
    pub jwk: PublicJwk,
    /// When it was first shown.
    pub published: Timestamp,
    /// From when its owner may sign with it.
    pub signs_from: Timestamp,
    /// Until when its owner may sign with it; renewed while the owner runs.
    pub signs_until: Timestamp,
    /// Set for a key that another platform signed with: when it was taken over.
    pub imported: Option<Timestamp>,
    /// When it was retired, if it was. It never signs again, whoever has its file.
    pub retired: Option<Timestamp>,
}

/// Where a signing key is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Shown, and signing.
    Active,
    /// Shown, and not signing yet.
    Next,
    /// Shown until the last token that it signed has expired, and signing no more.
    Retired,
}

impl PublishedKey {
    /// Where it is in its life at `now`.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> KeyState {
        if self.retired.is_some() || self.signs_until <= now {
            KeyState::Retired
        } else if now < self.signs_from {
            KeyState::Next
        } else {
            KeyState::Active
        }
    }

    /// Whether it might sign when its owner renewed its promise last: then everybody has it.
    #[must_use]
    pub fn has_signed(&self) -> bool {
        self.signs_from + SIGNING_PROMISE <= self.signs_until
    }

    /// When nobody can have signed with it any more.
    #[must_use]
    pub fn last_signature(&self) -> Timestamp {
        let noticed = self.retired.map(|retired| retired + RETIREMENT_NOTICE);
        noticed.map_or(self.signs_until, |noticed| noticed.min(self.signs_until))
    }

    /// From when on no token that it signed can be alive.
    #[must_use]
    pub fn drops_at(&self, longest_life: Duration, skew: Duration) -> Timestamp {
        self.last_signature() + longest_life + skew
    }

    /// Whether a token that it signed can still be alive.
    #[must_use]
    pub fn is_needed_at(&self, now: Timestamp, longest_life: Duration, skew: Duration) -> bool {
        now < self.drops_at(longest_life, skew)
    }
}

/// A request for new signing keys, which every replica that it concerns carries out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// Its own name.
    pub id: String,
    /// When it was made: a key that was published later fulfils it.
    pub at: Timestamp,
    /// Which algorithm; `None`: the one that each replica signs with.
    pub algorithm: Option<Algorithm>,
    /// Whether those who cache the key set are not waited for.
    pub hasty: bool,
    /// If set, only those who have this key are meant.
    pub succeeds: Option<String>,
}

/// Everything that is shared about signing keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SharedKeys {
    /// The keys.
    pub keys: Vec<PublishedKey>,
    /// What is left of keys that were retired and dropped: their `kid`, so that they never return.
    pub tombstones: Vec<String>,
    /// Rotation requests.
    pub rotations: Vec<Rotation>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(retired: Option<u64>) -> PublishedKey {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        PublishedKey {
            jwk: PublicJwk::parse(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x })).unwrap(),
            published: Timestamp(1000),
            signs_from: Timestamp(1060),
            signs_until: Timestamp(4600),
            imported: None,
            retired: retired.map(Timestamp),
        }
    }

    #[test]
    fn states_by_time() {
        use KeyState::{Active, Next, Retired};
        #[rustfmt::skip]
        let cases = [
            // why                  retired     now   state
            ("just published",      None,       1000, Next),
            ("before it signs",     None,       1059, Next),
            ("when it signs",       None,       1060, Active),
            ("at the last moment",  None,       4599, Active),
            ("its owner is gone",   None,       4600, Retired),
            ("retired",             Some(2000), 2000, Retired),
            ("retired by a clock that is ahead", Some(2000), 1990, Retired),
            ("retired before it signed", Some(1010), 1010, Retired),
        ];
        for (why, retired, now, state) in cases {
            assert_eq!(key(retired).state_at(Timestamp(now)), state, "{why}");
        }
    }

    #[test]
    fn it_has_signed_if_it_might_when_its_promise_was_renewed() {
        let with = |signs_from, signs_until| PublishedKey {
            signs_from: Timestamp(signs_from),
            signs_until: Timestamp(signs_until),
            ..key(None)
        };
        for (why, signs_from, signs_until, has_signed) in [
            ("the first one signs at once", 1000, 4600, true),
            ("another one waits", 1060, 4600, false),
            ("renewed before it might", 1060, 4659, false),
            ("renewed when it might", 1060, 4660, true),
            ("renewed since", 1060, 6400, true),
        ] {
            assert_eq!(with(signs_from, signs_until).has_signed(), has_signed, "{why}");
        }
    }

    #[test]
    fn it_is_dropped_with_its_last_token() {
        let (life, skew) = (Duration::from_secs(100), Duration::from_secs(30));
        #[rustfmt::skip]
        let cases = [
            // why                            retired     dropped
            ("its promise ran out",           None,       4600 + 130),
            ("retired",                       Some(2000), 2060 + 130),
            ("retired when it ran out anyway", Some(4590), 4600 + 130),
        ];
        for (why, retired, dropped) in cases {
            let key = key(retired);
            assert!(key.is_needed_at(Timestamp(dropped - 1), life, skew), "{why}");
            assert!(!key.is_needed_at(Timestamp(dropped), life, skew), "{why}");
        }
    }
}
