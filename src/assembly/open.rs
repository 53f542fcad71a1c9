//! Which store it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::config::StoreUrl;
use crate::domain::store_error::StoreError;
use crate::store::{EmbeddedStore, MemoryStore, MongoOpenError, MongoStore, OpenError, Store};

/// A store that may not have been reached yet.
#[derive(Clone)]
pub enum OpenStore {
    /// In a folder, which is where the administrator's credentials go.
    Embedded(Arc<EmbeddedStore>, PathBuf),
    /// In memory, for tests.
    Memory(Arc<MemoryStore>),
    /// On a server that may be late.
    Mongo(Arc<MongoStore>),
}

/// Why a store cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// There is none where one must be.
    #[error("there is no store in the folder `{0}`")]
    Absent(PathBuf),
    /// The embedded one.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// The database server, or its URL.
    #[error(transparent)]
    Mongo(#[from] MongoOpenError),
    /// No URL of a store.
    #[error("a store is file:FOLDER or mongodb://HOST/DATABASE")]
    Unknown,
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
        StoreUrl::Mongo(url) => {
            Ok(OpenStore::Mongo(Arc::new(MongoStore::open(url.expose_secret())?)))
        }
        StoreUrl::Unknown(_) => Err(StoreOpenError::Unknown),
    }
}

/// Opens a store that must be there already: a misspelt folder is no new store.
pub fn open_existing_store(url: &StoreUrl) -> Result<OpenStore, StoreOpenError> {
    match url {
        StoreUrl::Folder(folder) if !EmbeddedStore::is_in(folder) => {
            Err(StoreOpenError::Absent(folder.clone()))
        }
        StoreUrl::Folder(_) | StoreUrl::Mongo(_) | StoreUrl::Unknown(_) => open_store(url),
    }
}

impl OpenStore {
    /// The store, whichever it is.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store, _) => store.clone(),
            Self::Memory(store) => store.clone(),
            Self::Mongo(store) => store.clone(),
        }
    }

    /// Makes it ready: reaches the server, makes indexes. May be tried again.
    pub async fn prepare(&self) -> Result<(), StoreOpenError> {
        match self {
            Self::Embedded(..) | Self::Memory(_) => Ok(()),
            Self::Mongo(store) => Ok(store.prepare().await?),
        }
    }

    /// Whether other processes write to it too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Mongo(_))
    }

    /// The folder it is in, if it is in one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded(_, folder) => Some(folder),
            Self::Memory(_) | Self::Mongo(_) => None,
        }
    }
}

impl StoreOpenError {
    /// Whether the same may go well a moment later: the server is late.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable(error) => !error.is_damaged(),
            Self::Mongo(MongoOpenError::Unreachable(_)) => true,
            _ => false,
        }
    }
}
