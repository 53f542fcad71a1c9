//! What SQLite says, told apart by what helps.

use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode};

use crate::domain::store_error::StoreError;

/// A file that is damaged, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database `{file}` is damaged ({said}): `latchkey store check` says where; stop the server, \
     and put a backup in its place, or copy what can be read with `latchkey store copy`"
)]
pub struct Damaged {
    /// Which file.
    file: PathBuf,
    /// What SQLite said.
    said: String,
}

impl Damaged {
    pub(super) fn new(file: &Path, said: &Error) -> Self {
        Self { file: file.to_owned(), said: said.to_string() }
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

/// Whether there is no room, or no permission, to write.
pub(super) fn is_refusal_to_write(error: &Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    matches!(code, Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
}

/// What a reader is told.
pub(super) fn reading(file: &Path, error: Error) -> StoreError {
    if is_damage(&error) {
        return StoreError::damaged(Damaged::new(file, &error));
    }
    StoreError::new(error)
}

/// What a writer is told.
pub(super) fn writing(file: &Path, error: Error) -> StoreError {
    if is_refusal_to_write(&error) {
        return StoreError::unwritable(error);
    }
    reading(file, error)
}
