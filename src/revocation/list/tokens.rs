//! Single tokens that were revoked, by name.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::RwLock;

use crate::domain::clock::Timestamp;

/// The map is cut into parts, so that one that grows keeps few readers waiting, and briefly.
const PARTS: usize = 64;

/// The name of a token as it is held: 16 bytes of the SHA-256 of its `jti`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TokenName([u8; 16]);

impl TokenName {
    /// The name of the token with this `jti`.
    #[must_use]
    pub fn of(jti: &str) -> Self {
        let mut name = [0; 16];
        let whole = digest(&SHA256, jti.as_bytes());
        name.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        Self(name)
    }

    fn part(self) -> usize {
        self.0.first().map_or(0, |byte| usize::from(*byte) % PARTS)
    }
}

/// Names, and when each token expires: seconds since the epoch, which fit in 32 bits until 2106.
#[derive(Debug)]
pub(super) struct TokenSet(Vec<RwLock<HashMap<TokenName, u32>>>);

impl Default for TokenSet {
    fn default() -> Self {
        Self((0..PARTS).map(|_| RwLock::default()).collect())
    }
}

impl TokenSet {
    pub(super) fn insert(&self, name: TokenName, until: Timestamp) {
        let until = u32::try_from(until.0).unwrap_or(u32::MAX);
        if let Some(part) = self.0.get(name.part()) {
            let mut part = part.write();
            let stands = part.entry(name).or_insert(until);
            *stands = until.max(*stands);
        }
    }

    pub(super) fn contains(&self, name: TokenName) -> bool {
        self.0.get(name.part()).is_some_and(|part| part.read().contains_key(&name))
    }

    pub(super) fn forget_expired(&self, now: Timestamp) {
        for part in &self.0 {
            let mut part = part.write();
            part.retain(|_, until| now.0 < u64::from(*until));
            if part.capacity() > 4 * part.len().max(16) {
                part.shrink_to_fit();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| part.read().len()).sum()
    }
}
