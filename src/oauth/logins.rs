//! Last logins, held in memory until they are written: the path of a token does no write for them.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};

use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};

/// The last login of a client, or a use of its credentials that was none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// Whose.
    pub client: ClientId,
    /// When it got a token; `None`: it got none.
    pub at: Option<Timestamp>,
    /// Its credentials that were used, each with the last day of its use.
    pub used: Vec<(CredentialId, Timestamp)>,
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

/// The logins that are not written yet: per client the last one.
#[derive(Debug, Default)]
pub struct PendingLogins(Mutex<HashMap<ClientId, Login>>);

impl PendingLogins {
    /// Notes that a client got a token, and by which credential.
    pub fn note(&self, client: &ClientId, credential: &CredentialId, at: Timestamp) {
        self.add(client, credential, at, Some(at));
    }

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

    /// All of them.
    #[must_use]
    pub fn pending(&self) -> Vec<Login> {
        self.lock().values().cloned().collect()
    }

    /// Forgets those that were written, unless there is a later one by now.
    pub fn written(&self, logins: &[Login]) {
        let mut pending = self.lock();
        for login in logins {
            if pending.get(&login.client) == Some(login) {
                pending.remove(&login.client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Login>> {
        self.0.lock()
    }
}
