//! What the writing thread does: it commits jobs in groups.

use std::path::Path;
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::checkpoints::Checkpoints;
use super::failure::{self, is_corrupt};
use super::lease::{Lease, Window};
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionDates;

/// How many jobs share one commit.
const GROUP: usize = 256;

/// Something to write.
pub(super) struct Job {
    /// The assertion that it remembers, if it does nothing else.
    pub(super) assertion: Option<AssertionDates>,
    /// Runs inside the transaction; returns what tells the caller, once it is known how that ended.
    pub(super) run: Box<dyn FnOnce(&Transaction<'_>) -> Ran + Send>,
}

/// A job that has run.
pub(super) struct Ran {
    pub(super) reply: Reply,
    /// Whether it met a damaged page: SQLite then commits nothing of the transaction.
    pub(super) met_damage: bool,
}

pub(super) type Reply = Box<dyn FnOnce(Result<(), &StoreFailure>) + Send>;

/// The commit failed, for every job in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreFailure {
    #[error(transparent)]
    Commit(#[from] rusqlite::Error),
    #[error("another write of the same moment met a damaged page, and all were undone")]
    Damaged,
    #[error("the writes of the same moment were undone")]
    Undone,
}

impl StoreFailure {
    /// What the callers of all jobs are told.
    pub(super) fn to_error(&self, file: &Path) -> StoreError {
        match self {
            Self::Commit(rusqlite::Error::SqliteFailure(said, more)) => {
                failure::writing(file, rusqlite::Error::SqliteFailure(*said, more.clone()))
            }
            other => StoreError::new(other.to_string()),
        }
    }
}

/// Where the writing thread works.
pub(super) struct Desk {
    connection: Connection,
    lease: Lease,
    checkpoints: Option<Checkpoints>,
    /// Whether a commit waits for the disk, as the connection is set now.
    waits: bool,
    /// How many jobs share a commit: one, when a page of the file turned out to be damaged, so that
    /// no other write fails with the one that meets it.
    together: usize,
}

impl Desk {
    /// With a connection whose commits wait for the disk.
    pub(super) fn new(
        connection: Connection,
        lease: Lease,
        checkpoints: Option<Checkpoints>,
    ) -> Self {
        Self { connection, lease, checkpoints, waits: true, together: GROUP }
    }

    /// Commits what comes, until nobody is there to send more.
    pub(super) fn work(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let group: Vec<Job> =
                std::iter::once(first).chain(queue.try_iter().take(self.together - 1)).collect();
            let jobs = group.len();
            self.commit(group);
            if let Some(checkpoints) = &mut self.checkpoints {
                checkpoints.committed(jobs);
            }
        }
        drop(self.checkpoints.take());
        if let Err(error) = self.end() {
            // The next start may take used assertions for doubtful, and does nothing worse.
            tracing::warn!(%error, "the lease of assertions could not be ended");
        }
        // Folds the log into the database, so that the next start finds it tidy. Failing is harmless.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn commit(&mut self, group: Vec<Job>) {
        let next = self.lease.renewal(group.iter().filter_map(|job| job.assertion.as_ref()));
        let is_held = |job: &Job| job.assertion.is_some_and(|dates| self.lease.holds(&dates));
        let waits = next.is_some() || !group.iter().all(is_held);
        let mut replies = Vec::with_capacity(group.len());
        let outcome = self.run(group, waits, next, &mut replies);
        if next.is_some() {
            self.lease.renewed(next.filter(|_| outcome.is_ok()));
        }
        match &outcome {
            Err(StoreFailure::Damaged) => self.together = 1,
            Err(StoreFailure::Commit(error)) if is_corrupt(error) => self.together = 1,
            _ => {}
        }
        // Of jobs that never ran nothing is said: their callers see the channel close.
        for reply in replies {
            reply(outcome.as_ref().copied());
        }
    }

    fn run(
        &mut self,
        group: Vec<Job>,
        waits: bool,
        next: Option<Window>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), StoreFailure> {
        self.wait_for_the_disk(waits)?;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        if let Some(next) = next {
            self.lease.write(&transaction, next)?;
        }
        for job in group {
            let Ran { reply, met_damage } = (job.run)(&transaction);
            replies.push(reply);
            if met_damage {
                return Err(StoreFailure::Damaged);
            }
            if is_undone(&transaction) {
                // The next job would be committed by itself, and then be said to have failed.
                return Err(StoreFailure::Undone);
            }
        }
        Ok(transaction.commit()?)
    }

    /// Whether the next commits wait for the disk. One that does brings those before it there too.
    fn wait_for_the_disk(&mut self, waits: bool) -> rusqlite::Result<()> {
        if waits != self.waits {
            let level = if waits { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.waits = waits;
        }
        Ok(())
    }

    fn end(&mut self) -> rusqlite::Result<()> {
        self.wait_for_the_disk(true)?;
        let transaction = self.connection.transaction()?;
        self.lease.end(&transaction)?;
        transaction.commit()
    }
}

/// A job that fails leaves nothing behind, and the others of its group alone.
pub(super) fn in_savepoint<T>(
    transaction: &Transaction<'_>,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
    let outcome = write(transaction);
    if is_undone(transaction) {
        return outcome;
    }
    if outcome.is_err() {
        transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE job")?.execute([])?;
    outcome
}

/// A full disk, say, does not only fail a statement: SQLite then undoes the whole transaction.
fn is_undone(transaction: &Transaction<'_>) -> bool {
    transaction.is_autocommit()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::domain::clock::Timestamp;

    fn desk(tables: &str) -> Desk {
        let connection = Connection::open_in_memory().unwrap();
        let meta = "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL)";
        connection.execute_batch(&format!("{meta}; {tables}")).unwrap();
        let lease = Lease::found(&connection, Some("boot".to_owned())).unwrap();
        Desk::new(connection, lease, None)
    }

    fn insert(sql: &'static str, replies: &mpsc::Sender<bool>) -> Job {
        let replies = replies.clone();
        let run = Box::new(move |transaction: &Transaction<'_>| -> Ran {
            let outcome = in_savepoint(transaction, |transaction| transaction.execute(sql, []));
            let reply = Box::new(move |committed: Result<(), &StoreFailure>| {
                replies.send(outcome.is_ok() && committed.is_ok()).unwrap();
            });
            Ran { reply, met_damage: false }
        });
        Job { assertion: None, run }
    }

    #[test]
    fn what_is_said_to_have_failed_left_nothing() {
        let good = "INSERT INTO t VALUES (2)";
        for (why, second, told, left) in [
            ("all go well", "INSERT INTO t VALUES (3)", &[true, true, true][..], 4),
            ("one fails by itself", "INSERT INTO t VALUES (1)", &[true, false, true], 3),
            ("one takes all with it", "INSERT OR ROLLBACK INTO t VALUES (1)", &[false, false], 1),
        ] {
            let mut desk = desk("CREATE TABLE t (n INTEGER UNIQUE); INSERT INTO t VALUES (1)");
            let (replies, answers) = mpsc::channel();
            let jobs = [good, second, "INSERT INTO t VALUES (4)"];
            let group = jobs.map(|sql| insert(sql, &replies)).into_iter().collect();
            drop(replies);
            desk.commit(group);
            assert_eq!(answers.iter().collect::<Vec<_>>(), told, "{why}");
            let count = "SELECT count(*) FROM t";
            assert_eq!(desk.connection.query_row(count, [], |row| row.get(0)), Ok(left), "{why}");
        }
    }

    const FULL: i64 = 2;
    const NORMAL: i64 = 1;

    fn dates(now: u64, iat: Option<u64>, exp: u64) -> AssertionDates {
        AssertionDates {
            iat: iat.map(Timestamp),
            exp: Timestamp(exp),
            now: Timestamp(now),
            longest_life: Duration::from_secs(60),
        }
    }

    /// Commits these together: for which of them the disk is waited for.
    fn levels(desk: &mut Desk, group: &[Option<AssertionDates>], then: &'static str) -> Vec<i64> {
        let (seen, levels) = mpsc::channel();
        let jobs = group.iter().map(|assertion| {
            let seen = seen.clone();
            let run = Box::new(move |transaction: &Transaction<'_>| -> Ran {
                let level = |row: &rusqlite::Row<'_>| row.get(0);
                seen.send(transaction.query_row("PRAGMA synchronous", [], level).unwrap()).unwrap();
                transaction.execute_batch(then).unwrap();
                Ran { reply: Box::new(|_| ()), met_damage: false }
            });
            Job { assertion: *assertion, run }
        });
        desk.commit(jobs.collect());
        drop(seen);
        levels.iter().collect()
    }

    #[test]
    fn the_disk_is_waited_for_unless_the_lease_holds_everything() {
        let now = 100;
        let good = Some(dates(now, Some(now), 160));
        #[rustfmt::skip]
        let groups = [
            ("the first one renews the lease",  &[good][..],                               FULL),
            ("the lease holds it",              &[good],                                   NORMAL),
            ("several",                         &[good, Some(dates(now, Some(40), 101))],  NORMAL),
            ("signed as late as it reaches",    &[Some(dates(now, Some(102), 160))],       NORMAL),
            ("signed later",                    &[Some(dates(now, Some(103), 160))],       FULL),
            ("with good ones",                  &[good, Some(dates(now, Some(103), 160))], FULL),
            ("it does not say when",            &[Some(dates(now, None, 160))],            FULL),
            ("anything else",                   &[None],                                   FULL),
            ("anything else with good ones",    &[good, None],                             FULL),
            ("the lease is still there",        &[good],                                   NORMAL),
            ("the next second",                 &[Some(dates(101, Some(100), 160))],       FULL),
            ("in it",                           &[Some(dates(101, Some(103), 160)), good], NORMAL),
            ("the clock is set back, held",     &[Some(dates(90, Some(90), 150))],         NORMAL),
            ("the clock is set back, not held", &[Some(dates(90, Some(90), 101))],         FULL),
            ("a new lease",                     &[Some(dates(90, Some(90), 100))],         NORMAL),
            ("which reaches no further",        &[Some(dates(90, Some(93), 100))],         FULL),
        ];
        let mut desk = desk("");
        for (why, group, level) in groups {
            assert_eq!(levels(&mut desk, group, ""), vec![level; group.len()], "{why}");
        }
    }

    #[test]
    fn a_lease_that_may_not_be_on_the_disk_is_none() {
        let mut desk = desk("");
        let good = Some(dates(100, Some(100), 160));
        assert_eq!(levels(&mut desk, &[good], "ROLLBACK"), [FULL], "its commit fails");
        assert_eq!(levels(&mut desk, &[good], ""), [FULL]);
        assert_eq!(levels(&mut desk, &[good], ""), [NORMAL]);
        assert_eq!(levels(&mut desk, &[Some(dates(101, Some(101), 160))], "ROLLBACK"), [FULL]);
        assert_eq!(levels(&mut desk, &[good], ""), [FULL], "nor is the one before it");
    }
}
