//! Secrets and keys, as they stand in the document of their client.

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;

use crate::domain::client::{Client, ClientKey, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::CredentialId;
use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::registration_token::StoredRegistrationToken;
use crate::domain::secret_hash::SecretHash;
use crate::domain::state::State;

use super::limits::Limits;
use super::values::{binary, date, json_to_bson, text, timestamp};
use super::{LAST_USED, REGISTRATION_TOKENS};

/// There if the key came without an `alg`, and the one in `jwk` is ours.
const ALGORITHM_IS_OPEN: &str = "algorithmIsOpen";

pub(super) fn secret_document(secret: &Credential<StoredSecret>) -> Document {
    let mut document = doc! {
        "id": secret.id.as_str(),
        "hash": secret.verifier.hash.as_str(),
        "checksummed": secret.verifier.checksummed,
        "createdAt": date(secret.created),
    };
    if let Some(end) = secret.expires {
        document.insert("expiresAt", date(end));
    }
    document
}

pub(super) fn secrets(
    document: &Document,
    limits: &mut Limits<'_>,
    created: Timestamp,
) -> Vec<Credential<StoredSecret>> {
    let items = limits.read("secrets", "is not a list", Bson::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let described = items.iter().filter_map(Bson::as_document).enumerate();
    described
        .filter_map(|(index, item)| {
            // An importer writes the hash and nothing else.
            let id = text(item, "id").unwrap_or_else(|| format!("imported{index}"));
            let id = CredentialId::from(id.as_str());
            let hash = SecretHash::stored(item.get_str("hash").ok()?);
            let checksummed = item.get_bool("checksummed").unwrap_or(false);
            Some(Credential {
                last_used: last_used(document, &id),
                id,
                verifier: StoredSecret { hash, checksummed },
                created: timestamp(item.get("createdAt")).unwrap_or(created),
                expires: limits.end(item, &format!("secrets[{index}]")),
            })
        })
        .collect()
}

pub(super) fn registration_token_document(token: &StoredRegistrationToken) -> Document {
    doc! { "digest": binary(&token.digest.to_bytes()), "createdAt": date(token.created) }
}

/// Before their dates were noted, the digests stood there alone.
pub(super) fn registration_tokens(
    document: &Document,
    created: Timestamp,
) -> Vec<StoredRegistrationToken> {
    let items = document.get_array(REGISTRATION_TOKENS).map(Vec::as_slice).unwrap_or_default();
    let read = items.iter().filter_map(|item| {
        let (digest, noted) = match item {
            Bson::Document(item) => (item.get("digest")?, timestamp(item.get("createdAt"))),
            alone => (alone, None),
        };
        let Bson::Binary(digest) = digest else { return None };
        let bytes = <[u8; 32]>::try_from(digest.bytes.as_slice()).ok()?;
        let token = StoredRegistrationToken::new(bytes.into(), noted.unwrap_or(created));
        Some(StoredRegistrationToken { last_used: last_used(document, &token.id), ..token })
    });
    read.collect()
}

/// The first key also stands in `publicKey`, where the platform's tools look for it.
pub(super) fn key_document((index, key): (usize, &Credential<ClientKey>)) -> Document {
    let mut document = doc! {
        "id": key.id.as_str(),
        "jwk": json_to_bson(key.verifier.jwk.to_json()),
        "createdAt": date(key.created),
        "inPublicKey": index == 0,
    };
    if key.verifier.algorithm_is_open {
        document.insert(ALGORITHM_IS_OPEN, true);
    }
    if let Some(end) = key.expires {
        document.insert("expiresAt", date(end));
    }
    document
}

/// By which a client is found that has a key; each is there once, also if the key has two names.
pub(super) fn thumbprints(keys: &[Credential<ClientKey>]) -> Vec<Bson> {
    let mut thumbprints: Vec<String> =
        keys.iter().map(|key| key.verifier.jwk.thumbprint()).collect();
    thumbprints.sort_unstable();
    thumbprints.dedup();
    thumbprints.into_iter().map(Bson::from).collect()
}

/// The client, if it is not removed and has a key of one of these thumbprints: a document may say
/// what was so before another tool replaced the key.
pub(in crate::store) fn key_holder(document: &Document, thumbprints: &[String]) -> Option<Client> {
    let client = super::to_client(document)?;
    let has_key =
        client.keys.iter().any(|key| thumbprints.contains(&key.verifier.jwk.thumbprint()));
    (has_key && client.state != State::Deleted).then_some(client)
}

/// `publicKey` is right about its own slot: if another tool replaced it, what we noted of the key
/// that was there before no longer counts.
pub(super) fn keys(
    document: &Document,
    limits: &mut Limits<'_>,
    registered: Option<Algorithm>,
) -> Vec<Credential<ClientKey>> {
    let created = timestamp(document.get("createdAt")).unwrap_or_default();
    let items = limits.read("keys", "is not a list", Bson::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default().iter();
    let noted = items.filter_map(Bson::as_document).enumerate();
    let noted: Vec<(&Document, Option<Timestamp>)> =
        noted.map(|(index, note)| (note, limits.end(note, &format!("keys[{index}]")))).collect();
    let key = |jwk, created, algorithm_is_open| {
        let mut key = Credential::of_key(jwk, created);
        key.last_used = last_used(document, &key.id);
        key.verifier.algorithm_is_open = algorithm_is_open;
        key.verifier.follow(registered);
        key
    };

    let slot = document.get_document("publicKey").ok().and_then(|in_slot| {
        let jwk = parse_jwk(in_slot)?;
        let note = noted
            .iter()
            .find(|(note, _)| text(note, "id").as_deref() == Some(jwk.credential_id().as_str()));
        let expires = note.and_then(|(_, end)| *end);
        let created =
            note.and_then(|(note, _)| timestamp(note.get("createdAt"))).unwrap_or(created);
        let is_open = is_open(in_slot, note.map(|(note, _)| *note));
        Some(Credential { expires, ..key(jwk, created, is_open) })
    });
    let others = noted.iter().filter(|(note, _)| !note.get_bool("inPublicKey").unwrap_or(false));
    let others = others.filter_map(|(note, expires)| {
        let listed = note.get_document("jwk").ok()?;
        let created = timestamp(note.get("createdAt")).unwrap_or(created);
        let is_open = is_open(listed, Some(note));
        Some(Credential { expires: *expires, ..key(parse_jwk(listed)?, created, is_open) })
    });

    let mut keys: Vec<Credential<ClientKey>> = Vec::new();
    for key in slot.into_iter().chain(others) {
        // One key may have two names, one for each of its algorithms.
        if !keys.iter().any(|known| known.verifier.jwk == key.verifier.jwk) {
            keys.push(key);
        }
    }
    keys
}

/// Whether the key came without an `alg`: it has none, or the one that we wrote into it.
fn is_open(jwk: &Document, note: Option<&Document>) -> bool {
    let ours = note.filter(|note| note.get_bool(ALGORITHM_IS_OPEN).unwrap_or(false));
    let ours = ours.and_then(|note| note.get_document("jwk").ok()).and_then(|jwk| jwk.get("alg"));
    match jwk.get("alg") {
        None | Some(Bson::Null) => true,
        said => said == ours,
    }
}

pub(super) fn last_used(document: &Document, credential: &CredentialId) -> Option<Timestamp> {
    timestamp(document.get_document(LAST_USED).ok()?.get(credential.as_str())).map(Timestamp::day)
}

pub(super) fn parse_jwk(document: &Document) -> Option<PublicJwk> {
    PublicJwk::parse(&Value::from(Bson::from(document.clone()))).ok()
}
