//! The folder with this replica's private signing keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use secrecy::SecretString;

use crate::domain::jwk::Algorithm;
use crate::files::{make_private_folder, write_private_from};

use super::private_key::{KeyFileError, PrivateKey};

/// Why the keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFolderError {
    /// A file or folder cannot be read or written.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no key that we can use.
    #[error("the key in `{path}` cannot be used: {source}")]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyFileError,
    },
}

/// One of this replica's private keys.
#[derive(Debug)]
pub struct OwnKey {
    /// The key.
    pub key: PrivateKey,
    /// The file it is in; `None` for one that could not be written to any.
    pub path: Option<PathBuf>,
    /// True for the key that the operator set to sign.
    pub preferred: bool,
    /// True if another platform signed with it before.
    pub imported: bool,
}

/// A key that the operator names, beside the folder.
#[derive(Clone, Debug)]
pub struct NamedKey {
    /// The file it is in.
    pub path: PathBuf,
    /// The `kid` it has been signing under; `None`: its thumbprint.
    pub kid: Option<String>,
    /// What it is encrypted with.
    pub password: Option<SecretString>,
}

/// Where the keys are.
#[derive(Clone, Debug)]
pub struct KeyFolder {
    /// The folder: every `*.pem` in it.
    pub path: PathBuf,
    /// The key that is set to sign, if one is.
    pub named: Option<NamedKey>,
    /// What a new key signs with.
    pub algorithm: Algorithm,
    /// What encrypted keys are encrypted with.
    pub password: Option<SecretString>,
}

/// What a file looks like from outside: if this stays, its content stays.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

impl KeyFolder {
    /// Every key; if there is none that signs with the algorithm, a new one, made and kept there.
    pub fn load_or_make(&self) -> Result<Vec<OwnKey>, KeyFolderError> {
        let mut keys = Vec::new();
        for path in self.files()? {
            keys.push(self.read(&path)?);
        }
        let serves = |own: &OwnKey| own.preferred || own.key.public().algorithm == self.algorithm;
        if !keys.iter().any(serves) {
            keys.extend(self.make(self.algorithm, None)?);
        }
        Ok(keys)
    }

    /// What the files look like now. A folder that cannot be looked into is an error: it does not
    /// mean that its keys are gone.
    pub(super) fn stamps(&self) -> Result<Vec<Stamp>, KeyFolderError> {
        let stamp = |path: PathBuf| {
            // Gone since the folder was listed: it is listed no more the next time.
            let about = fs::metadata(&path).ok()?;
            Some(Stamp { modified: about.modified().ok(), length: about.len(), path })
        };
        fs::read_dir(&self.path).map_err(|source| self.failed(source))?;
        Ok(self.files()?.into_iter().filter_map(stamp).collect())
    }

    /// Every file with a key; the named one first.
    fn files(&self) -> Result<Vec<PathBuf>, KeyFolderError> {
        let named = self.named.iter().map(|named| named.path.clone());
        Ok(named.chain(pem_files(&self.path)?).collect())
    }

    /// The key in one of the files.
    pub(super) fn read(&self, path: &Path) -> Result<OwnKey, KeyFolderError> {
        match self.named.as_ref().filter(|named| named.path == path) {
            Some(named) => {
                let key = read(path, self.algorithm, named.password.as_ref())?;
                let imported = named.kid.is_some();
                let key = match &named.kid {
                    Some(kid) => key.named(kid),
                    None => key,
                };
                Ok(OwnKey { key, path: Some(path.to_owned()), preferred: true, imported })
            }
            None => {
                let key = read(path, self.algorithm, self.password.as_ref())?;
                let path = Some(path.to_owned());
                Ok(OwnKey { key, path, preferred: false, imported: false })
            }
        }
    }

    /// Makes a key and keeps it in the folder, under this name or one of its own. `None` if there
    /// is a file of that name: somebody else made the key.
    pub(super) fn make(
        &self,
        algorithm: Algorithm,
        name: Option<&str>,
    ) -> Result<Option<OwnKey>, KeyFolderError> {
        make_private_folder(&self.path).map_err(|source| self.failed(source))?;
        let unusable = |source| KeyFolderError::Key { path: self.path.clone(), source };
        let key = PrivateKey::generate(algorithm).map_err(unusable)?;
        let kid = key.public().kid.as_str();
        let short = kid.get(..8).unwrap_or_default();
        let path = self.path.join(format!("{algorithm}-{}.pem", name.unwrap_or(short)));
        let draft = self.path.join(format!("{algorithm}-{short}.draft"));
        let pem = key.to_pem().map_err(unusable)?;
        match write_private_from(&draft, &path, pem.as_bytes()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(source) => return Err(KeyFolderError::File { path, source }),
        }
        tracing::info!(kid, file = %path.display(), "made a signing key; keep this file safe");
        Ok(Some(OwnKey { path: Some(path), preferred: false, imported: false, key }))
    }

    fn failed(&self, source: io::Error) -> KeyFolderError {
        KeyFolderError::File { path: self.path.clone(), source }
    }
}

impl Stamp {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn pem_files(folder: &Path) -> Result<Vec<PathBuf>, KeyFolderError> {
    let failed = |source| KeyFolderError::File { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// An RSA key signs RS256, unless its file says PS256 or that is what is configured.
fn read(
    path: &Path,
    algorithm: Algorithm,
    password: Option<&SecretString>,
) -> Result<PrivateKey, KeyFolderError> {
    let pem = fs::read_to_string(path)
        .map_err(|source| KeyFolderError::File { path: path.to_owned(), source })?;
    let failed = |source| KeyFolderError::Key { path: path.to_owned(), source };
    let key = PrivateKey::from_pem(&pem, password).and_then(PrivateKey::for_tokens);
    let key = key.map_err(failed)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = |algorithm: Algorithm| name.starts_with(algorithm.as_str());
    let wanted = algorithm == Algorithm::PS256 && !named(Algorithm::RS256);
    if (wanted || named(Algorithm::PS256)) && key.public().algorithm == Algorithm::RS256 {
        return key.with_algorithm(Algorithm::PS256).map_err(failed);
    }
    Ok(key)
}
