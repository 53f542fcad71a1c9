//! A JSON object as a body, strictly.

use serde_json::Value;

use crate::domain::strict_json;
use crate::registry::error::RegistryError;

pub(super) const MEDIA_TYPE: &str = "application/json";

/// Reads a JSON object, and nothing else that JSON can be.
pub(super) fn object(body: &[u8]) -> Result<Value, RegistryError> {
    let members = strict_json::object(body).map_err(|error| {
        let why = if error.is_data() {
            "the body must be a JSON object that has each member once"
        } else {
            "the body is not valid JSON"
        };
        RegistryError::Malformed(why.to_owned())
    })?;
    Ok(Value::Object(members))
}

/// Reads what is known of an object, and says which member is wrong.
pub(super) fn from_object<T: serde::de::DeserializeOwned>(
    value: Value,
) -> Result<T, RegistryError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| RegistryError::Metadata(format!("`{}`: {}", error.path(), error.inner())))
}
