//! A JSON object as a body, strictly.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::registry::error::RegistryError;

pub(super) const MEDIA_TYPE: &str = "application/json";

/// Reads a JSON object, and nothing else that JSON can be.
pub(super) fn object(body: &[u8]) -> Result<Value, RegistryError> {
    let members: Members = serde_json::from_slice(body).map_err(|error| {
        let why = if error.is_data() {
            "the body must be a JSON object that has each member once"
        } else {
            "the body is not valid JSON"
        };
        RegistryError::Malformed(why.to_owned())
    })?;
    Ok(Value::Object(members.0))
}

/// The members of an object, each there once.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}

/// Reads what is known of an object, and says which member is wrong.
pub(super) fn from_object<T: serde::de::DeserializeOwned>(
    value: Value,
) -> Result<T, RegistryError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| RegistryError::Metadata(format!("`{}`: {}", error.path(), error.inner())))
}
