//! Where the clients come from.

use std::io::stdin;
use std::path::Path;

use secrecy::SecretString;
use serde_json::Value;

use crate::assembly::{MongoSource, open_source};
use crate::cli::credential;
use crate::clients::import::foreign::{Foreign, translated};
use crate::domain::free_form;

use super::Failure;

/// How many documents are read at once.
const AT_ONCE: usize = 200;

/// A client, perhaps.
pub(super) enum Item {
    /// One that the server shall look at.
    Client(Value),
    /// One that gets no tokens of its own where it comes from.
    Other {
        /// Its id.
        client_id: String,
        /// What it is instead.
        why: &'static str,
    },
    /// Nothing that could be read, and why.
    Unreadable(String),
}

impl From<Value> for Item {
    fn from(value: Value) -> Self {
        match translated(value) {
            Foreign::Client(document) => Self::Client(document),
            Foreign::Other { client_id, why } => Self::Other { client_id, why },
        }
    }
}

/// A place to read from.
pub(super) enum Source {
    /// All of a file.
    Items(std::vec::IntoIter<Item>),
    /// A collection, and where to go on; `None`: at its end.
    Collection(MongoSource, Option<Place>),
}

/// A place in a collection.
pub(super) enum Place {
    Beginning,
    Behind(String),
}

impl Source {
    pub(super) async fn open(name: &str) -> Result<Self, Failure> {
        if name.starts_with("mongodb://") || name.starts_with("mongodb+srv://") {
            let source = open_source(&SecretString::from(name.to_owned())).await?;
            return Ok(Self::Collection(source, Some(Place::Beginning)));
        }
        if name.contains("://") {
            return Err("a source is a file or mongodb://HOST/DATABASE".into());
        }
        let text = match name {
            "-" => std::io::read_to_string(stdin())?,
            file => credential::read(Path::new(file))?,
        };
        Ok(Self::Items(items(&text).into_iter()))
    }

    /// Some more; `None`: that was all.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Item>>, Failure> {
        match self {
            Self::Items(items) => {
                let some: Vec<_> = items.by_ref().take(AT_ONCE).collect();
                Ok(Some(some).filter(|some| !some.is_empty()))
            }
            Self::Collection(source, place) => {
                let after = match place {
                    None => return Ok(None),
                    Some(Place::Beginning) => None,
                    Some(Place::Behind(id)) => Some(id.as_str()),
                };
                let page = source.page(after, AT_ONCE).await?;
                *place = page.next.map(Place::Behind);
                Ok(Some(page.documents.into_iter().map(Item::from).collect()))
            }
        }
    }
}

/// The clients in a text: a list, an object that holds one, or an object in each line.
fn items(text: &str) -> Vec<Item> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match free_form::read(text) {
        Ok(Value::Array(clients)) => return clients.into_iter().map(Item::from).collect(),
        Ok(Value::Object(mut members)) => {
            // `clients`: Keycloak's realm; `items`: a page of Hydra's.
            let held =
                ["clients", "items"].into_iter().find_map(|name| match members.remove(name) {
                    Some(Value::Array(clients)) => Some(clients),
                    _ => None,
                });
            let clients = held.unwrap_or_else(|| vec![Value::Object(members)]);
            return clients.into_iter().map(Item::from).collect();
        }
        _ => {}
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let item = |(index, line): (usize, &str)| match free_form::read(line) {
        Ok(client) => Item::from(client),
        // What the parser says is about places only; it quotes nothing.
        Err(error) => Item::Unreadable(format!("line {}: {error}", index + 1)),
    };
    lines.map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_of_a_file() {
        for (why, text, expected) in [
            ("a list", r#"[{"clientId":"a"},{"clientId":"b"}]"#, "a b"),
            ("lines", "{\"clientId\":\"a\"}\r\n\n{\"clientId\":\"b\"}\n", "a b"),
            ("one client", "{\n\"clientId\": \"a\"\n}", "a"),
            ("a byte order mark", "\u{feff}{\"clientId\":\"a\"}", "a"),
            ("a realm", r#"{"realm":"r","clients":[{"clientId":"a"}]}"#, "a"),
            ("a page", r#"{"items":[{"client_id":"a"}],"next_page_token":""}"#, "a"),
            ("nothing", "", ""),
            (
                "a line of garbage",
                "{\"clientId\":\"a\"}\ngarbage\n{\"clientId\":\"b\"}",
                "a line 2 b",
            ),
            ("cut off", r#"[{"clientId":"a"},"#, "line 1"),
        ] {
            let told = |item: &Item| match item {
                Item::Client(client) => client["clientId"].as_str().unwrap().to_owned(),
                Item::Other { client_id, .. } => client_id.clone(),
                Item::Unreadable(why) => why.split(':').next().unwrap().to_owned(),
            };
            let found: Vec<String> = items(text).iter().map(told).collect();
            assert_eq!(found.join(" "), expected, "{why}");
        }
    }
}
