//! Which assertions may be accepted before they are on the disk.
//!
//! A commit that does not wait for the disk survives `kill -9`, because the kernel has it, but not a
//! power failure. So the disk is told beforehand which assertions are accepted like that: that is
//! the lease. After a power failure these are in doubt, and refused for as long as they live.

use std::time::Duration;

use mongodb::bson::DateTime;
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};

use crate::domain::clock::Timestamp;
use crate::oauth::AssertionDates;

/// Under which name it is kept in `meta`.
const NAME: &str = "assertion_lease";
/// How far ahead a lease reaches. It is renewed each second, and nothing that was signed later is
/// in doubt after a power failure.
const LENGTH: Duration = Duration::from_secs(2);

/// How long a lease that cannot be read is remembered: assertions do not live longer.
const LONGEST_DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

/// Assertions, by their dates.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Window {
    /// They end after this.
    after: Timestamp,
    /// They were signed at this moment or before.
    until: Timestamp,
    /// None of them is alive from here on.
    gone: Timestamp,
}

/// As it is kept.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    boot_id: Option<String>,
    current: Option<Window>,
    doubt: Option<Window>,
}

/// The lease of this process.
#[derive(Debug)]
pub(super) struct Lease {
    boot_id: Option<String>,
    /// On the disk, for certain.
    current: Option<Window>,
    doubt: Option<Window>,
    /// Whether there is one of this boot in the database, certain or not.
    is_written: bool,
}

impl Window {
    fn of(dates: &AssertionDates) -> Self {
        let until = dates.now + LENGTH;
        Self { after: dates.now, until, gone: until + dates.longest_life }
    }

    /// Every assertion signed so far: for a lease that cannot be read.
    fn before_now() -> Self {
        let now = DateTime::now().timestamp_millis() / 1000;
        let until = Timestamp(u64::try_from(now).unwrap_or_default()) + LENGTH;
        Self { after: Timestamp(0), until, gone: until + LONGEST_DOUBT }
    }

    /// Whether an assertion of these dates is one of them. One without `iat` never is.
    pub(super) fn holds(&self, dates: &AssertionDates) -> bool {
        dates.iat.is_some_and(|iat| iat <= self.until) && self.after < dates.exp
    }

    /// The last moment at which one of them may have been signed, for people.
    pub(super) fn until(&self) -> String {
        self.until.for_people()
    }

    fn with(self, other: Self) -> Self {
        Self {
            after: self.after.min(other.after),
            until: self.until.max(other.until),
            gone: self.gone.max(other.gone),
        }
    }
}

impl Lease {
    /// What the last process left. `boot_id` names the time since the machine was started; where it
    /// is not known, a power failure is assumed.
    pub(super) fn found(
        connection: &Connection,
        boot_id: Option<String>,
    ) -> rusqlite::Result<Self> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let row = connection.query_row(sql, [NAME], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let row = row.map_or_else(Row::default, |row| {
            serde_json::from_slice(&row).unwrap_or_else(|error| {
                tracing::error!(%error, "`{NAME}` in `meta` cannot be read");
                Row { doubt: Some(Window::before_now()), ..Row::default() }
            })
        });
        let is_of_this_boot = boot_id.is_some() && row.boot_id == boot_id;
        let lost = row.current.filter(|_| !is_of_this_boot);
        let doubt = match (row.doubt, lost) {
            (Some(doubt), Some(lost)) => Some(doubt.with(lost)),
            (doubt, lost) => doubt.or(lost),
        };
        // Its `current` is of no use: the process may have been killed before it was on the disk.
        let is_written = is_of_this_boot && row.current.is_some();
        Ok(Self { boot_id, current: None, doubt, is_written })
    }

    /// The assertions that may have been used before a power failure, without a trace.
    pub(super) fn doubt(&self) -> Option<Window> {
        self.doubt
    }

    /// Whether such an assertion may be accepted before it is on the disk.
    pub(super) fn holds(&self, dates: &AssertionDates) -> bool {
        self.current.is_some_and(|current| current.holds(dates))
    }

    /// The next lease, if one of these assertions asks for it.
    pub(super) fn renewal<'a>(
        &self,
        dates: impl Iterator<Item = &'a AssertionDates>,
    ) -> Option<Window> {
        let can_be_held = dates.filter(|dates| Window::of(dates).holds(dates));
        let due = can_be_held.filter(|dates| {
            self.current.is_none_or(|held| held.after < dates.now || !held.holds(dates))
        });
        due.max_by_key(|dates| dates.now).map(Window::of)
    }

    /// Writes the next lease. It is in force as soon as [`renewed`](Self::renewed) says so.
    pub(super) fn write(
        &mut self,
        transaction: &Transaction<'_>,
        next: Window,
    ) -> rusqlite::Result<()> {
        self.doubt = self.doubt.filter(|doubt| next.after < doubt.gone);
        self.is_written = true;
        self.put(transaction, Some(next))
    }

    /// What became of the commit: a lease that may not be on the disk is none.
    pub(super) fn renewed(&mut self, next: Option<Window>) {
        self.current = next;
    }

    /// Everything is on the disk as soon as this is.
    pub(super) fn end(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        match (self.is_written, self.doubt) {
            (false, _) => Ok(()),
            (true, Some(_)) => self.put(transaction, None),
            (true, None) => {
                transaction.execute("DELETE FROM meta WHERE name = ?1", [NAME]).map(drop)
            }
        }
    }

    fn put(&self, transaction: &Transaction<'_>, current: Option<Window>) -> rusqlite::Result<()> {
        let row = Row { boot_id: self.boot_id.clone(), current, doubt: self.doubt };
        let row = serde_json::to_vec(&row)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(rusqlite::params![NAME, row])
            .map(drop)
    }
}

/// What the kernel calls the time since it was started; `None` where it has no name for that.
pub(super) fn boot_id() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
