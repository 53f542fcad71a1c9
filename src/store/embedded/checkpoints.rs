//! Moves what is in the write-ahead log into the database, beside the writing thread. Under load that
//! thread would else stop several times a second and wait until the disk has done it.

use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use rusqlite::Connection;

use super::OpenError;
use crate::domain::store_error::StoreError;

/// After how many jobs it is time: long before the writing thread would do it
/// ([`LOG_PAGES`](super::schema::LOG_PAGES)).
const JOBS: usize = 500;

/// The way to the thread that does it.
pub(super) struct Checkpoints {
    due: Option<SyncSender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    jobs: usize,
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own to this database.
    pub(super) fn start(folder: &Path, file: &Path) -> Result<Self, OpenError> {
        let connection = Connection::open(file)
            .map_err(|source| OpenError::Database { path: folder.to_owned(), source })?;
        let (due, wanted) = mpsc::sync_channel(1);
        let work = move || {
            for () in wanted {
                // What fails is done the next time, or by the writing thread.
                let _ = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
            }
        };
        let thread = thread::Builder::new()
            .name("store-checkpoints".into())
            .spawn(work)
            .map_err(StoreError::new)?;
        Ok(Self { due: Some(due), thread: Some(thread), jobs: 0 })
    }

    /// So many jobs were committed.
    pub(super) fn committed(&mut self, jobs: usize) {
        self.jobs += jobs;
        if self.jobs >= JOBS {
            self.jobs = 0;
            // If one is due already, that one does it.
            let _ = self.due.as_ref().map(|due| due.try_send(()));
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.due.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
