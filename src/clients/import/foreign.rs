//! Clients as other platforms describe them, in the shape in which they can be brought here.

mod hydra;
mod keycloak;

use serde_json::Value;

/// A client of some platform.
#[derive(Debug, PartialEq)]
pub enum Foreign {
    /// One that may become a client here, in the shape that [`import`](super) reads.
    Client(Value),
    /// One of which the platform itself says that it gets no tokens of its own.
    Other {
        /// Its id.
        client_id: String,
        /// What it is instead.
        why: &'static str,
    },
}

/// Tells by its members whose client it is. What is no client of Keycloak's or Hydra's is taken for
/// a document of our own shape, which is that of Mia-Platform.
#[must_use]
pub fn translated(client: Value) -> Foreign {
    if client.get("clientId").is_some() && client.get("clientAuthenticatorType").is_some() {
        keycloak::translated(&client)
    } else if client.get("client_id").is_some() && client.get("clientId").is_none() {
        hydra::translated(&client)
    } else {
        Foreign::Client(client)
    }
}

/// A member that is text; `None` if it is empty.
pub(super) fn text<'a>(client: &'a Value, name: &str) -> Option<&'a str> {
    client.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The keys of a JWK Set as [`import`](super) reads them.
pub(super) fn keys(set: &Value) -> Option<Vec<Value>> {
    let keys = set.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty())?;
    Some(keys.iter().map(|jwk| serde_json::json!({ "jwk": jwk })).collect())
}
