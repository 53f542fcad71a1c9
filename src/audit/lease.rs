//! What only one replica at a time shall do.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;

use super::Outbox;

/// The right to do something while nobody else does. Held by asking for it again and again; who
/// ends without giving it back leaves it to the others when its time is over.
pub struct Lease {
    outbox: Arc<dyn Outbox>,
    name: &'static str,
    holder: String,
    length: Duration,
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    held_until: Timestamp,
    next_attempt: Timestamp,
}

impl Lease {
    /// The lease of this name, for `holder`; not held yet.
    #[must_use]
    pub fn new(
        outbox: Arc<dyn Outbox>,
        name: &'static str,
        holder: String,
        length: Duration,
    ) -> Self {
        Self { outbox, name, holder, length, known: Mutex::default() }
    }

    /// Whether we hold it, for at least another half of its length. The store is asked when that
    /// is not known, and, while another holds it, a few times in its length.
    pub async fn hold(&self, now: Timestamp) -> Result<bool, StoreError> {
        let known = *self.known();
        if now + self.length / 2 < known.held_until {
            return Ok(true);
        }
        if now < known.next_attempt {
            return Ok(false);
        }
        let until = now + self.length;
        let ours = (*self.outbox).lease(self.name, &self.holder, now, until).await?;
        *self.known() = if ours {
            Known { held_until: until, ..Known::default() }
        } else {
            Known { next_attempt: now + self.length / 12, ..Known::default() }
        };
        Ok(ours)
    }

    /// Lets others have it at once. If that cannot be said, they have it when its time is over.
    pub async fn give_back(&self, now: Timestamp) {
        let held_until = std::mem::take(&mut *self.known()).held_until;
        if now < held_until {
            let _ = (*self.outbox).lease(self.name, &self.holder, now, now).await;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
}
