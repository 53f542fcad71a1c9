//! What is worth knowing of a credential: how long it has to go, and whether it is still needed.

use std::time::Duration;

use strum::IntoStaticStr;

use super::client::Client;
use super::clock::{DAY, Timestamp};
use super::credential::Credential;

/// The days before an end on which it is spoken of, the nearest first.
pub const WARNING_DAYS: [u8; 3] = [1, 7, 30];
/// For how long no use must have been seen.
const QUIET: Duration = Duration::from_secs(7 * DAY.as_secs());

/// From when on uses were looked at, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Since when the uses of credentials are noted on this store.
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// The kind of a credential.
#[derive(Clone, Copy, Debug, Eq, IntoStaticStr, PartialEq)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// A public key.
    Key,
    /// A secret.
    Secret,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What to say of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report {
    /// Whether it has ended.
    pub ended: bool,
    /// The least of [`WARNING_DAYS`] within which it will end.
    pub expires_within_days: Option<u8>,
    /// Whether nobody would miss it.
    pub safe_to_remove: bool,
}

/// All credentials of a client.
#[must_use]
pub fn credentials(client: &Client) -> Vec<Credential<Kind>> {
    let secrets = client.secrets.iter().map(|secret| secret.with(Kind::Secret));
    secrets.chain(client.keys.iter().map(|key| key.with(Kind::Key))).collect()
}

/// What to say of one credential among all of its client.
#[must_use]
pub fn report(this: &Credential<Kind>, all: &[Credential<Kind>], watch: Watch) -> Report {
    let ended = !this.is_live_at(watch.now);
    let within =
        |days: &u8| this.expires.is_some_and(|end| end <= watch.now + DAY * (*days).into());
    Report {
        ended,
        expires_within_days: WARNING_DAYS.into_iter().find(within).filter(|_| !ended),
        safe_to_remove: ended || this.is_quiet(watch) && this.has_successor(all, watch),
    }
}

impl Credential<Kind> {
    /// Whether no use was seen for long enough, while uses were looked at.
    fn is_quiet(&self, watch: Watch) -> bool {
        // A day of use may have been used to its end.
        let used = self.last_used.map_or(self.created, |day| day + DAY);
        self.id.is_plain() && used.max(watch.since) + QUIET <= watch.now
    }

    /// Whether a newer one of its kind, that is alive, was used since.
    fn has_successor(&self, all: &[Self], watch: Watch) -> bool {
        all.iter().any(|other| {
            let live = other.is_live_at(watch.now);
            let newer = other.verifier == self.verifier && other.created > self.created;
            newer && live && other.last_used.is_some() && other.last_used > self.last_used
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: u64 = 86_400;
    const NOW: u64 = 1000 * DAYS;

    fn secret(
        id: &str,
        created: u64,
        expires: Option<u64>,
        last_used: Option<u64>,
    ) -> Credential<Kind> {
        Credential {
            id: id.into(),
            verifier: Kind::Secret,
            created: Timestamp(created),
            expires: expires.map(Timestamp),
            last_used: last_used.map(Timestamp),
        }
    }

    fn watch() -> Watch {
        Watch { since: Timestamp(0), now: Timestamp(NOW) }
    }

    #[test]
    fn ends_are_half_open() {
        #[rustfmt::skip]
        let cases = [
            ("never",              None,                      false, None),
            ("long past",          Some(1),                   true,  None),
            ("just ended",         Some(NOW),                 true,  None),
            ("in a second",        Some(NOW + 1),             false, Some(1)),
            ("in a day",           Some(NOW + DAYS),          false, Some(1)),
            ("a second more",      Some(NOW + DAYS + 1),      false, Some(7)),
            ("in seven days",      Some(NOW + 7 * DAYS),      false, Some(7)),
            ("a second more",      Some(NOW + 7 * DAYS + 1),  false, Some(30)),
            ("in thirty days",     Some(NOW + 30 * DAYS),     false, Some(30)),
            ("a second more",      Some(NOW + 30 * DAYS + 1), false, None),
        ];
        for (why, expires, ended, expires_within_days) in cases {
            let this = secret("it", 0, expires, None);
            let found = report(&this, std::slice::from_ref(&this), watch());
            let safe_to_remove = ended;
            assert_eq!(found, Report { ended, expires_within_days, safe_to_remove }, "{why}");
        }
    }

    #[test]
    fn what_nobody_uses_may_go_once_a_newer_one_is_in_use() {
        let (old, today) = (NOW - 100 * DAYS, Some(NOW));
        let quiet = Some(NOW - 8 * DAYS); // used until seven days ago, at the latest
        let busy = Some(NOW - 7 * DAYS);
        let newer = |expires, used| secret("newer", old + 1, expires, used);
        let key = Credential { verifier: Kind::Key, ..newer(None, today) };
        let same_age = secret("other", old, None, today);
        #[rustfmt::skip]
        let cases = [
            ("alone",                      secret("it", old, None, quiet),                  vec![],                       0,              false),
            ("the newer one in use",       secret("it", old, None, quiet),                  vec![newer(None, today)],     0,              true),
            ("never used",                 secret("it", old, None, None),                   vec![newer(None, today)],     0,              true),
            ("used seven days ago",        secret("it", old, None, busy),                   vec![newer(None, today)],     0,              false),
            ("new, and not used yet",      secret("it", NOW - 7 * DAYS + 1, None, None),    vec![secret("newer", NOW - 1, None, today)], 0, false),
            ("seven days, not used yet",   secret("it", NOW - 7 * DAYS, None, None),        vec![secret("newer", NOW - 1, None, today)], 0, true),
            ("the newer one not used",     secret("it", old, None, None),                   vec![newer(None, None)],      0,              false),
            ("the newer one not since",    secret("it", old, None, quiet),                  vec![newer(None, quiet)],     0,              false),
            ("the newer one has ended",    secret("it", old, None, quiet),                  vec![newer(Some(NOW), today)], 0,             false),
            ("one of the same age",        secret("it", old, None, quiet),                  vec![same_age],               0,              false),
            ("one of another sort",        secret("it", old, None, quiet),                  vec![key],                    0,              false),
            ("looked at for seven days",   secret("it", old, None, None),                   vec![newer(None, today)],     NOW - 7 * DAYS, true),
            ("not looked at long enough",  secret("it", old, None, None),                   vec![newer(None, today)],     NOW - 7 * DAYS + 1, false),
            ("a name that is not noted",   secret("i.t", old, None, None),                  vec![newer(None, today)],     0,              false),
        ];
        for (why, this, others, since, safe) in cases {
            let all: Vec<_> = others.into_iter().chain([this.clone()]).collect();
            let watch = Watch { since: Timestamp(since), ..watch() };
            assert_eq!(report(&this, &all, watch).safe_to_remove, safe, "{why}");
        }
    }
}
