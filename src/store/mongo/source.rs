//! Another platform's collection of clients, to be read and left as it is: no index is made in it,
//! and no schema is looked for.

use mongodb::bson::Bson;
use mongodb::{Collection, Database};
use serde_json::Value;

use super::address::Address;
use super::{CLIENTS, MongoOpenError, paging, readable, unreachable, within};
use crate::domain::store_error::StoreError;
use crate::store::Document;

/// Documents somewhere else.
pub struct MongoSource {
    collection: Collection<Document>,
}

/// Some documents, as relaxed extended JSON, and where to go on.
#[derive(Debug)]
pub struct SourcePage {
    /// The documents.
    pub documents: Vec<Value>,
    /// Where to go on; `None`: that was all.
    pub next: Option<String>,
}

impl MongoSource {
    /// Connects. The collection is named by `?collection=`, which the driver does not know; else
    /// it is `clients`.
    pub async fn open(url: &str) -> Result<Self, MongoOpenError> {
        let (url, collection) = split(url);
        let address = Address::parse(&url)?;
        let database: Database = within(address.connect()).await.map_err(unreachable)?;
        Ok(Self { collection: database.collection(collection.as_deref().unwrap_or(CLIENTS)) })
    }

    /// Up to `limit` documents behind the place where the last page ended.
    pub async fn page(&self, after: Option<&str>, limit: usize) -> Result<SourcePage, StoreError> {
        let after = after.and_then(paging::after);
        let (documents, next) = within(paging::page(&self.collection, after, limit)).await?;
        let documents = documents.iter().map(|document| Bson::from(readable(document)));
        Ok(SourcePage { documents: documents.map(Bson::into_relaxed_extjson).collect(), next })
    }
}

/// The URL without its `collection`, and that.
fn split(url: &str) -> (String, Option<String>) {
    let Some((before, options)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut collection = None;
    let mut rest: Vec<&str> = Vec::new();
    for option in options.split('&') {
        match option.split_once('=') {
            Some(("collection", name)) => {
                let decoded = form_urlencoded::parse(option.as_bytes()).next();
                collection = Some(decoded.map_or(name.to_owned(), |(_, name)| name.into_owned()));
            }
            _ => rest.push(option),
        }
    }
    match rest.is_empty() {
        true => (before.to_owned(), collection),
        false => (format!("{before}?{}", rest.join("&")), collection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collection_is_no_option_of_the_driver() {
        for (url, rest, collection) in [
            ("mongodb://h/db", "mongodb://h/db", None),
            ("mongodb://h/db?collection=c", "mongodb://h/db", Some("c")),
            (
                "mongodb://h/db?tls=true&collection=a%20b&w=1",
                "mongodb://h/db?tls=true&w=1",
                Some("a b"),
            ),
            ("mongodb://h/db?tls=true", "mongodb://h/db?tls=true", None),
        ] {
            assert_eq!(split(url), (rest.to_owned(), collection.map(str::to_owned)), "{url}");
        }
    }
}
