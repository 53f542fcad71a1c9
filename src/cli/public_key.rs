//! A public key in a file.

use std::path::Path;

use serde_json::Value;

use super::credential;

/// A public key, and the member that it goes into. A private one stays on this machine.
pub(super) fn in_file(file: &Path) -> Result<(&'static str, Value), Box<dyn std::error::Error>> {
    let text = credential::read(file)?;
    let refused = || format!("`{}` holds a private key; send the public half only", file.display());
    if text.contains("PRIVATE KEY-----") {
        return Err(refused().into());
    }
    if !text.trim_start().starts_with('{') {
        return Ok(("public_key_pem", text.into()));
    }
    let key: Value = serde_json::from_str(&text)
        .map_err(|error| format!("`{}` is not JSON: {error}", file.display()))?;
    let set = key.get("keys").and_then(Value::as_array);
    let keys = set.map_or(std::slice::from_ref(&key), Vec::as_slice);
    let private = |key: &Value| ["d", "k", "priv"].iter().any(|name| key.get(*name).is_some());
    if keys.iter().any(private) {
        return Err(refused().into());
    }
    Ok((if set.is_some() { "jwks" } else { "public_key" }, key))
}
