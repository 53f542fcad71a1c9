//! What an audit record says of a change in a client.

use serde_json::{Map, Value};

use crate::audit::{Action, AuditRecord, Author, Recorder};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::random::NoEntropy;

use super::recorded;

impl Recorder {
    /// A record of what changed from one client to the other; `None`: there is none.
    pub fn change(
        &self,
        author: &Author,
        action: Action,
        (before, after): (Option<&Client>, Option<&Client>),
        now: Timestamp,
    ) -> Result<AuditRecord, NoEntropy> {
        let (old, new) = (shown(before), shown(after));
        let differing = |from: &Map<String, Value>, other: &Map<String, Value>| {
            let pairs = from.iter().filter(|(name, value)| other.get(*name) != Some(value));
            pairs.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
        };
        let record = self.record(author, action, differing(&new, &old), now)?;
        let client_id = after.or(before).map(|client| client.id.clone());
        Ok(AuditRecord { client_id, before: differing(&old, &new), ..record })
    }
}

/// What a record may say of a client: what an admin is shown, but for what changes of itself or
/// is said of every record.
fn shown(client: Option<&Client>) -> Map<String, Value> {
    let Some(Value::Object(mut members)) = client.map(recorded::recorded) else {
        return Map::new();
    };
    for of_itself in ["client_id", "last_login_at", "updated_at", "updaterId"] {
        members.remove(of_itself);
    }
    members
}
