//! One thread writes to the embedded database, and commits what has gathered in one go.
//!
//! A commit waits for the disk; under load the jobs that arrive meanwhile share the next one. A job
//! is answered only after its commit, so what was answered survives `kill -9`.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::domain::store_error::StoreError;

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
        jobs.try_send(job).map_err(|_| StoreError::new("too many writes are waiting"))?;
        answer.await.map_err(|_| StoreError::new("the writing thread has ended"))?
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
    if outcome.is_err() {
        transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    transaction.prepare_cached("RELEASE job")?.execute([])?;
    outcome
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
    let outcome = (|| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        replies.extend(group.into_iter().map(|job| job(&transaction)));
        transaction.commit()
    })();
    // Of jobs that never ran nothing is said: their callers see the channel close.
    let outcome = outcome.map_err(|error: rusqlite::Error| StoreFailure(error.to_string()));
    for reply in replies {
        reply(outcome.as_ref().copied());
    }
}
