//! A credential of a client, whatever it is verified with.

use super::clock::Timestamp;
use super::id::CredentialId;

/// A stored credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential<T> {
    /// Its name among the credentials of its client; for a secret that we made, also part of the secret.
    pub id: CredentialId,
    /// The hash or the key that verifies it.
    pub verifier: T,
    /// When it was created.
    pub created: Timestamp,
    /// When it ends; `None`: never.
    pub expires: Option<Timestamp>,
    /// The day on which it was last used, as far as that was seen. Filled when it is read, and
    /// no part of what is written with the client.
    pub last_used: Option<Timestamp>,
}

impl<T> Credential<T> {
    /// A credential without an end that was never used.
    #[must_use]
    pub fn new(id: CredentialId, verifier: T, created: Timestamp) -> Self {
        Self { id, verifier, created, expires: None, last_used: None }
    }

    /// The same name and times, with another verifier.
    #[must_use]
    pub fn with<U>(&self, verifier: U) -> Credential<U> {
        let Self { id, created, expires, last_used, .. } = self;
        let id = id.clone();
        Credential { id, verifier, created: *created, expires: *expires, last_used: *last_used }
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_live_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// Sets its end, unless it ends earlier.
    pub fn end_by(&mut self, end: Timestamp) {
        self.expires = Some(self.expires.map_or(end, |sooner| sooner.min(end)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_half_open_and_only_get_shorter() {
        let mut credential = Credential::new("it".into(), (), Timestamp(1));
        assert!(credential.is_live_at(Timestamp(u64::MAX)));
        for (end, ends) in [(100, 100), (200, 100), (50, 50)] {
            credential.end_by(Timestamp(end));
            assert_eq!(credential.expires, Some(Timestamp(ends)));
        }
        for (now, live) in [(49, true), (50, false), (51, false)] {
            assert_eq!(credential.is_live_at(Timestamp(now)), live, "at {now}");
        }
    }
}
