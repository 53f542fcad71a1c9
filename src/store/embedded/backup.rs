//! A copy of the database while a server writes to it: SQLite's
//! [online backup](https://sqlite.org/backup.html).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::failure::{Damaged, is_damage};
use super::readers::reader;
use super::{EmbeddedStore, FILE};
use crate::files::{create_private, put_in_place, put_in_the_place_of};

/// How many pages are copied between two reports: 4 MB.
const AT_ONCE: i32 = 1000;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    /// The database is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The database, or the copy, cannot be used.
    #[error("the database in `{0}` cannot be copied")]
    Database(PathBuf, #[source] rusqlite::Error),
    /// There is a file of that name.
    #[error("`{0}` is there already: name another file, or replace it with --force")]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("`{0}` cannot be written")]
    File(PathBuf, #[source] io::Error),
    /// It would replace what it is a copy of.
    #[error("`{0}` is the store itself")]
    Itself(PathBuf),
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Existing {
    /// It stays, and there is no backup.
    Keep,
    /// It is replaced when the backup is whole.
    Replace,
}

/// What was backed up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackedUp {
    /// How many clients.
    pub clients: u64,
    /// How large the file is.
    pub bytes: u64,
}

impl EmbeddedStore {
    /// Copies the store in `folder` as it stands now into a file that only its owner can read; tells
    /// `progress` how many of a hundred parts are done. It needs no lock: it only reads, in one
    /// transaction, and holds up nobody who writes.
    pub fn back_up(
        folder: &Path,
        to: &Path,
        existing: Existing,
        progress: impl Fn(i32),
    ) -> Result<BackedUp, BackUpError> {
        let file = folder.join(FILE);
        if to.exists() {
            if fs::canonicalize(to).ok() == fs::canonicalize(&file).ok() {
                return Err(BackUpError::Itself(to.to_owned()));
            }
            if existing == Existing::Keep {
                return Err(BackUpError::Exists(to.to_owned()));
            }
        }
        let draft = draft(to);
        let failed = |error| BackUpError::File(to.to_owned(), error);
        create_private(&draft).map_err(failed)?;
        let placed = copy(&file, &draft, progress).and_then(|done| {
            let place = match existing {
                Existing::Keep => put_in_place(&draft, to),
                Existing::Replace => put_in_the_place_of(&draft, to),
            };
            match place {
                Ok(()) => Ok(done),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(BackUpError::Exists(to.to_owned()))
                }
                Err(error) => Err(failed(error)),
            }
        });
        if placed.is_err() {
            let _ = fs::remove_file(&draft);
        }
        placed
    }
}

/// Of this process alone: another that makes the same backup has another.
fn draft(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.draft", std::process::id()));
    to.with_file_name(name)
}

/// The draft is whole, on the disk, and one file.
fn copy(file: &Path, draft: &Path, progress: impl Fn(i32)) -> Result<BackedUp, BackUpError> {
    let database = |error| match is_damage(&error) {
        true => BackUpError::Damaged(Damaged::new(file, None, &error)),
        false => BackUpError::Database(file.to_owned(), error),
    };
    copy_pages(file, draft, progress).map_err(database)?;
    let clients = tidy(draft).map_err(database)?;
    let failed = |error| BackUpError::File(draft.to_owned(), error);
    let written = File::open(draft).map_err(failed)?;
    written.sync_all().map_err(failed)?;
    Ok(BackedUp { clients, bytes: written.metadata().map_err(failed)?.len() })
}

/// In one transaction: else every write of the server would begin the copy anew.
fn copy_pages(file: &Path, draft: &Path, progress: impl Fn(i32)) -> rusqlite::Result<()> {
    let source = reader(file)?;
    let transaction = source.unchecked_transaction()?;
    transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut copy = Connection::open(draft)?;
    copy.pragma_update(None, "synchronous", "OFF")?; // the file is synced when it is whole
    let backup = Backup::new(&transaction, &mut copy)?;
    loop {
        match backup.step(AT_ONCE)? {
            StepResult::Done => return Ok(()),
            _ => {
                let told = backup.progress();
                progress(100 - told.remaining.saturating_mul(100) / told.pagecount.max(1));
            }
        }
    }
}

/// Makes it one file without a log, and looks whether it is good. How many clients are in it.
fn tidy(draft: &Path) -> rusqlite::Result<u64> {
    let copy = Connection::open(draft)?;
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let said: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(corrupt, Some(said)));
    }
    let clients: i64 = copy.query_row("SELECT count(*) FROM clients", [], |row| row.get(0))?;
    Ok(u64::try_from(clients).unwrap_or_default())
}
