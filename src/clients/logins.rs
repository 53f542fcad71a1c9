//! Last logins, written behind in batches: the path of a token does no write for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::oauth::LoginLog;

use super::{Login, Upkeep};

/// How often they are written.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How many go into one write.
const BATCH: usize = 500;

/// The logins that are not written yet: per client the last one.
#[derive(Debug, Default)]
pub struct PendingLogins(Mutex<HashMap<ClientId, Login>>);

impl LoginLog for PendingLogins {
    fn note(&self, client: &ClientId, credential: &CredentialId, at: Timestamp) {
        self.add(client, credential, at, Some(at));
    }
}

impl Login {
    fn add(&mut self, credential: &CredentialId, day: Timestamp, login: Option<Timestamp>) {
        self.at = self.at.max(login);
        match self.used.iter_mut().find(|(used, _)| used == credential) {
            Some((_, last)) => *last = day.max(*last),
            None => self.used.push((credential.clone(), day)),
        }
    }
}

impl PendingLogins {
    /// Notes the use of a credential that gets no token.
    pub fn note_use(&self, client: &ClientId, credential: &CredentialId, at: Timestamp) {
        self.add(client, credential, at, None);
    }

    fn add(
        &self,
        client: &ClientId,
        credential: &CredentialId,
        at: Timestamp,
        login: Option<Timestamp>,
    ) {
        let mut pending = self.lock();
        // Most logins are of clients that have one pending: no copy of the id for those.
        match pending.get_mut(client) {
            Some(held) => held.add(credential, at.day(), login),
            None => {
                let used = vec![(credential.clone(), at.day())];
                let login = Login { client: client.clone(), at: login, used };
                pending.insert(client.clone(), login);
            }
        }
    }

    /// Writes all of them. Each stays until it is written, so none is lost if the store does not
    /// answer, or if whoever flushes is stopped half-way.
    pub async fn flush(&self, store: &dyn Upkeep) {
        let logins: Vec<Login> = self.lock().values().cloned().collect();
        for batch in logins.chunks(BATCH) {
            if store.write_logins(batch).await.is_err() {
                tracing::warn!("last logins could not be written; they are kept for later");
                continue;
            }
            let mut pending = self.lock();
            for login in batch {
                // There may be a later one by now.
                if pending.get(&login.client) == Some(login) {
                    pending.remove(&login.client);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Login>> {
        self.0.lock()
    }
}

/// Writes them again and again, until the task is dropped.
pub async fn run(pending: Arc<PendingLogins>, store: Arc<dyn Upkeep>) {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        pending.flush(&*store).await;
    }
}
