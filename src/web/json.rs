//! A JSON object as a body, strictly.

use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::domain::free_form::{DEEPEST, is_deeper};
use crate::domain::printable::{excerpt, misfit};
use crate::domain::strict_json;

pub(crate) const MEDIA_TYPE: &str = "application/json";

/// The most levels in which any body wraps what is free-form in it.
const AROUND: usize = 4;

/// Reads a JSON object, and nothing else that JSON can be.
pub(crate) fn object(body: &[u8]) -> Result<Value, ClientsError> {
    let object = object_of_documents(body)?;
    if is_deeper(&object, AROUND + DEEPEST) { Err(too_deep()) } else { Ok(object) }
}

/// The same, as its members.
pub(crate) fn members(body: &[u8]) -> Result<Map<String, Value>, ClientsError> {
    Ok(match object(body)? {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

/// The same with documents of another platform in it: each is judged by itself, however deep it is.
pub(crate) fn object_of_documents(body: &[u8]) -> Result<Value, ClientsError> {
    let members = strict_json::object(body).map_err(|error| {
        let why = if error.is_data() {
            "the body must be a JSON object that has each member once"
        } else if error.to_string().starts_with("recursion limit exceeded") {
            return too_deep();
        } else {
            "the body is not valid JSON"
        };
        ClientsError::Malformed(why.to_owned())
    })?;
    Ok(Value::Object(members))
}

fn too_deep() -> ClientsError {
    let why = format!("the body is nested too deeply: free-form JSON has at most {DEEPEST} levels");
    ClientsError::Malformed(why)
}

/// Reads what is known of an object, and says which member is wrong.
pub(crate) fn from_object<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ClientsError> {
    from_object_or(value, |name| format!("unknown member `{name}`"))
}

/// The same; `unknown` says what is wrong with a member that is not known.
pub(crate) fn from_object_or<T: serde::de::DeserializeOwned>(
    value: Value,
    unknown: impl Fn(&str) -> String,
) -> Result<T, ClientsError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let why = misfit(&error.inner().to_string());
        let name =
            why.strip_prefix("unknown field `").and_then(|why| why.rsplit_once("`, expected "));
        ClientsError::Metadata(match name {
            Some((name, _)) => unknown(name),
            None => format!("`{}`: {why}", excerpt(&error.path().to_string())),
        })
    })
}
