//! Where clients of another platform are read.

use secrecy::{ExposeSecret, SecretString};

pub use crate::store::{MongoSource, SourcePage};

use super::StoreOpenError;

/// Another platform's collection, to be read and left as it is.
pub async fn open_source(url: &SecretString) -> Result<MongoSource, StoreOpenError> {
    Ok(MongoSource::open(url.expose_secret()).await?)
}
