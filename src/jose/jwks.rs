//! The key set as it is published: [RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;

use crate::domain::signing_key::PublishedKey;

/// The key set as it is served: RFC 7517 §5.
#[derive(Clone, Debug)]
pub struct Jwks {
    /// The JSON.
    pub body: Bytes,
    /// Its `ETag`, quoted.
    pub etag: String,
}

impl Jwks {
    pub(super) fn of(published: &[PublishedKey]) -> Self {
        let mut keys: Vec<&PublishedKey> = published.iter().collect();
        keys.sort_by_key(|key| (std::cmp::Reverse(key.published), key.jwk.kid.clone()));
        let keys: Vec<_> = keys.iter().map(|key| key.jwk.to_json()).collect();
        let body = json!({ "keys": keys }).to_string();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let etag = digest.as_ref().get(..12).map(|start| URL_SAFE_NO_PAD.encode(start));
        Self { body: Bytes::from(body), etag: format!("\"{}\"", etag.unwrap_or_default()) }
    }
}
