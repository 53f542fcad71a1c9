//! The store that needs no server: SQLite in a folder.
//!
//! Documents are JSON, as MongoDB writes it (relaxed extended JSON), beside the few columns that
//! are searched. The database survives `kill -9` at any moment: write-ahead log, full sync.

mod apart;
mod assertions;
mod audit;
mod backup;
mod changes;
mod check;
mod checkpoints;
mod clients;
mod desk;
mod facts;
mod failure;
mod folder;
mod lease;
mod lookups;
mod past_damage;
mod quotas;
mod readers;
mod rows;
mod schema;
mod signing_keys;
mod status;
mod transfer;
mod unused;
mod upkeep;
mod writer;

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::domain::id::ClientId;
use crate::domain::store_error::StoreError;

use super::unreadable::Unreadable;
use checkpoints::Checkpoints;
use desk::Desk;
use failure::{Damaged, META};
use lease::{Lease, Window};
use lookups::Lookups;
use readers::{Caller, Readers, Turn};
use writer::Writer;

pub use backup::{BackUpError, BackedUp, Existing};

/// How long a caller waits for a read.
const PATIENCE: Duration = Duration::from_secs(10);
/// The database, in its folder.
const FILE: &str = "latchkey.db";

/// Why an embedded store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or its lock file cannot be used.
    #[error("the folder `{path}` cannot be used")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in `{0}` is in use by another process; stop that one first")]
    Locked(PathBuf),
    /// A newer Latchkey wrote it.
    #[error(
        "the store in `{path}` was written by a newer version (schema {found}, known up to {known})",
        known = schema::SCHEMA
    )]
    Newer {
        /// Which folder.
        path: PathBuf,
        /// The schema it has.
        found: i64,
    },
    /// The file is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The database cannot be opened.
    #[error("the database in `{path}` cannot be opened{}", failure::remedy(source))]
    Database {
        /// Which folder.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writing thread cannot be started.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// SQLite in a folder, for one process.
pub struct EmbeddedStore {
    // Before the writing thread, which tidies up when nobody else reads any more.
    lookups: Lookups,
    writer: Writer,
    readers: Arc<Readers>,
    reading: Arc<Semaphore>,
    unreadable: Unreadable,
    /// Audit records that were delivered, and cannot be marked so: they are on damaged pages.
    told: Mutex<HashSet<String>>,
    /// Clients whose last login cannot be written, for the same reason.
    used: Mutex<HashSet<ClientId>>,
    /// The assertions that a power failure may have made forget that they were used.
    doubt: Option<Window>,
    _lock: File,
}

impl EmbeddedStore {
    /// Whether there is a store in `folder`.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// Opens the store in `folder`, making it if it is not there, and locks it.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_since(lease::boot_id(), folder)
    }

    /// The same, on a machine whose kernel has this name for the time since it was started. If the
    /// name is another than before, or none, and the store was not closed, there was a power failure.
    pub fn open_since(boot_id: Option<String>, folder: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { path: folder.to_owned(), source };
        let lock = folder::lock(folder)?;
        let file = folder.join(FILE);
        folder::private_file(&file).map_err(failed)?; // else SQLite makes it readable for all
        let database = |source| OpenError::of(folder, &file, None, source);
        let connection = Connection::open(&file).map_err(database)?;
        let found = schema::found(&connection).map_err(database)?;
        if found > schema::SCHEMA {
            return Err(OpenError::Newer { path: folder.to_owned(), found });
        }
        schema::prepare(&connection, found).map_err(database)?;
        let lease = Lease::found(&connection, boot_id)
            .map_err(|source| OpenError::of(folder, &file, Some(META), source))?;
        let checkpoints = Checkpoints::start(folder, &file)?;
        let doubt = lease.doubt();
        if let Some(doubt) = doubt {
            tracing::warn!(
                until = doubt.until(),
                "power failed while the server ran: assertions signed until then are refused, \
                 because they may have been used"
            );
        }
        let unreadable = Unreadable::default();
        Ok(Self {
            writer: Writer::start(Desk::new(connection, lease, Some(checkpoints)), &file)?,
            lookups: Lookups::start(&file, &unreadable)?,
            readers: Arc::new(Readers::of(file)),
            reading: Arc::new(Semaphore::new(readers::AT_ONCE)),
            unreadable,
            told: Mutex::default(),
            used: Mutex::default(),
            doubt,
            _lock: lock,
        })
    }

    /// Reads this table, as long as somebody waits for it, and for so long at most.
    async fn read<T: Send + 'static>(
        &self,
        table: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (readers, turn) = (self.readers.clone(), Turn::default());
        let _caller = Caller(turn.clone());
        let done = async {
            let place = self.reading.clone().acquire_owned().await.map_err(StoreError::new)?;
            let read = tokio::task::spawn_blocking(move || {
                let _place = place; // until the read has ended, whoever waits for it
                let read = readers.with(&turn, read);
                read.map_err(|error| failure::reading(readers.file(), Some(table), error))
            });
            read.await.map_err(StoreError::new)?
        };
        let done = tokio::time::timeout(PATIENCE, done).await;
        done.map_err(|_| StoreError::new("the disk does not answer in time"))?
    }
}

impl OpenError {
    fn of(
        folder: &Path,
        file: &Path,
        table: Option<&'static str>,
        source: rusqlite::Error,
    ) -> Self {
        if failure::is_damage(&source) {
            return Damaged::new(file, table, &source).into();
        }
        Self::Database { path: folder.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a row, so that it runs, and then takes long enough to be noticed.
    const ENDLESS: &str = "SELECT 1 UNION ALL SELECT count(*) FROM \
                           (WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) \
                           SELECT n FROM n LIMIT 100000000)";

    /// How a long read ends if this happens to its caller when it has begun.
    async fn ends_when<F: Future>(happens: impl FnOnce() -> F, is_answered: bool) {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let (start, started) = tokio::sync::oneshot::channel();
        let (ended, end) = tokio::sync::oneshot::channel();
        let read = store.read("none", move |connection| {
            let mut endless = connection.prepare(ENDLESS)?;
            let mut rows = endless.query([])?;
            rows.next()?;
            start.send(()).unwrap();
            let outcome = rows.next().map(drop);
            let code = outcome.as_ref().err().and_then(rusqlite::Error::sqlite_error_code);
            ended.send(code).unwrap();
            outcome
        });
        let happened = async {
            started.await.unwrap();
            happens().await;
        };
        if is_answered {
            let (read, ()) = tokio::join!(read, happened);
            assert!(read.is_err());
        } else {
            tokio::select! {
                biased;
                () = happened => {}
                _ = read => unreachable!(),
            }
        }
        assert_eq!(end.await.unwrap(), Some(rusqlite::ErrorCode::OperationInterrupted));
        let next = store.read("none", |connection| {
            connection.query_row("SELECT 7", [], |row| row.get::<_, i64>(0))
        });
        assert_eq!(next.await.unwrap(), 7, "nobody else is interrupted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_timed_out_is_interrupted() {
        ends_when(|| tokio::time::advance(PATIENCE), true).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_for_which_nobody_waits_is_interrupted() {
        ends_when(|| std::future::ready(()), false).await;
    }
}
