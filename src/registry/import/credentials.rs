//! The keys and secrets that a document brings.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::client::{ClientKey, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::id::CredentialId;
use crate::domain::jwk::PublicJwk;
use crate::domain::secret::SecretHash;
use crate::registry::error::RegistryError;
use crate::registry::public_key::LeftOut;

use super::refused;

/// A key among `keys`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    jwk: Value,
    created_at: Option<String>,
    expires_at: Option<String>,
    #[serde(default, rename = "inPublicKey")]
    is_in_slot: bool,
}

/// What is kept of a secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    hash: String,
    id: Option<String>,
    // One of another Latchkey, whose pepper we do not have: it would be refused at every use.
    #[serde(default)]
    checksummed: bool,
    created_at: Option<String>,
    expires_at: Option<String>,
}

/// `publicKey` is right about its own slot, as it is in a document that we keep. The others are a
/// set: those that cannot be used are left out, if there is one that can.
pub(super) fn keys(
    slot: Option<&Value>,
    listed: &[Key],
    created: Timestamp,
) -> Result<(Vec<ClientKey>, Vec<LeftOut>), RegistryError> {
    let mut found: Vec<ClientKey> = Vec::new();
    let (mut left_out, mut first_fault) = (Vec::new(), None);
    if let Some(jwk) = slot {
        found.push(ClientKey::new(PublicJwk::parse(jwk)?, created));
    }
    for (place, key) in listed.iter().enumerate() {
        let jwk = match PublicJwk::parse(&key.jwk) {
            Ok(jwk) => jwk,
            Err(why) if why.refuses_all() => return Err(why.into()),
            Err(why) => {
                first_fault = first_fault.or(Some(why));
                left_out.push(LeftOut::at(place, &key.jwk, why));
                continue;
            }
        };
        let expires = end(key.expires_at.as_deref())?;
        if let Some(known) = found.iter_mut().find(|known| known.jwk == jwk) {
            known.expires = expires;
        } else if !(key.is_in_slot && slot.is_some()) {
            let created =
                key.created_at.as_deref().and_then(Timestamp::from_rfc3339).unwrap_or(created);
            found.push(ClientKey { expires, ..ClientKey::new(jwk, created) });
        }
    }
    let repeated = found
        .iter()
        .enumerate()
        .any(|(index, key)| found.iter().take(index).any(|known| known.jwk.kid == key.jwk.kid));
    match first_fault {
        _ if repeated => refused("two of its keys have the same `kid`"),
        Some(why) if found.is_empty() => Err(why.into()),
        _ => Ok((found, left_out)),
    }
}

/// The secrets of which a hash comes along.
pub(super) fn secrets(
    listed: &[Secret],
    created: Timestamp,
) -> Result<Vec<StoredSecret>, RegistryError> {
    let usable = listed.iter().filter(|secret| !secret.checksummed);
    let read = usable.enumerate().map(|(index, secret)| {
        let hash = SecretHash::brought(&secret.hash)
            .map_err(|fault| RegistryError::Metadata(fault.to_string()))?;
        let id = secret.id.clone().filter(|id| is_plain(id));
        let id = id.unwrap_or_else(|| format!("imported{index}"));
        Ok(StoredSecret {
            id: CredentialId::from(id.as_str()),
            hash,
            checksummed: false,
            created: secret
                .created_at
                .as_deref()
                .and_then(Timestamp::from_rfc3339)
                .unwrap_or(created),
            expires: end(secret.expires_at.as_deref())?,
            last_used: None,
        })
    });
    read.collect()
}

/// Whether it can stand in a path.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A date that decides: without it, what should end would not.
pub(super) fn end(text: Option<&str>) -> Result<Option<Timestamp>, RegistryError> {
    let read = |text| match Timestamp::from_rfc3339(text) {
        Some(end) => Ok(end),
        None => refused(&format!("`{text}` is no date as RFC 3339 writes them")),
    };
    text.map(read).transpose()
}
