//! Files that hold secrets.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file that only its owner can read: whole or not at all, also if the power fails.
/// Refuses to replace one that is there.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write_private_from(&draft(path), path, content)
}

/// The same, by way of this draft: where several may write the file at once, each has its own.
pub fn write_private_from(draft: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    write_draft(draft, content)?;
    put_in_place(draft, path)
}

/// Gives a draft that is whole its name. Refuses to replace a file that is there.
pub fn put_in_place(draft: &Path, path: &Path) -> io::Result<()> {
    // A second name, unlike a new one, never replaces what is there.
    let linked = fs::hard_link(draft, path);
    let _ = fs::remove_file(draft);
    linked?;
    sync_folder(path)
}

/// Gives a draft that is whole the name of whatever is there.
pub fn put_in_the_place_of(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    sync_folder(path)
}

/// Opens a new file that only its owner can read, for what comes bit by bit. Refuses to replace one
/// that is there.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes such a file in the place of whatever is there.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = draft(path);
    write_draft(&draft, content)?;
    put_in_the_place_of(&draft, path)
}

fn write_draft(draft: &Path, content: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(draft); // left by an attempt that was cut off
    let mut file = create_private(draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(draft);
    }
    written
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".draft");
    path.with_file_name(name)
}

/// Makes a folder that only its owner can enter; one that is there is left as it is.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
