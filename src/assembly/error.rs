//! Why the server cannot start.

use std::path::{Path, PathBuf};

use crate::clients::error::ClientsError;
use crate::clients::pepper::NoPepper;
use crate::jose::KeyFolderError;

use super::{OpenStore, StoreOpenError};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The administrator cannot be made.
    #[error("the administrator cannot be set up: {0}")]
    Admin(#[from] ClientsError),
    /// A file cannot be read or written.
    #[error("`{0}` cannot be used: {1}")]
    File(PathBuf, std::io::Error),
    /// The `admin_client_id` is none.
    #[error("admin_client_id: {0}")]
    AdminId(#[from] crate::domain::id::MalformedClientId),
    /// A signing key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyFolderError),
    /// No HTTP client can be made.
    #[error("the webhook cannot be reached: {0}")]
    Webhook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Randomness ran out.
    #[error(transparent)]
    NoEntropy(#[from] crate::random::NoEntropy),
    /// The pepper cannot be had.
    #[error("the pepper of the store{} cannot be used", folder.as_deref().map(of_folder).unwrap_or_default())]
    Pepper {
        /// The folder of the store, if it is in one.
        folder: Option<PathBuf>,
        /// Why not.
        source: NoPepper,
    },
    /// The store cannot be used.
    #[error("store (--store, LATCHKEY_STORE): {0}")]
    Store(#[from] StoreOpenError),
}

fn of_folder(folder: &Path) -> String {
    format!(" in the folder `{}`", folder.display())
}

impl StartError {
    /// Why the pepper of this store cannot be used.
    pub(super) fn pepper(store: &OpenStore, source: NoPepper) -> Self {
        Self::Pepper { folder: store.folder().map(Path::to_owned), source }
    }

    /// Whether the same may go well a moment later, when the store answers.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Admin(ClientsError::Store(error))
            | Self::Pepper { source: NoPepper::Store(error), .. } => !error.is_damaged(),
            Self::Store(error) => error.is_temporary(),
            _ => false,
        }
    }
}
