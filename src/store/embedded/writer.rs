//! One thread writes to the embedded database, and commits what has gathered in one go.
//!
//! A commit waits for the disk; under load the jobs that arrive meanwhile share the next one. A job
//! is answered only after its commit, so what was answered survives `kill -9`. A commit of nothing
//! but used assertions does not wait for the disk, if the [lease](super::lease) holds all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use rusqlite::Transaction;
use tokio::sync::oneshot;

use super::desk::{Desk, Job, Ran, StoreFailure, in_savepoint};
use super::failure;
use crate::domain::store_error::StoreError;
use crate::oauth::AssertionDates;

/// How long a caller waits for its write; it may still be carried out after that.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many jobs may wait; more than that and the store is overwhelmed.
const QUEUE: usize = 4096;

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<Path>,
    // The disk did not take a write, and none is known to have been taken since.
    refused: AtomicBool,
    jobs: Option<SyncSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which writes to the database in this file.
    pub(super) fn start(desk: Desk, file: &Path) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || desk.work(&queue))
            .map_err(StoreError::new)?;
        let refused = AtomicBool::new(false);
        Ok(Self { file: file.into(), refused, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `write` in a transaction and waits until it is durable. Once handed over it is carried
    /// out, also if the caller goes away.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_over(None, write).await
    }

    /// The same, of what only remembers that an assertion of these dates was used. Waits until it is
    /// durable, or until it survives everything but a power failure, after which it is in doubt.
    pub(super) async fn remember<T: Send + 'static>(
        &self,
        assertion: AssertionDates,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_over(Some(assertion), write).await
    }

    async fn hand_over<T: Send + 'static>(
        &self,
        assertion: Option<AssertionDates>,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let file = self.file.clone();
        let run = Box::new(move |transaction: &Transaction<'_>| -> Ran {
            let outcome = in_savepoint(transaction, |transaction| {
                // Else nothing would be written any more.
                catch_unwind(AssertUnwindSafe(|| write(transaction))).unwrap_or_else(|_| {
                    Err(rusqlite::Error::ToSqlConversionFailure("the write panicked".into()))
                })
            });
            let met_damage = outcome.as_ref().err().is_some_and(failure::is_corrupt);
            let tell = Box::new(move |committed: Result<(), &StoreFailure>| {
                // What a job says of itself is why all were undone.
                let outcome = match (outcome, committed) {
                    (Err(error), _) => Err(failure::writing(&file, error)),
                    (Ok(_), Err(failure)) => Err(failure.to_error(&file)),
                    (Ok(outcome), Ok(())) => Ok(outcome),
                };
                // Nobody listens any more if the caller has gone away.
                let _ = reply.send(outcome);
            });
            Ran { reply: tell, met_damage }
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| StoreError::new("the store is closed"))?;
        jobs.try_send(Job { assertion, run }).map_err(|refused| match refused {
            TrySendError::Disconnected(_) => StoreError::new("the writing thread has ended"),
            TrySendError::Full(_) => StoreError::new("too many writes are waiting"),
        })?;
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| StoreError::new("the disk does not answer in time"))?;
        let answer = answer.map_err(|_| StoreError::new("the write was not begun"))?;
        if answer.as_ref().is_err_and(StoreError::is_unwritable) {
            self.refused.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Whether the disk did not take what was written last.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Notes that it takes writes. One that changed nothing says nothing of that.
    pub(super) fn has_room(&self) {
        self.refused.store(false, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use crate::store::EmbeddedStore;

    #[tokio::test]
    async fn a_panic_fails_one_write_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let sql = "INSERT INTO meta (name, value) VALUES ('x', x'07')";
        let panicking = store.writer.write(|transaction| {
            transaction.execute(sql, [])?;
            if transaction.is_autocommit() { Ok(()) } else { panic!("a panic") }
        });
        assert!(panicking.await.is_err());
        let added = store.writer.write(|transaction| transaction.execute(sql, [])).await.unwrap();
        assert_eq!(added, 1, "the one that panicked left nothing");
    }
}
