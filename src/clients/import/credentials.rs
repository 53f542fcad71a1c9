//! The keys and secrets that a document brings.

use serde::Deserialize;
use serde_json::Value;

use crate::clients::error::ClientsError;
use crate::clients::public_key::LeftOut;
use crate::domain::algorithm::Algorithm;
use crate::domain::client::{ClientKey, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::CredentialId;
use crate::domain::secret_hash::SecretHash;
use crate::domain::submitted_jwk::SubmittedJwk;

use super::{refused, values};

/// A key among `keys`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    jwk: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default, deserialize_with = "values::date")]
    expires_at: Option<Timestamp>,
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
    #[serde(default)]
    created_at: Value,
    #[serde(default, deserialize_with = "values::date")]
    expires_at: Option<Timestamp>,
}

/// `publicKey` is right about its own slot, as it is in a document that we keep. The others are a
/// set: those that cannot be used are left out, if there is one that can. All sign with the algorithm
/// that the client registered, if it did.
pub(super) fn keys(
    slot: Option<&Value>,
    listed: &[Key],
    registered: Option<Algorithm>,
    created: Timestamp,
) -> Result<(Vec<Credential<ClientKey>>, Vec<LeftOut>), ClientsError> {
    let mut found: Vec<Credential<ClientKey>> = Vec::new();
    let (mut left_out, mut first_fault) = (Vec::new(), None);
    let read = |jwk: &Value| SubmittedJwk::parse(jwk)?.of_client(registered, created);
    if let Some(jwk) = slot {
        found.push(read(jwk)?);
    }
    for (place, key) in listed.iter().enumerate() {
        let read = match read(&key.jwk) {
            Ok(read) => read,
            Err(why) if why.refuses_all() => return Err(why.into()),
            Err(why) => {
                first_fault = first_fault.or(Some(why));
                left_out.push(LeftOut::at(place, &key.jwk, why));
                continue;
            }
        };
        if let Some(known) = found.iter_mut().find(|known| known.verifier.jwk == read.verifier.jwk)
        {
            known.expires = key.expires_at;
        } else if !(key.is_in_slot && slot.is_some()) {
            let created = values::timestamp(&key.created_at).unwrap_or(created);
            found.push(Credential { created, expires: key.expires_at, ..read });
        }
    }
    let repeated = found.iter().enumerate().any(|(index, key)| {
        found.iter().take(index).any(|known| known.verifier.jwk.kid == key.verifier.jwk.kid)
    });
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
) -> Result<Vec<Credential<StoredSecret>>, ClientsError> {
    let usable = listed.iter().filter(|secret| !secret.checksummed);
    let read = usable.enumerate().map(|(index, secret)| {
        let hash = SecretHash::brought(&secret.hash)
            .map_err(|fault| ClientsError::Metadata(fault.to_string()))?;
        let id = secret.id.clone().filter(|id| is_plain(id));
        let id = id.unwrap_or_else(|| format!("imported{index}"));
        let created = values::timestamp(&secret.created_at).unwrap_or(created);
        let stored = StoredSecret { hash, checksummed: false };
        let id = CredentialId::from(id.as_str());
        Ok(Credential { expires: secret.expires_at, ..Credential::new(id, stored, created) })
    });
    read.collect()
}

/// Whether it can stand in a path.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
