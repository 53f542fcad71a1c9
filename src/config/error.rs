//! What is wrong with settings.

use std::path::PathBuf;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("`{path}` is not valid TOML: {reason}")]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file has a key that is no setting.
    #[error("`{path}`: unknown setting `{key}`; `latchkey serve --help` lists them")]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
    },
    /// A value cannot be used.
    #[error("{origin}: {reason}")]
    Value {
        /// The file and key, the variable or the flag that it came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Conflict(String),
}

impl ConfigError {
    pub(super) fn conflict(why: impl Into<String>) -> Self {
        Self::Conflict(why.into())
    }
}
