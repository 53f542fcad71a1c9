//! What all replicas agree on: one document each, the first to come decides.

use async_trait::async_trait;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};

use crate::clients::SharedFacts;
use crate::domain::store_error::StoreError;
use crate::store::Document;

use super::{META, MongoOpenError, MongoStore, clients, unless_duplicate, unreachable, within};

/// The major version of what is written here; a higher one is refused.
pub(super) const SCHEMA: u32 = 2;

/// Notes the schema in a new database, and refuses that of a newer version.
pub(super) async fn check_schema(database: &Database) -> Result<(), MongoOpenError> {
    let ours = SCHEMA.to_string();
    let stands = within(agree(database, "schema", ours.as_bytes())).await.map_err(unreachable)?;
    let stands = String::from_utf8_lossy(&stands).into_owned();
    let major = stands.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(SCHEMA) => Ok(()),
        // An older version must not start on it any more: it would not honour what is kept here.
        Some(older) if older < SCHEMA => within(raise(database, &ours)).await.map_err(unreachable),
        Some(_) | None => Err(MongoOpenError::Newer(stands)),
    }
}

async fn raise(database: &Database, schema: &str) -> Result<(), Error> {
    let value = Binary { subtype: BinarySubtype::Generic, bytes: schema.as_bytes().to_vec() };
    let change = doc! { "$set": { "value": value } };
    meta(database).update_one(doc! { "_id": "schema" }, change).await.map(drop)
}

#[async_trait]
impl SharedFacts for MongoStore {
    async fn agreed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.run(|database| async move { agreed(&meta(&database), &name).await }).await
    }

    async fn agree(&self, name: &str, proposal: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, proposal) = (name.to_owned(), proposal.to_vec());
        self.run(|database| async move { agree(&database, &name, &proposal).await }).await
    }

    async fn has_checksummed_secrets(&self) -> Result<bool, StoreError> {
        let held = doc! { "secrets.checksummed": true };
        self.run(|database| async move { Ok(clients(&database).find_one(held).await?.is_some()) })
            .await
    }
}

pub(super) fn meta(database: &Database) -> Collection<Document> {
    database.collection(META)
}

pub(super) async fn agreed(
    meta: &Collection<Document>,
    name: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(fact) = meta.find_one(doc! { "_id": name }).await? else { return Ok(None) };
    fact.get_binary_generic("value")
        .map(|value| Some(value.clone()))
        .map_err(|_| Error::custom(format!("`{name}` in the collection `{META}` has no `value`")))
}

/// Looks first: most of the time it was agreed on long ago.
async fn agree(database: &Database, name: &str, proposal: &[u8]) -> Result<Vec<u8>, Error> {
    let meta = meta(database);
    if let Some(stands) = agreed(&meta, name).await? {
        return Ok(stands);
    }
    let value = Binary { subtype: BinarySubtype::Generic, bytes: proposal.to_vec() };
    if unless_duplicate(meta.insert_one(doc! { "_id": name, "value": value }).await)? {
        return Ok(proposal.to_vec());
    }
    let stands = agreed(&meta, name).await?;
    stands.ok_or_else(|| Error::custom(format!("what was agreed on `{name}` has vanished")))
}
