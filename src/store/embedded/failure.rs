//! What SQLite says, told apart by what helps.

use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode, ffi};

use crate::domain::store_error::StoreError;

/// A file that is damaged, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database `{file}` is damaged ({}{said}): `latchkey store check` says where; stop the \
     server, and {}",
    table.map(|table| format!("table `{table}`: ")).unwrap_or_default(),
    way_out(*table)
)]
pub struct Damaged {
    /// Which file.
    file: PathBuf,
    /// Which table, if one was read.
    table: Option<&'static str>,
    /// What SQLite said.
    said: String,
}

/// The table of what all processes on the store agree on: the pepper, say.
pub(super) const META: &str = "meta";

fn way_out(table: Option<&str>) -> &'static str {
    match table {
        Some(META) => {
            "put a backup in its place; that table has the pepper, without which no secret that this \
             server made verifies, so `latchkey store copy` does not help"
        }
        Some("revocations") => {
            "put a backup in its place, and revoke all tokens so far with `latchkey revoke --all`; \
             without that table revoked tokens would pass, so `latchkey store copy` does not help"
        }
        _ => "put a backup in its place, or copy what can be read with `latchkey store copy`",
    }
}

impl Damaged {
    pub(super) fn new(file: &Path, table: Option<&'static str>, said: &Error) -> Self {
        Self { file: file.to_owned(), table, said: said.to_string() }
    }
}

/// Whether a page of the file cannot be what it should be.
pub(super) fn is_corrupt(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Whether the file, or what was read of it, is no database.
pub(super) fn is_damage(error: &Error) -> bool {
    is_corrupt(error) || error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}

/// What helps, where that is known, behind what is wrong.
pub(super) fn remedy(error: &Error) -> &'static str {
    // The file that readers share has to grow even to read.
    if error.sqlite_error().is_some_and(|it| it.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
        return NO_ROOM;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => NO_ROOM,
        Some(ErrorCode::CannotOpen) => {
            ": check the permissions and the owner of the folder and of the files in it, and that \
             there is room on the disk"
        }
        Some(ErrorCode::ReadOnly) => {
            ": it is read-only; check the permissions of the folder and of the files in it, and how \
             the file system is mounted"
        }
        Some(ErrorCode::SystemIoFailure) => {
            ": the system reported an input/output error; check the disk and the log of the kernel"
        }
        _ => "",
    }
}

const NO_ROOM: &str = ": there is no room on the disk; make some, and start again";

/// Whether there is no room, or no permission, to write.
pub(super) fn is_refusal_to_write(error: &Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    matches!(code, Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
}

/// What a reader is told.
pub(super) fn reading(file: &Path, table: Option<&'static str>, error: Error) -> StoreError {
    // The tables are strict: no column has another type, unless the file was damaged.
    if is_damage(&error) || matches!(error, Error::InvalidColumnType(..)) {
        return StoreError::damaged(Damaged::new(file, table, &error));
    }
    StoreError::new(error)
}

/// What a writer is told.
pub(super) fn writing(file: &Path, error: Error) -> StoreError {
    if is_refusal_to_write(&error) {
        return StoreError::unwritable(error);
    }
    reading(file, None, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_cause_is_named() {
        for (code, said) in [
            (ffi::SQLITE_FULL, "no room"),
            (ffi::SQLITE_IOERR_SHMSIZE, "no room"),
            (ffi::SQLITE_IOERR_READ, "input/output error"),
            (ffi::SQLITE_CANTOPEN, "permissions"),
            (ffi::SQLITE_READONLY, "read-only"),
            (ffi::SQLITE_READONLY_DIRECTORY, "read-only"),
            (ffi::SQLITE_BUSY, ""),
        ] {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            assert!(remedy(&error).contains(said), "{code}: {}", remedy(&error));
            assert_eq!(remedy(&error).is_empty(), said.is_empty(), "{code}");
        }
    }
}
