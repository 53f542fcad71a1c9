//! How often a client may revoke tokens one at a time, and which of these revocations share a
//! record: each is kept until its token expires, and its record for as long as records are.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::audit::AuditRecord;
use crate::domain::bucket::{Rate, RateLimit, Recent};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;

/// For how long revocations share the record of the first one.
const BURST: Duration = Duration::from_secs(600);

/// The client revoked as many tokens one at a time as it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this client revoked too many tokens one at a time; this one is not revoked, try again later"
)]
pub struct TooManyRevocations {
    /// Until it may revoke another.
    pub wait: Duration,
}

/// Counts revocations by the lineage of the client that asks for them.
#[derive(Debug)]
pub struct RevocationRate {
    limit: RateLimit<ClientId>,
    bursts: Mutex<Recent<ClientId, Burst>>,
}

/// Revocations that share a record.
#[derive(Clone, Debug)]
struct Burst {
    record: String,
    began: Timestamp,
    kind: Kind,
}

/// What the record says besides the token: whose it was, if that is known, and why.
type Kind = (Option<ClientId>, Option<Value>);

impl RevocationRate {
    /// With nothing counted yet; `a_minute` from each client, and 0 sets no limit.
    #[must_use]
    pub fn new(a_minute: u32) -> Self {
        Self { limit: RateLimit::new(Rate::a_minute(a_minute)), bursts: Mutex::default() }
    }

    /// Counts one revocation. One that is refused must not be carried out.
    pub fn take(&self, lineage: &ClientId, now: Timestamp) -> Result<(), TooManyRevocations> {
        self.limit.take(lineage.clone(), now).map_err(|wait| TooManyRevocations { wait })
    }

    /// The record as it goes into the store: under the name of the first one of its burst, so that
    /// every store keeps one of them. Those of another client's tokens, or that give another reason, begin
    /// a burst of their own.
    #[must_use]
    pub fn shared(&self, lineage: &ClientId, mut record: AuditRecord) -> AuditRecord {
        let kind = (record.client_id.clone(), record.after.get("reason").cloned());
        let mut bursts = self.bursts.lock();
        let running = bursts.get(lineage).filter(|burst| {
            burst.kind == kind && (burst.began..burst.began + BURST).contains(&record.at)
        });
        let burst = running.unwrap_or_else(|| {
            let burst = Burst { record: record.id.clone(), began: record.at, kind };
            bursts.note(lineage.clone(), burst.clone());
            burst
        });
        record.id = burst.record;
        record.at = burst.began;
        record.after.extend(Map::from_iter([(
            "covers_until".to_owned(),
            Value::from((burst.began + BURST).0),
        )]));
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::audit::{Action, Author, Recorder};

    #[test]
    fn a_burst_has_one_record() {
        let (rate, recorder) = (RevocationRate::new(0), Recorder::default());
        let record = |lineage: &str, of: Option<&str>, reason: &str, at: u64| {
            let about = Map::from_iter([("reason".to_owned(), Value::from(reason))]);
            let record =
                recorder.record(&Author::server(), Action::TokensRevoked, about, Timestamp(at));
            let client_id = of.map(|id| id.parse().unwrap());
            let record = AuditRecord { client_id, ..record.unwrap() };
            rate.shared(&lineage.parse().unwrap(), record)
        };
        let own = Some("a");
        let first = record("a", own, "x", 1000);
        assert_eq!((first.at, &first.after["covers_until"]), (Timestamp(1000), &Value::from(1600)));
        #[rustfmt::skip]
        let cases = [
            // why                       lineage  whose  reason  at    shares the first
            ("at once",                  "a",     own,   "x",    1000, true),
            ("another client",           "b",     own,   "x",    1000, false),
            ("at its end",               "a",     own,   "x",    1599, true),
            ("when it is over",          "a",     own,   "x",    1600, false),
            ("another reason",           "a",     own,   "y",    1601, false),
            ("tokens of somebody else",  "a",     None,  "x",    1001, false),
        ];
        for (why, lineage, whose, reason, at, shares) in cases {
            assert_eq!(record(lineage, whose, reason, at).id == first.id, shares, "{why}");
        }
    }
}
