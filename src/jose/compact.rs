//! What the key of a client signs. `jsonwebtoken` has no ES512, so it signs only what the server signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;

use super::private_key::PrivateKey;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The claims are no JSON.
    #[error("the claims cannot be written")]
    Claims(#[from] serde_json::Error),
    /// The key cannot be used.
    #[error("the key does not sign")]
    Key,
}

/// A JWT of this type: [RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1).
pub(super) fn sign(
    typ: &str,
    kid: &str,
    claims: &impl Serialize,
    key: &PrivateKey,
) -> Result<String, SigningError> {
    let header = json!({ "typ": typ, "alg": key.public().algorithm, "kid": kid });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(header.to_string().as_bytes());
    let text = format!("{header}.{}", encode(&serde_json::to_vec(claims)?));
    let signature = key.sign(text.as_bytes()).ok_or(SigningError::Key)?;
    Ok(format!("{text}.{}", encode(&signature)))
}
