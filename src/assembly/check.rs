//! Looks at everything that a store keeps, and backs one up.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::config::StoreUrl;
use crate::store::{BackUpError, BackedUp, EmbeddedStore, Existing, Inspection, MongoStore};

use super::StoreOpenError;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum NoBackUp {
    /// It cannot be made.
    #[error(transparent)]
    Embedded(#[from] BackUpError),
    /// It is made by other means.
    #[error(
        "a MongoDB database is backed up with `mongodump --uri URL` (MongoDB Database Tools); this \
         command is for embedded stores"
    )]
    Mongo,
    /// There is no store.
    #[error(transparent)]
    Open(#[from] StoreOpenError),
}

/// Looks at everything in a store that is there, as a server reads it, and writes nothing. Servers may
/// run meanwhile.
pub async fn check_store(
    url: &StoreUrl,
    mut progress: impl FnMut(&Inspection) + Send + 'static,
) -> Result<Inspection, StoreOpenError> {
    match url {
        StoreUrl::Folder(folder) => Ok(EmbeddedStore::inspect(existing(folder)?, &mut progress)?),
        StoreUrl::Mongo(url) => {
            let store = Arc::new(MongoStore::open(url.expose_secret())?);
            store.reach().await?;
            Ok(store.inspect(progress).await?)
        }
        StoreUrl::Unknown(_) => Err(StoreOpenError::Unknown),
    }
}

/// Copies an embedded store into a file, while a server may write to it.
pub fn back_up_store(
    url: &StoreUrl,
    to: &Path,
    existing_file: Existing,
    progress: impl Fn(i32),
) -> Result<BackedUp, NoBackUp> {
    match url {
        StoreUrl::Folder(folder) => {
            Ok(EmbeddedStore::back_up(existing(folder)?, to, existing_file, progress)?)
        }
        StoreUrl::Mongo(_) => Err(NoBackUp::Mongo),
        StoreUrl::Unknown(_) => Err(StoreOpenError::Unknown.into()),
    }
}

fn existing(folder: &Path) -> Result<&Path, StoreOpenError> {
    match EmbeddedStore::is_in(folder) {
        true => Ok(folder),
        false => Err(StoreOpenError::Absent(folder.to_owned())),
    }
}
