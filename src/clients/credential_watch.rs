//! Looks through all clients for credentials that end soon, or that nobody needs any more; by one
//! replica at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};

use crate::audit::lease::Lease;
use crate::audit::{Action, AuditQuery, AuditRecord, AuditTrail, Outbox, audit_log};
use crate::domain::actor::Actor;
use crate::domain::client::Client;
use crate::domain::clock::{Clock, DAY, Timestamp};
use crate::domain::credential::Credential;
use crate::domain::credential_report::{Kind, WARNING_DAYS, Watch, credentials, report};
use crate::domain::state::State;
use crate::domain::store_error::StoreError;

use super::{ClientRepository, ListQuery, SharedFacts};

/// The name of the lease.
pub const LEASE: &str = "credentials";
/// How long it is: a look in each half of it keeps it.
pub const LEASE_LENGTH: Duration = Duration::from_secs(2 * 3600);
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3600);
/// How long to wait after a look that failed.
const PAUSE: Duration = Duration::from_secs(60);
/// How often it is asked whether it is time to look.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many clients are read at once.
const PAGE: usize = 200;
/// The fact under which replicas agree since when uses are noted.
const SINCE: &str = "credentials_watched_since";

/// Looks for credentials that are worth a word.
pub struct CredentialWatch {
    /// The clients.
    pub repository: Arc<dyn ClientRepository>,
    /// Where it can be seen what was said before.
    pub trail: Arc<dyn AuditTrail>,
    /// Where it is said.
    pub outbox: Arc<dyn Outbox>,
    /// What makes it one replica at a time.
    pub lease: Lease,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Since when uses are noted on this store.
    pub since: Timestamp,
    /// For how long records are kept; `None`: for ever.
    pub retention: Option<Duration>,
    /// What was found.
    pub findings: Mutex<Findings>,
}

/// What the last look found; nothing where another replica does the looking.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// How many credentials end within each of [`WARNING_DAYS`]; those of fewer days are among
    /// those of more.
    pub expiring: [usize; WARNING_DAYS.len()],
    /// How many are safe to remove.
    pub removable: usize,
    // What needs not be looked up again.
    said: HashSet<String>,
    next_look: Timestamp,
}

/// Since when the uses of credentials are noted on this store.
pub async fn watched_since(
    facts: &dyn SharedFacts,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let agreed = facts.agree(SINCE, now.0.to_string().as_bytes()).await?;
    let since = std::str::from_utf8(&agreed).ok().and_then(|text| text.parse().ok());
    Ok(Timestamp(since.unwrap_or(now.0)))
}

impl CredentialWatch {
    /// Looks again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            let now = self.clock.now();
            if let Err(error) = self.look(now).await {
                self.findings().next_look = now + PAUSE;
                let cause = std::error::Error::source(&error);
                tracing::warn!(%error, ?cause, "cannot check credentials for expiry");
            }
        }
    }

    /// Leaves the looking to others.
    pub async fn stop(&self) {
        self.lease.give_back(self.clock.now()).await;
    }

    /// What reports of credentials rest on.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Watch {
        Watch { since: self.since, now }
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> Findings {
        self.findings().clone()
    }

    async fn look(&self, now: Timestamp) -> Result<(), StoreError> {
        if now < self.findings().next_look {
            return Ok(());
        }
        if !self.lease.hold(now).await? {
            *self.findings() = Findings::default();
            return Ok(());
        }
        let mut found = Findings { next_look: now + EVERY, ..Findings::default() };
        let mut after = None;
        while let Some(page) = self.repository.list(&ListQuery { after, limit: PAGE }).await? {
            for client in page.clients.iter().filter(|client| client.state == State::Public) {
                self.look_at(client, now, &mut found).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        *self.findings() = found;
        Ok(())
    }

    async fn look_at(
        &self,
        client: &Client,
        now: Timestamp,
        found: &mut Findings,
    ) -> Result<(), StoreError> {
        let all = credentials(client);
        for credential in &all {
            let report = report(credential, &all, self.at(now));
            found.removable += usize::from(report.safe_to_remove);
            let Some(within) = report.expires_within_days else { continue };
            for (count, _) in
                found.expiring.iter_mut().zip(WARNING_DAYS).filter(|(_, days)| within <= *days)
            {
                *count += 1;
            }
            if let Some(said) = self.say_once(client, credential, within, now).await? {
                found.said.insert(said);
            }
        }
        Ok(())
    }

    /// Says that it ends, unless that was said before. The name of what is now said.
    async fn say_once(
        &self,
        client: &Client,
        credential: &Credential<Kind>,
        within_days: u8,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(end) = credential.expires else { return Ok(None) };
        let about = about(credential, end, within_days);
        let name = name_of(client, &about);
        if self.findings().said.contains(&name) {
            return Ok(Some(name));
        }
        let due = (end - DAY * within_days.into()).max(credential.created);
        if self.retention.is_some_and(|kept| due + kept <= now) {
            return Ok(None); // what was said of it may have been swept: it is not said again
        }
        if !self.was_said(client, &about, due).await? {
            // The name is the same wherever it is said on this day, so that two say it once.
            let at = due.max(now.day());
            let id = format!("{}{name}", AuditRecord::first_id(at));
            let record = record(client, about, id, at);
            if self.outbox.append(&record).await? {
                audit_log::log(&record);
            }
        }
        Ok(Some(name))
    }

    async fn was_said(
        &self,
        client: &Client,
        about: &Map<String, Value>,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = AuditQuery {
            client_id: Some(client.id.to_string()),
            action: Some(Action::CredentialExpiring.name().to_owned()),
            from: Some(due),
            limit: PAGE,
            ..AuditQuery::default()
        };
        let said = self.trail.records(&query).await?;
        Ok(said.iter().any(|record| record.after == *about))
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock()
    }
}

fn about(credential: &Credential<Kind>, end: Timestamp, within_days: u8) -> Map<String, Value> {
    let about = json!({
        "credential_id": credential.id,
        "kind": credential.verifier.as_str(),
        "expires_at": end,
        "within_days": within_days,
    });
    about.as_object().cloned().unwrap_or_default()
}

fn name_of(client: &Client, about: &Map<String, Value>) -> String {
    let text = format!("{} {}", client.id, Value::Object(about.clone()));
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().take(9).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

fn record(client: &Client, about: Map<String, Value>, id: String, at: Timestamp) -> AuditRecord {
    AuditRecord {
        id,
        at,
        action: Action::CredentialExpiring,
        actor: Actor::Server.to_string(),
        client_id: Some(client.id.clone()),
        before: Map::new(),
        after: about,
        address: None,
        request_id: None,
    }
}
