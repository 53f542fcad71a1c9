//! The clients whose tokens were issued or seen here, and that may still be alive. What became of
//! one of them without a trace is looked for.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};

use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

/// By client: the highest epoch of a token, and when the last one expires.
#[derive(Debug, Default)]
pub(super) struct InUse(Mutex<HashMap<ClientId, (u64, Timestamp)>>);

impl InUse {
    pub(super) fn note(&self, claims: &AccessTokenClaims) {
        let mut in_use = self.lock();
        match in_use.get_mut(&claims.client_id) {
            Some((epoch, until)) => {
                *epoch = claims.epoch.max(*epoch);
                *until = claims.exp.max(*until);
            }
            None => {
                in_use.insert(claims.client_id.clone(), (claims.epoch, claims.exp));
            }
        }
    }

    pub(super) fn epoch(&self, id: &ClientId) -> Option<u64> {
        self.lock().get(id).map(|(epoch, _)| *epoch)
    }

    pub(super) fn all(&self) -> Vec<(ClientId, u64)> {
        self.lock().iter().map(|(id, (epoch, _))| (id.clone(), *epoch)).collect()
    }

    pub(super) fn forget_expired(&self, now: Timestamp) {
        self.lock().retain(|_, (_, until)| now < *until);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, (u64, Timestamp)>> {
        self.0.lock()
    }
}
