//! Which store it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::config::StoreUrl;
use crate::domain::store_error::StoreError;
use crate::store::{EmbeddedStore, MemoryStore, OpenError, Store};

/// A store that may not have been reached yet.
#[derive(Clone)]
pub enum OpenStore {
    /// In a folder, which is where the administrator's credentials go.
    Embedded(Arc<EmbeddedStore>, PathBuf),
    /// In memory, for tests.
    Memory(Arc<MemoryStore>),
}

/// Why a store cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// The embedded one.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// Opens the store; a server is not waited for.
pub fn open_store(url: &StoreUrl) -> Result<OpenStore, StoreOpenError> {
    match url {
        StoreUrl::Folder(folder) => {
            Ok(OpenStore::Embedded(Arc::new(EmbeddedStore::open(folder)?), folder.clone()))
        }
        StoreUrl::Mongo(url) => Err(StoreError::new(url.expose_secret().len().to_string()).into()),
    }
}

impl OpenStore {
    /// The store, whichever it is.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store, _) => store.clone(),
            Self::Memory(store) => store.clone(),
        }
    }

    /// Makes it ready: reaches the server, makes indexes. May be tried again.
    pub async fn prepare(&self) -> Result<(), StoreOpenError> {
        match self {
            Self::Embedded(..) | Self::Memory(_) => Ok(()),
        }
    }

    /// Whether other processes write to it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        false
    }

    /// The folder it is in, if it is in one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded(_, folder) => Some(folder),
            Self::Memory(_) => None,
        }
    }
}

impl StoreOpenError {
    /// Whether the same may go well a moment later: the server is late.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
