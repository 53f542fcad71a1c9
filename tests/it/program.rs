//! The program as it is run: a process of its own, which takes signals.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write, stderr};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::signing_key;

/// The issuer of every program.
pub(crate) const ISSUER: &str = "http://issuer.test";

/// A running program; killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

impl Program {
    /// In this folder, where its keys and its embedded store are. Returns when it is ready.
    pub(crate) fn start(folder: &Path, address: SocketAddr, more: &[&str]) -> Self {
        Self::start_as(ISSUER, folder, address, more)
    }

    /// The same with another issuer.
    pub(crate) fn start_as(
        issuer: &str,
        folder: &Path,
        address: SocketAddr,
        more: &[&str],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
            .args(["serve", "--listen", &address.to_string(), "--issuer", issuer])
            .args([
                "--registration-rate=0",
                "--revocation-rate=0",
                "--throttle=off",
                "--log-format=json",
            ])
            .args(more)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map_while(Result::ok);
        let ready = lines
            .by_ref()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["message"] == "ready")
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop)); // else its log would stop it
        let url = format!("http://{}", ready["listen"].as_str().unwrap());
        Self { child, url }
    }

    /// Ends it as a power cut would, without waiting for the end.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
    }

    /// Asks it to stop, and waits until it has: whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.signal("-TERM");
        self.child.wait().unwrap().success()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill(); // SIGKILL
        let _ = self.child.wait();
    }
}

/// An address on which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Gives a program the key that all tests share: making one takes long, and where several share a
/// store, each with a key of its own, all but the first wait for a minute before they sign.
pub(crate) fn share_key(folder: &Path) {
    let keys = folder.join("keys");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("RS256-test.pem"), signing_key().to_pem().unwrap().as_bytes()).unwrap();
}

/// Where another program is: on the `PATH`, where Debian has what is not on everybody's, or where
/// `.ci/run` puts it.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin");
    installed_in(env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), ours]), program)
}

/// The file in one of these folders. `None`, and said so, if it is not there; with `CI` set that is
/// a failure.
pub(crate) fn installed_in(
    mut folders: impl Iterator<Item = PathBuf>,
    name: &str,
) -> Option<PathBuf> {
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()));
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "{name} is not there");
        // Past the test harness, which shows what is printed of failures only.
        let _ = writeln!(stderr(), "left out: what needs {name}, which is not there");
    }
    found
}
