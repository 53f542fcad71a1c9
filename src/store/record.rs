//! The shape of a client document, in every store.
//!
//! The names are those of the platform that many collections come from; what is ours alone is
//! marked so. Reading is lenient, because other tools write here too: what cannot be understood is
//! left out, never an error, and what we do not know is left alone.

use std::time::Duration;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::client::{AuthMethod, Client, ClientKey, Revision, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::jwk::PublicJwk;
use crate::domain::jwks_uri::JwksUri;
use crate::domain::permission::Permission;
use crate::domain::registration_token::RegistrationTokenDigest;
use crate::domain::secret::SecretHash;
use crate::domain::state::State;
use crate::tasks::{Login, Standing};

pub(super) const CLIENT_ID: &str = "clientId";
pub(super) const PERMISSIONS: &str = "permissions";
pub(super) const LAST_LOGIN: &str = "lastLogin";
/// When each credential was last used, by its id: beside the arrays, which are replaced whole.
pub(super) const LAST_USED: &str = "lastUsed";
pub(super) const STATE: &str = "__STATE__";
pub(super) const TOKEN_EPOCH: &str = "tokenEpoch";
const REGISTRATION_TOKENS: &str = "registrationTokens";
/// There while a client that was removed waits for its last records to be moved on.
pub(super) const REMOVED_AT: &str = "removedAt";
pub(super) const UPDATED_AT: &str = "updatedAt";
pub(super) const VERSION: &str = "version";
pub(super) const KEY_THUMBPRINTS: &str = "keyThumbprints";

/// What is said to be the author of a document that nobody signed: the platform's word for it.
pub(super) const NOBODY: &str = "public";

/// The document of a client, but for `_id`, `updatedAt`, `lastLogin` and `lastUsed`,
/// which the store sets.
pub(super) fn to_document(client: &Client) -> Document {
    let author = |name: &str| if name.is_empty() { NOBODY.to_owned() } else { name.to_owned() };
    let mut document = doc! {
        CLIENT_ID: client.id.as_str(),
        "name": client.name.as_str(),
        "authMethod": client.auth_method.as_str(),
        STATE: client.state.as_str(),
        PERMISSIONS: texts(client.permissions.iter().map(Permission::as_str)),
        "audience": texts(client.audience.iter().map(Audience::as_str)),
        "allowedCustomClaims": texts(client.allowed_custom_claims.iter().map(String::as_str)),
        "metadata": Bson::try_from(Value::Object(client.metadata.clone())).unwrap_or(Bson::Document(doc! {})),
        "creatorId": author(&client.creator),
        "createdAt": date(client.created),
        "updaterId": author(&client.updater),
        // Ours from here on.
        "scope": client.scope.as_str(),
        "groups": texts(client.groups.iter().map(String::as_str)),
        TOKEN_EPOCH: whole(client.token_epoch),
        "secrets": client.secrets.iter().map(secret_document).collect::<Vec<_>>(),
        "keys": client.keys.iter().enumerate().map(key_document).collect::<Vec<_>>(),
        VERSION: client.revision.version.unwrap_or(0),
    };
    if !client.registration_tokens.is_empty() {
        let digests = client.registration_tokens.iter().map(|digest| binary(&digest.to_bytes()));
        document.insert(REGISTRATION_TOKENS, digests.collect::<Vec<Bson>>());
    }
    if let Some(first) = client.keys.first() {
        document.insert("publicKey", json_to_bson(first.jwk.to_json()));
        document.insert(KEY_THUMBPRINTS, thumbprints(&client.keys));
    }
    if let Some(uri) = &client.jwks_uri {
        document.insert("jwksUri", uri.as_str());
    }
    if let Some(grants) = &client.grant_types {
        document.insert("grantTypes", texts(grants.iter().map(String::as_str)));
    }
    if let Some(lifetime) = client.access_token_lifetime {
        document.insert("accessTokenLifetime", whole(lifetime.as_secs()));
    }
    if let Some(quota) = client.quota_per_hour {
        document.insert("quotaPerHour", whole(quota));
    }
    if let Some(quota) = client.quota_per_day {
        document.insert("quotaPerDay", whole(quota));
    }
    if let Some(end) = client.legacy_audience {
        document.insert("legacyAudience", date(end));
    }
    document
}

/// The client that a document describes; `None` if it has no usable `clientId`.
pub(super) fn to_client(document: &Document) -> Option<Client> {
    if document.contains_key(REMOVED_AT) {
        return None;
    }
    let id: ClientId = document.get_str(CLIENT_ID).ok()?.parse().ok()?;
    let name = text(document, "name").unwrap_or_else(|| id.to_string());
    let keys = keys(document);
    let jwks_uri: Option<JwksUri> = text(document, "jwksUri").and_then(|uri| uri.parse().ok());
    let has_key = !keys.is_empty() || jwks_uri.is_some();
    let auth_method = text(document, "authMethod")
        .and_then(|method| method.parse().ok())
        .unwrap_or(if has_key { AuthMethod::PrivateKeyJwt } else { AuthMethod::ClientSecretBasic });
    // Without a state it is in no state that gets a token: a half-written document is not published.
    let state = text(document, STATE).and_then(|state| state.parse().ok());
    let created = timestamp(document.get("createdAt")).unwrap_or_default();
    Some(Client {
        name,
        auth_method,
        state: state.unwrap_or(State::Draft),
        permissions: list(document, PERMISSIONS),
        audience: list(document, "audience"),
        scope: text(document, "scope").and_then(|s| s.parse().ok()).unwrap_or_default(),
        groups: list(document, "groups"),
        allowed_custom_claims: list(document, "allowedCustomClaims"),
        grant_types: document.contains_key("grantTypes").then(|| list(document, "grantTypes")),
        metadata: metadata(document),
        access_token_lifetime: number(document.get("accessTokenLifetime"))
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs),
        quota_per_hour: quota(document, "quotaPerHour"),
        quota_per_day: quota(document, "quotaPerDay"),
        legacy_audience: timestamp(document.get("legacyAudience")),
        token_epoch: number(document.get(TOKEN_EPOCH))
            .and_then(|epoch| u64::try_from(epoch).ok())
            .unwrap_or_default(),
        secrets: secrets(document, created),
        keys,
        registration_tokens: registration_tokens(document),
        jwks_uri,
        creator: text(document, "creatorId").unwrap_or_default(),
        created,
        updater: text(document, "updaterId").unwrap_or_default(),
        last_login: timestamp(document.get(LAST_LOGIN)),
        revision: revision(document),
        id,
    })
}

/// How a client stands; leniently, as everything here.
pub(super) fn to_standing(document: &Document) -> Option<Standing> {
    let epoch = number(document.get(TOKEN_EPOCH)).and_then(|epoch| u64::try_from(epoch).ok());
    let state = text(document, STATE).and_then(|state| state.parse().ok());
    Some(Standing {
        id: document.get_str(CLIENT_ID).ok()?.parse().ok()?,
        state: state.unwrap_or(State::Draft),
        epoch: epoch.unwrap_or_default(),
        updated_at_ms: revision(document).updated_at_ms.unwrap_or_default(),
    })
}

/// The state of the document, for a compare-and-swap.
pub(super) fn revision(document: &Document) -> Revision {
    let updated_at_ms = document.get_datetime(UPDATED_AT).ok().map(|date| date.timestamp_millis());
    Revision { version: number(document.get(VERSION)), updated_at_ms }
}

/// What to set and what to unset to get from one client to the other. Nothing else is touched.
pub(super) struct Change {
    /// Members and their new values, the next `version` among them.
    pub(super) set: Document,
    /// Members to remove.
    pub(super) unset: Vec<String>,
}

impl Change {
    pub(super) fn between(old: &Client, new: &Client) -> Self {
        let (before, after) = (to_document(old), to_document(new));
        let unset = before.keys().filter(|name| !after.contains_key(name)).cloned().collect();
        let mut set: Document =
            after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        set.insert(VERSION, old.revision.version.unwrap_or(0) + 1);
        Self { set, unset }
    }
}

pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(whole(at.0).saturating_mul(1000))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn texts<'a>(items: impl Iterator<Item = &'a str>) -> Vec<Bson> {
    items.map(Bson::from).collect()
}

fn json_to_bson(value: Value) -> Bson {
    Bson::try_from(value).unwrap_or(Bson::Null)
}

fn text(document: &Document, name: &str) -> Option<String> {
    document.get_str(name).ok().map(str::to_owned)
}

/// The items of a list that can be read as what they should be.
fn list<T: std::str::FromStr>(document: &Document, name: &str) -> Vec<T> {
    let items = document.get_array(name).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Bson::as_str).filter_map(|item| item.parse().ok()).collect()
}

/// Numbers come back in whatever width the server or another tool found fit.
pub(super) fn number(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers, checked before")]
        Bson::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(*number as i64)
        }
        _ => None,
    }
}

/// A quota of 0 is none of its own.
fn quota(document: &Document, name: &str) -> Option<u64> {
    number(document.get(name))
        .and_then(|quota| u64::try_from(quota).ok())
        .filter(|quota| *quota > 0)
}

pub(super) fn timestamp(value: Option<&Bson>) -> Option<Timestamp> {
    let millis = match value? {
        Bson::DateTime(date) => date.timestamp_millis(),
        Bson::String(text) => text_date(text)?.timestamp_millis(),
        _ => return None,
    };
    u64::try_from(millis / 1000).ok().map(Timestamp)
}

/// A date that a tool, or a server that knows dates as text only, wrote; without a zone it is UTC.
fn text_date(text: &str) -> Option<DateTime> {
    let zoned = || format!("{}Z", text.replacen(' ', "T", 1));
    DateTime::parse_rfc3339_str(text).or_else(|_| DateTime::parse_rfc3339_str(zoned())).ok()
}

fn metadata(document: &Document) -> Map<String, Value> {
    match document.get_document("metadata").map(|held| Value::from(Bson::from(held.clone()))) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn secret_document(secret: &StoredSecret) -> Document {
    let mut document = doc! {
        "id": secret.id.as_str(),
        "hash": secret.hash.as_str(),
        "checksummed": secret.checksummed,
        "createdAt": date(secret.created),
    };
    if let Some(end) = secret.expires {
        document.insert("expiresAt", date(end));
    }
    document
}

fn secrets(document: &Document, created: Timestamp) -> Vec<StoredSecret> {
    let items = document.get_array("secrets").map(Vec::as_slice).unwrap_or_default();
    let described = items.iter().filter_map(Bson::as_document).enumerate();
    described
        .filter_map(|(index, item)| {
            // An importer writes the hash and nothing else.
            let id = text(item, "id").unwrap_or_else(|| format!("imported{index}"));
            let id = CredentialId::from(id.as_str());
            Some(StoredSecret {
                last_used: last_used(document, &id),
                id,
                hash: SecretHash::stored(item.get_str("hash").ok()?),
                checksummed: item.get_bool("checksummed").unwrap_or(false),
                created: timestamp(item.get("createdAt")).unwrap_or(created),
                expires: timestamp(item.get("expiresAt")),
            })
        })
        .collect()
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

fn registration_tokens(document: &Document) -> Vec<RegistrationTokenDigest> {
    let items = document.get_array(REGISTRATION_TOKENS).map(Vec::as_slice).unwrap_or_default();
    let bytes = items.iter().filter_map(|item| match item {
        Bson::Binary(binary) => <[u8; 32]>::try_from(binary.bytes.as_slice()).ok(),
        _ => None,
    });
    bytes.map(RegistrationTokenDigest::from).collect()
}

/// The first key also stands in `publicKey`, where the platform's tools look for it.
fn key_document((index, key): (usize, &ClientKey)) -> Document {
    let mut document = doc! {
        "id": key.id.as_str(),
        "jwk": json_to_bson(key.jwk.to_json()),
        "createdAt": date(key.created),
        "inPublicKey": index == 0,
    };
    if let Some(end) = key.expires {
        document.insert("expiresAt", date(end));
    }
    document
}

/// By which a client is found that has a key; each is there once, also if the key has two names.
fn thumbprints(keys: &[ClientKey]) -> Vec<Bson> {
    let mut thumbprints: Vec<String> = keys.iter().map(|key| key.jwk.thumbprint()).collect();
    thumbprints.sort_unstable();
    thumbprints.dedup();
    thumbprints.into_iter().map(Bson::from).collect()
}

/// Whether the client has a key of one of these thumbprints: a document may say what was so before
/// another tool replaced the key.
pub(super) fn has_key(client: &Client, thumbprints: &[String]) -> bool {
    client.keys.iter().any(|key| thumbprints.contains(&key.jwk.thumbprint()))
}

/// `publicKey` is right about its own slot: if another tool replaced it, what we noted of the key
/// that was there before no longer counts.
fn keys(document: &Document) -> Vec<ClientKey> {
    let created = timestamp(document.get("createdAt")).unwrap_or_default();
    let items = document.get_array("keys").map(Vec::as_slice).unwrap_or_default();
    let noted: Vec<&Document> = items.iter().filter_map(Bson::as_document).collect();
    let key = |jwk, created| {
        let key = ClientKey::new(jwk, created);
        ClientKey { last_used: last_used(document, &key.id), ..key }
    };

    let slot = document.get_document("publicKey").ok().and_then(|jwk| {
        let jwk = parse_jwk(jwk)?;
        let note = noted
            .iter()
            .find(|note| text(note, "id").as_deref() == Some(jwk.credential_id().as_str()));
        let expires = note.and_then(|note| timestamp(note.get("expiresAt")));
        let created = note.and_then(|note| timestamp(note.get("createdAt"))).unwrap_or(created);
        Some(ClientKey { expires, ..key(jwk, created) })
    });
    let others = noted.iter().filter(|note| !note.get_bool("inPublicKey").unwrap_or(false));
    let others = others.filter_map(|note| {
        let jwk = parse_jwk(note.get_document("jwk").ok()?)?;
        let created = timestamp(note.get("createdAt")).unwrap_or(created);
        Some(ClientKey { expires: timestamp(note.get("expiresAt")), ..key(jwk, created) })
    });

    let mut keys: Vec<ClientKey> = Vec::new();
    for key in slot.into_iter().chain(others) {
        // One key may have two names, one for each of its algorithms.
        if !keys.iter().any(|known| known.jwk == key.jwk) {
            keys.push(key);
        }
    }
    keys
}

/// What is set in the document of a client that logged in; names with dots reach into members.
pub(super) fn login(login: &Login) -> Document {
    let mut set = doc! { LAST_LOGIN: date(login.at) };
    set.extend(used(login).map(|(id, day)| (format!("{LAST_USED}.{id}"), day.into())));
    set
}

/// The same, set in a document that is at hand.
pub(super) fn set_login(document: &mut Document, login: &Login) {
    document.insert(LAST_LOGIN, date(login.at));
    let mut held = document.get_document(LAST_USED).cloned().unwrap_or_default();
    held.extend(used(login).map(|(id, day)| (id.to_owned(), day.into())));
    if !held.is_empty() {
        document.insert(LAST_USED, held);
    }
}

fn used(login: &Login) -> impl Iterator<Item = (&str, DateTime)> {
    let used = login.used.iter().filter(|(credential, _)| credential.is_plain());
    used.map(|(credential, day)| (credential.as_str(), date(*day)))
}

fn last_used(document: &Document, credential: &CredentialId) -> Option<Timestamp> {
    timestamp(document.get_document(LAST_USED).ok()?.get(credential.as_str())).map(Timestamp::day)
}

fn parse_jwk(document: &Document) -> Option<PublicJwk> {
    PublicJwk::parse(&Value::from(Bson::from(document.clone()))).ok()
}
