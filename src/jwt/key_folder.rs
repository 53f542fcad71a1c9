//! The folder with this replica's private signing keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::domain::jwk::Algorithm;
use crate::files::{make_private_folder, write_private};

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
    /// The file it is in.
    pub path: PathBuf,
    /// True for the key that the operator set to sign.
    pub preferred: bool,
    /// True if another platform signed with it before.
    pub imported: bool,
    /// True if it was made just now.
    pub made: bool,
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

/// Every `*.pem` in `folder` and the named key; if there is none that signs with `algorithm`, a new
/// one, made and kept there.
pub fn load_or_make(
    folder: &Path,
    named: Option<&NamedKey>,
    algorithm: Algorithm,
    password: Option<&SecretString>,
) -> Result<Vec<OwnKey>, KeyFolderError> {
    let mut keys = Vec::new();
    if let Some(named) = named {
        let key = read(&named.path, algorithm, named.password.as_ref())?;
        let imported = named.kid.is_some();
        let key = match &named.kid {
            Some(kid) => key.named(kid),
            None => key,
        };
        keys.push(OwnKey { key, path: named.path.clone(), preferred: true, imported, made: false });
    }
    for path in pem_files(folder)? {
        let key = read(&path, algorithm, password)?;
        keys.push(OwnKey { key, path, preferred: false, imported: false, made: false });
    }
    let serves = |own: &OwnKey| own.preferred || own.key.public().algorithm == algorithm;
    if !keys.iter().any(serves) {
        keys.push(make(folder, algorithm)?);
    }
    Ok(keys)
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
    let key = PrivateKey::from_pem(&pem, password).map_err(failed)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = |algorithm: Algorithm| name.starts_with(algorithm.as_str());
    let wanted = algorithm == Algorithm::PS256 && !named(Algorithm::RS256);
    if (wanted || named(Algorithm::PS256)) && key.public().algorithm == Algorithm::RS256 {
        return key.with_algorithm(Algorithm::PS256).map_err(failed);
    }
    Ok(key)
}

fn make(folder: &Path, algorithm: Algorithm) -> Result<OwnKey, KeyFolderError> {
    let failed = |source| KeyFolderError::File { path: folder.to_owned(), source };
    make_private_folder(folder).map_err(failed)?;
    let unusable = |source| KeyFolderError::Key { path: folder.to_owned(), source };
    let key = PrivateKey::generate(algorithm).map_err(unusable)?;
    let short = key.public().kid.get(..8).unwrap_or_default().to_owned();
    let path = folder.join(format!("{algorithm}-{short}.pem"));
    let pem = key.to_pem().map_err(unusable)?;
    write_private(&path, pem.as_bytes())
        .map_err(|source| KeyFolderError::File { path: path.clone(), source })?;
    Ok(OwnKey { key, path, preferred: false, imported: false, made: true })
}
