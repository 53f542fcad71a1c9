//! Changes to the server's signing keys: rotation requests and retirement.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::audit::{Action, AuditRecord, Author, Recorder, audit_log};
use crate::clients::change::By;
use crate::clients::error::ClientsError;
use crate::domain::clock::Timestamp;
use crate::domain::jwk::Algorithm;
use crate::domain::signing_key::{PublishedKey, Rotation};
use crate::random::NoEntropy;

use super::SigningKeyStore;

/// What became of a retirement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Retired {
    /// It had been retired before; nothing was written.
    Before,
    /// It is retired from now on.
    Now,
    /// There is no such key.
    Unknown,
}

/// What administrators, and the schedule, change about the signing keys.
#[derive(Clone)]
pub struct SigningKeys {
    /// Where they are kept.
    pub store: Arc<dyn SigningKeyStore>,
    /// What makes their records.
    pub recorder: Arc<Recorder>,
}

/// Which keys shall be succeeded, and how soon.
#[derive(Clone, Debug, Default)]
pub struct RotationRequest {
    /// Which algorithm; `None`: the one that each replica signs with.
    pub algorithm: Option<Algorithm>,
    /// Whether those who cache the key set are not waited for.
    pub hasty: bool,
}

impl SigningKeys {
    /// Asks every replica for a new key.
    pub async fn rotate(
        &self,
        By { authority, now }: By<'_>,
        request: RotationRequest,
    ) -> Result<Rotation, ClientsError> {
        let record = self.rotated(authority.author(), &request, None, now)?;
        let RotationRequest { algorithm, hasty } = request;
        let rotation =
            Rotation { id: record.id.clone(), at: now, algorithm, hasty, succeeds: None };
        self.store.request(&rotation, &record).await?;
        audit_log::log(&record);
        Ok(rotation)
    }

    /// Asks those who have this key for another, because it is old enough.
    pub async fn succeed(&self, old: &PublishedKey, now: Timestamp) -> Result<(), ClientsError> {
        let (kid, algorithm) = (&old.jwk.kid, Some(old.jwk.algorithm));
        let request = RotationRequest { algorithm, hasty: false };
        let record = self.rotated(&Author::server(), &request, Some(kid), now)?;
        // Named after the key, so that replicas that share it store one rotation request.
        let rotation = Rotation {
            id: format!("after {kid}"),
            at: now,
            algorithm,
            hasty: false,
            succeeds: Some(kid.clone()),
        };
        Ok(self.store.request(&rotation, &record).await?)
    }

    /// Retires a key: its owner goes over to another, and then never signs with it again. Whether
    /// it was this that retired it.
    pub async fn retire(
        &self,
        By { authority, now }: By<'_>,
        kid: &str,
    ) -> Result<bool, ClientsError> {
        match self.end(authority.author(), kid, now).await? {
            Retired::Now => Ok(true),
            Retired::Before => Ok(false),
            Retired::Unknown => Err(ClientsError::NoSigningKey),
        }
    }

    /// Retires a key that a newer one has taken over from.
    pub async fn supersede(&self, kid: &str, now: Timestamp) -> Result<(), ClientsError> {
        self.end(&Author::server(), kid, now).await.map(|_| ())
    }

    async fn end(
        &self,
        author: &Author,
        kid: &str,
        now: Timestamp,
    ) -> Result<Retired, ClientsError> {
        let about = members(json!({ "kid": kid }));
        let record = self.recorder.record(author, Action::SigningKeyRetired, about, now)?;
        let retired = self.store.retire(kid, now, &record).await?;
        if retired == Retired::Now {
            audit_log::log(&record);
        }
        Ok(retired)
    }

    fn rotated(
        &self,
        author: &Author,
        request: &RotationRequest,
        succeeds: Option<&str>,
        now: Timestamp,
    ) -> Result<AuditRecord, NoEntropy> {
        let mut about = members(json!({ "now": request.hasty }));
        if let Some(algorithm) = request.algorithm {
            about.insert("algorithm".to_owned(), algorithm.as_str().into());
        }
        if let Some(kid) = succeeds {
            about.insert("succeeds".to_owned(), kid.into());
        }
        self.recorder.record(author, Action::SigningKeyRotated, about, now)
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
