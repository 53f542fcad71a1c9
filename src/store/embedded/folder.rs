//! The folder: private, and locked while it is in use.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::OpenError;
use crate::files::make_private_folder;

/// The folder is the operator's alone: what is in it is as good as a key.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Folder { path: folder.to_owned(), source };
    make_private_folder(folder).map_err(failed)?;
    let lock = private_file(&folder.join("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens a file, making it for its owner alone if it is not there.
pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
