//! The server's own signing keys, as every replica sees them.

use std::time::Duration;

use super::clock::Timestamp;
use super::jwk::PublicJwk;

/// How long the key set may be cached by those who verify (`Cache-Control: max-age`), and so how
/// long a new key is shown before it signs.
pub const PUBLICATION_LEAD: Duration = Duration::from_secs(60);

/// How long a publisher promises to go on signing, each time that it renews the promise.
pub const SIGNING_PROMISE: Duration = Duration::from_secs(3600);

/// The public half of a signing key, shared through the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishedKey {
    /// The key.
    pub jwk: PublicJwk,
    /// When it was first shown.
    pub published: Timestamp,
    /// Until when its owner may sign with it; renewed while the owner runs.
    pub signs_until: Timestamp,
    /// Set for a key that another platform signed with: when it was taken over.
    pub imported: Option<Timestamp>,
}

impl PublishedKey {
    /// Whether a token that it signed can still be alive.
    #[must_use]
    pub fn is_needed_at(&self, now: Timestamp, longest_life: Duration, skew: Duration) -> bool {
        now < self.signs_until + longest_life + skew
    }

    /// Whether those who cache the key set have had the time to see it.
    #[must_use]
    pub fn is_known_at(&self, now: Timestamp) -> bool {
        self.published + PUBLICATION_LEAD <= now
    }
}
