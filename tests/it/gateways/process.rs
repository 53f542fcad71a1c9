//! A gateway that runs, with the files that are shipped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::PATIENCE;

/// A running gateway; killed when dropped.
pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Gateway {
    /// Returns when it listens. What it prints is shown if it does not.
    pub(super) async fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Self {
        let log = folder.path().join("log");
        let file = File::create(&log).unwrap();
        command.current_dir(folder.path()).env("HOME", folder.path());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = command.spawn().unwrap();
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let starting = process.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE;
            assert!(starting, "it does not start: {}", fs::read_to_string(log).unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { address, process, _folder: folder }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder that whoever a gateway makes itself may read.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Writes a file of `deploy/` with each of these replaced, which it must name.
pub(super) fn write(folder: &Path, name: &str, shipped: &str, changes: &[(&str, &str)]) -> PathBuf {
    let text = changes.iter().fold(shipped.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{name} does not name {from}");
        text.replace(from, to)
    });
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file
}
