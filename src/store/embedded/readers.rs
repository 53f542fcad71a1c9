//! Reading: beside the writing thread, and never in its way.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, InterruptHandle, OpenFlags};

/// How many read at once; each has a thread and a connection.
pub(super) const AT_ONCE: usize = 8;
/// What a connection keeps of the database, in KiB; the rest the system has.
const CACHE: i32 = 256;

/// One read, which ends when nobody waits for it any more.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<Mutex<Stage>>);

#[derive(Default)]
enum Stage {
    #[default]
    Waiting,
    Reading(InterruptHandle),
    Over,
}

/// Whoever waits for a read: when it goes away, the read is interrupted, or does not begin.
pub(super) struct Caller(pub(super) Turn);

impl Drop for Caller {
    fn drop(&mut self) {
        let mut stage = self.0.stage();
        if let Stage::Reading(handle) = &*stage {
            handle.interrupt();
        }
        *stage = Stage::Over;
    }
}

impl Turn {
    fn take<T>(
        &self,
        connection: &Connection,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let handle = connection.get_interrupt_handle();
        match std::mem::replace(&mut *self.stage(), Stage::Reading(handle)) {
            Stage::Waiting => {}
            Stage::Reading(_) | Stage::Over => {
                let interrupted = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT);
                return Err(rusqlite::Error::SqliteFailure(interrupted, None));
            }
        }
        let outcome = read(connection);
        *self.stage() = Stage::Over; // the next read of this connection is another's
        outcome
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock()
    }
}

/// Connections that only read.
pub(super) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// None yet; opened as they are needed.
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file, idle: Mutex::default() }
    }

    /// The file that is read.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads with a connection that nobody else uses meanwhile.
    pub(super) fn with<T>(
        &self,
        turn: &Turn,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reader(&self.file)?,
        };
        let outcome = turn.take(&connection, read);
        let mut idle = self.idle.lock();
        if idle.len() < AT_ONCE {
            idle.push(connection);
        }
        outcome
    }
}

/// A connection that only reads. It may stand beside a server that writes: what it reads in one
/// transaction is of one moment.
pub(super) fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -CACHE)?; // negative: in KiB
    Ok(connection)
}
