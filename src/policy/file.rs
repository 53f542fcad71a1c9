//! The policy of gateways, from its file: read at start, and again whenever it changes.
//!
//! The beginning of a file that is being written may be a policy too, and a laxer one: what changed
//! counts only when two looks in a row saw the same. Who writes more slowly than that must replace
//! the file by renaming.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, io};

use parking_lot::{Mutex, RwLock};

use super::{Policy, PolicyError};

/// How often the file is looked at. A new policy is in force after two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// The policy that is in force, and the file it came from.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    seen: Mutex<Seen>,
    in_force: RwLock<Arc<Policy>>,
    is_current: AtomicBool,
}

/// What the file said when it was last looked at.
#[derive(Debug)]
struct Seen {
    // Nothing if it could not be read.
    content: Option<Vec<u8>>,
    is_judged: bool,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is in it is no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl PolicyFile {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Self, PolicyFileError> {
        let content = fs::read(path)?;
        Ok(Self {
            in_force: RwLock::new(Arc::new(Policy::of_file(path, &content)?)),
            path: path.to_owned(),
            seen: Mutex::new(Seen { content: Some(content), is_judged: true }),
            is_current: AtomicBool::new(true),
        })
    }

    /// The last good policy.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.in_force.read().clone()
    }

    /// Whether the policy in force is what the file says now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    /// Reads the file again whenever it changes.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let this = self.clone();
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    /// Looks once. What is there a second time is put in force; or it is reported if it is bad, and
    /// the old policy stays. Blocks.
    pub fn look(&self) {
        let read = fs::read(&self.path);
        let mut seen = self.seen.lock();
        if read.as_ref().ok() != seen.content.as_ref() {
            *seen = Seen { content: read.ok(), is_judged: false };
            return;
        }
        if !seen.is_judged {
            seen.is_judged = true;
            self.judge(read);
        }
    }

    /// Reads the file now, for somebody who knows that it is complete. Blocks.
    pub fn reread(&self) {
        let read = fs::read(&self.path);
        let mut seen = self.seen.lock();
        *seen = Seen { content: read.as_ref().ok().cloned(), is_judged: true };
        self.judge(read);
    }

    fn judge(&self, read: io::Result<Vec<u8>>) {
        let fresh = read.map_err(PolicyFileError::from);
        let fresh = fresh.and_then(|content| Ok(Policy::of_file(&self.path, &content)?));
        self.is_current.store(fresh.is_ok(), Ordering::Relaxed);
        let file = self.path.display();
        match fresh {
            Ok(fresh) => {
                tracing::info!(%file, paths = fresh.paths(), rules = fresh.rules(), "a new policy");
                *self.in_force.write() = Arc::new(fresh);
            }
            Err(error) => {
                tracing::error!(%file, %error, "the new policy cannot be used; the old one stays");
            }
        }
    }
}
