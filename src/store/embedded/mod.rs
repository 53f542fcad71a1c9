//! The store that needs no server: SQLite in a folder.
//!
//! Documents are JSON, as MongoDB writes it (relaxed extended JSON), beside the few columns that
//! are searched. The database survives `kill -9` at any moment: write-ahead log, full sync.

mod assertions;
mod audit;
mod changes;
mod checkpoints;
mod clients;
mod desk;
mod facts;
mod folder;
mod lease;
mod quotas;
mod readers;
mod rows;
mod schema;
mod signing_keys;
mod transfer;
mod unused;
mod upkeep;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::domain::store_error::StoreError;

use super::unreadable::Unreadable;
use checkpoints::Checkpoints;
use desk::Desk;
use lease::{Lease, Window};
use readers::Readers;
use writer::Writer;

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
    /// The database cannot be opened.
    #[error("the database in `{path}` cannot be opened")]
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
    writer: Writer,
    readers: Arc<Readers>,
    unreadable: Unreadable,
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
        let database = |source| OpenError::Database { path: folder.to_owned(), source };
        let connection = Connection::open(&file).map_err(database)?;
        let found = schema::found(&connection).map_err(database)?;
        if found > schema::SCHEMA {
            return Err(OpenError::Newer { path: folder.to_owned(), found });
        }
        schema::prepare(&connection).map_err(database)?;
        let lease = Lease::found(&connection, boot_id).map_err(database)?;
        let checkpoints = Checkpoints::start(folder, &file)?;
        let doubt = lease.doubt();
        if let Some(doubt) = doubt {
            tracing::warn!(
                until = doubt.until(),
                "power failed while the server ran: assertions signed until then are refused, \
                 because they may have been used"
            );
        }
        Ok(Self {
            writer: Writer::start(Desk::new(connection, lease, Some(checkpoints)))?,
            readers: Arc::new(Readers::of(file)),
            unreadable: Unreadable::default(),
            doubt,
            _lock: lock,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        let done = tokio::task::spawn_blocking(move || readers.with(read));
        let done = tokio::time::timeout(PATIENCE, done).await;
        let done = done.map_err(|_| StoreError::new("the disk does not answer in time"))?;
        done.map_err(StoreError::new)?.map_err(StoreError::new)
    }
}
