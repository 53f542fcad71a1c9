//! This replica's private keys, as its folder has them now.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::domain::jwk::Algorithm;
use crate::signing::{Need, OwnPublicKey};

use super::key_folder::{KeyFolder, KeyFolderError, OwnKey, Stamp};
use super::private_key::PrivateKey;

/// When it is tried again to make a key that could not be made.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// The keys, and what was seen of their files.
pub(super) struct OwnKeys {
    folder: KeyFolder,
    files: Mutex<Files>,
    keys: RwLock<Vec<Arc<OwnKey>>>,
}

/// What is known of the folder.
#[derive(Default)]
struct Files {
    // As they were when they were read last.
    stamps: Vec<Stamp>,
    // True while the folder cannot be looked into, which is said once.
    away: bool,
    // When a key could not be made last.
    failed: Option<Instant>,
}

impl OwnKeys {
    /// Reads them; makes one if there is none that signs with the configured algorithm.
    pub(super) fn open(folder: KeyFolder) -> Result<Self, KeyFolderError> {
        // Before they are read: what changes meanwhile is read again.
        let stamps = folder.stamps().unwrap_or_default();
        let keys = folder.load_or_make()?.into_iter().map(Arc::new).collect();
        let files = Mutex::new(Files { stamps, ..Files::default() });
        Ok(Self { folder, files, keys: RwLock::new(keys) })
    }

    /// Whether the folder can be looked into, if a key was ever found in it.
    pub(super) fn are_files_readable(&self) -> bool {
        let files = self.files();
        !(files.away && self.has_file_in_folder(&files))
    }

    fn has_file_in_folder(&self, files: &Files) -> bool {
        files.stamps.iter().any(|stamp| stamp.path().starts_with(&self.folder.path))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<OwnKey>> {
        self.keys.read().clone()
    }

    /// The public halves, the one that shall sign first.
    pub(super) fn public(&self) -> Vec<OwnPublicKey> {
        let mut own: Vec<OwnPublicKey> = Vec::new();
        for key in self.all() {
            let jwk = key.key.public().clone();
            if !own.iter().any(|known| known.jwk.kid == jwk.kid) {
                own.push(OwnPublicKey { jwk, preferred: key.preferred, imported: key.imported });
            }
        }
        let configured = self.folder.algorithm;
        own.sort_by_key(|own| Reverse((own.preferred, own.jwk.algorithm == configured)));
        own
    }

    /// What tokens are signed with: what the key does that is set to sign, else what is configured.
    pub(super) fn algorithm(&self) -> Algorithm {
        let all = self.all();
        let preferred = all.iter().find(|own| own.preferred);
        preferred.map_or(self.folder.algorithm, |own| own.key.public().algorithm)
    }

    /// Looks whether there are other files than before.
    pub(super) fn look_at_files(&self) {
        let found = self.folder.stamps();
        let mut files = self.files();
        match found {
            Ok(stamps) if stamps == files.stamps => files.away = false,
            Ok(stamps) => {
                self.read_again(&stamps);
                *files = Files { stamps, ..Files::default() };
            }
            Err(reason) if !files.away => {
                files.away = true;
                // Without a key in it, the folder need not be there.
                if self.has_file_in_folder(&files) {
                    tracing::error!(%reason, "cannot read the signing keys; keeping the loaded ones");
                }
            }
            Err(_) => {}
        }
    }

    /// Makes a key of this name, unless there is one already.
    pub(super) fn make(&self, algorithm: Algorithm, name: &str, need: Need) {
        let failed = self.files().failed;
        let kept = match failed {
            Some(at) if at.elapsed() < TRY_AGAIN => false,
            // What is made is found when the files are looked at.
            _ => match self.folder.make(algorithm, Some(name)) {
                Ok(_) => true,
                Err(reason) => {
                    self.files().failed = Some(Instant::now());
                    tracing::error!(%reason, "cannot keep a new signing key");
                    false
                }
            },
        };
        match need {
            Need::Pressing if !kept => self.make_in_memory(algorithm),
            Need::Pressing | Need::Requested => {}
        }
    }

    /// Reads the files anew. One that cannot be read counts for what was in it before.
    fn read_again(&self, stamps: &[Stamp]) {
        let before = self.all();
        let mut own: Vec<Arc<OwnKey>> = Vec::new();
        for stamp in stamps {
            let held = || before.iter().find(|own| own.path.as_deref() == Some(stamp.path()));
            let key = match self.folder.read(stamp.path()) {
                Ok(key) => Some(Arc::new(key)),
                Err(reason) => {
                    tracing::error!(%reason, "ignoring a signing key");
                    held().cloned()
                }
            };
            own.extend(key);
        }
        own.extend(before.iter().filter(|own| own.path.is_none()).cloned());
        let kids = |keys: &[Arc<OwnKey>]| -> Vec<String> {
            keys.iter().map(|own| own.key.public().kid.clone()).collect()
        };
        let (old, new) = (kids(&before), kids(&own));
        for kid in new.iter().filter(|kid| !old.contains(kid)) {
            tracing::info!(kid, "signing key loaded");
        }
        for kid in old.iter().filter(|kid| !new.contains(kid)) {
            tracing::info!(kid, "signing key removed");
        }
        *self.keys.write() = own;
    }

    /// A key that lasts as long as the process: there must be one, and it cannot be kept.
    fn make_in_memory(&self, algorithm: Algorithm) {
        match PrivateKey::generate(algorithm) {
            Ok(key) => {
                let kid = key.public().kid.as_str();
                tracing::warn!(
                    kid,
                    "made a signing key in memory only; it is lost when the process ends"
                );
                let own = OwnKey { key, path: None, preferred: false, imported: false };
                self.keys.write().push(Arc::new(own));
            }
            Err(reason) => tracing::error!(%reason, "cannot make a signing key"),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock()
    }
}
