//! One thread writes to the embedded database, and commits what has gathered in one go.
//!
//! A commit waits for the disk; under load the jobs that arrive meanwhile share the next one. A job
//! is answered only after its commit, so what was answered survives `kill -9`.

use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::domain::store_error::StoreError;

/// How long a caller waits for its write; it may still be carried out after that.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many jobs may wait; more than that and the store is overwhelmed.
const QUEUE: usize = 4096;
/// How many jobs share one commit.
const GROUP: usize = 256;

/// Runs inside the transaction; returns what tells its caller, once it is known how that ended.
type Job = Box<dyn FnOnce(&Transaction<'_>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), &StoreFailure>) + Send>;

/// The commit failed, for every job in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct StoreFailure(String);

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(connection, &queue))
            .map_err(StoreError::new)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `write` in a transaction and waits until it is durable. Once handed over it is carried
    /// out, also if the caller goes away.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let outcome = in_savepoint(transaction, write);
            Box::new(move |committed| {
                let outcome = outcome.map_err(StoreError::new);
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(failure) => Err(StoreError::new(failure.clone())),
                };
                // Nobody listens any more if the caller has gone away.
                let _ = reply.send(outcome);
            })
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| StoreError::new("the store is closed"))?;
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Disconnected(_) => StoreError::new("the writing thread has ended"),
            TrySendError::Full(_) => StoreError::new("too many writes are waiting"),
        })?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| StoreError::new("the disk does not answer in time"))?;
        answer.map_err(|_| StoreError::new("the write was not begun"))?
    }
}

impl Drop for Writer {
    /// Waits until everything that was handed over is on the disk.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A job that fails leaves nothing behind, and the others of its group alone.
fn in_savepoint<T>(
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

fn work(mut connection: Connection, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let group: Vec<Job> =
            std::iter::once(first).chain(queue.try_iter().take(GROUP - 1)).collect();
        commit(&mut connection, group);
    }
    // Folds the log into the database, so that the next start finds it tidy. Failing is harmless.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

fn commit(connection: &mut Connection, group: Vec<Job>) {
    let mut replies = Vec::with_capacity(group.len());
    let outcome = run(connection, group, &mut replies);
    // Of jobs that never ran nothing is said: their callers see the channel close.
    for reply in replies {
        reply(outcome.as_ref().copied());
    }
}

fn run(
    connection: &mut Connection,
    group: Vec<Job>,
    replies: &mut Vec<Reply>,
) -> Result<(), StoreFailure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in group {
        replies.push(job(&transaction));
        if is_undone(&transaction) {
            // The next job would be committed by itself, and then be said to have failed.
            return Err(StoreFailure("the writes of the same moment were undone".to_owned()));
        }
    }
    Ok(transaction.commit()?)
}

impl From<rusqlite::Error> for StoreFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(sql: &'static str, replies: &mpsc::Sender<bool>) -> Job {
        let replies = replies.clone();
        Box::new(move |transaction| {
            let outcome = in_savepoint(transaction, |transaction| transaction.execute(sql, []));
            Box::new(move |committed| {
                replies.send(outcome.is_ok() && committed.is_ok()).unwrap();
            })
        })
    }

    #[test]
    fn what_is_said_to_have_failed_left_nothing() {
        let good = "INSERT INTO t VALUES (2)";
        for (why, second, told, left) in [
            ("all go well", "INSERT INTO t VALUES (3)", &[true, true, true][..], 4),
            ("one fails by itself", "INSERT INTO t VALUES (1)", &[true, false, true], 3),
            ("one takes all with it", "INSERT OR ROLLBACK INTO t VALUES (1)", &[false, false], 1),
        ] {
            let mut connection = Connection::open_in_memory().unwrap();
            connection
                .execute_batch("CREATE TABLE t (n INTEGER UNIQUE); INSERT INTO t VALUES (1)")
                .unwrap();
            let (replies, answers) = mpsc::channel();
            let jobs = [good, second, "INSERT INTO t VALUES (4)"];
            let group = jobs.map(|sql| insert(sql, &replies)).into_iter().collect();
            drop(replies);
            commit(&mut connection, group);
            assert_eq!(answers.iter().collect::<Vec<_>>(), told, "{why}");
            let count = "SELECT count(*) FROM t";
            assert_eq!(connection.query_row(count, [], |row| row.get(0)), Ok(left), "{why}");
        }
    }
}
