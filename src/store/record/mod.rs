//! The shape of a client document, in every store.
//!
//! The names are those of the platform that many collections come from; what is ours alone is
//! marked so. Reading is lenient, because other tools write here too: what cannot be understood is
//! never an error, and what we do not know is left alone. A limit that cannot be understood is noted
//! in the client, which then gets no tokens.

mod credentials;
mod limits;
mod login;
mod values;

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, Revision, Unreadable};
use crate::domain::id::ClientId;
use crate::domain::jwks_uri::JwksUri;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;
use crate::domain::state::State;
use crate::replication::ClientStatus;

use credentials::{
    key_document, keys, registration_token_document, registration_tokens, secret_document, secrets,
    thumbprints,
};
use limits::{Limits, UNREADABLE_EPOCH, present};
use values::{json_to_bson, text, texts, whole};

pub(in crate::store) use credentials::key_holder;
pub(in crate::store) use login::{login, set_login};
pub(in crate::store) use values::{date, list, number, timestamp};

pub(in crate::store) const CLIENT_ID: &str = "clientId";
pub(in crate::store) const PERMISSIONS: &str = "permissions";
pub(in crate::store) const LAST_LOGIN: &str = "lastLogin";
/// When each credential was last used, by its id: beside the arrays, which are replaced whole.
pub(in crate::store) const LAST_USED: &str = "lastUsed";
pub(in crate::store) const STATE: &str = "__STATE__";
pub(in crate::store) const TOKEN_EPOCH: &str = "tokenEpoch";
const REGISTRATION_TOKENS: &str = "registrationTokens";
/// There while a client that was removed waits for its last records to be moved on.
pub(in crate::store) const REMOVED_AT: &str = "removedAt";
pub(in crate::store) const UPDATED_AT: &str = "updatedAt";
pub(in crate::store) const VERSION: &str = "version";
/// What is wrong with a document that could not be read as a whole. No tool can write this name.
pub(in crate::store) const DAMAGE: &str = "$damage";
pub(in crate::store) const KEY_THUMBPRINTS: &str = "keyThumbprints";
pub(in crate::store) const FORMER_IDS: &str = "formerClientIds";

pub(in crate::store) use crate::domain::id::NOBODY;

/// The document of a client, but for `_id`, `updatedAt`, `lastLogin` and `lastUsed`,
/// which the store sets.
pub(in crate::store) fn to_document(client: &Client) -> Document {
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
        let tokens = client.registration_tokens.iter().map(registration_token_document);
        document.insert(REGISTRATION_TOKENS, tokens.collect::<Vec<_>>());
    }
    if let Some(first) = client.keys.first() {
        document.insert("publicKey", json_to_bson(first.verifier.jwk.to_json()));
        document.insert(KEY_THUMBPRINTS, thumbprints(&client.keys));
    }
    if let Some(algorithm) = client.signing_algorithm {
        document.insert("authSigningAlg", algorithm.as_str());
    }
    if let Some(uri) = &client.jwks_uri {
        document.insert("jwksUri", uri.as_str());
    }
    if let Some(provenance) = client.provenance {
        document.insert("provenance", provenance.as_str());
    }
    if !client.former_ids.is_empty() {
        document.insert(FORMER_IDS, texts(client.former_ids.iter().map(ClientId::as_str)));
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

/// The document of a client that is added, but for `updatedAt`.
pub(in crate::store) fn new_document(client: &Client) -> Document {
    let mut document = to_document(client);
    document.insert(VERSION, 1_i64);
    if let Some(login) = client.last_login {
        document.insert(LAST_LOGIN, date(login));
    }
    document
}

/// The client that a document describes; `None` if it has no usable `clientId`.
pub(in crate::store) fn to_client(document: &Document) -> Option<Client> {
    if document.contains_key(REMOVED_AT) {
        return None;
    }
    let id: ClientId = document.get_str(CLIENT_ID).ok()?.parse().ok()?;
    let mut limits = Limits::of(document);
    if let Ok(problem) = document.get_str(DAMAGE) {
        limits.note(Unreadable::DOCUMENT.to_owned(), problem);
    }
    let name = text(document, "name").unwrap_or_else(|| id.to_string());
    let created = timestamp(document.get("createdAt")).unwrap_or_default();
    let secrets = secrets(document, &mut limits, created);
    let signing_algorithm = limits
        .read("authSigningAlg", "is not a known algorithm", |name| name.as_str()?.parse().ok());
    let keys = keys(document, &mut limits, signing_algorithm);
    let jwks_uri: Option<JwksUri> =
        limits.read("jwksUri", "is not a URL for keys", |uri| uri.as_str()?.parse().ok());
    let auth_method =
        limits.read("authMethod", "is not a known method", |name| name.as_str()?.parse().ok());
    // Without a state it is in no state that gets a token: a half-written document is not published.
    let state = limits.read(STATE, "is not a known state", |state| state.as_str()?.parse().ok());
    let texts = "is not a list of texts";
    Some(Client {
        name,
        auth_method: auth_method.unwrap_or_else(|| guessed_method(document)),
        state: state.unwrap_or(State::Draft),
        permissions: limits
            .read(PERMISSIONS, "is not a list of permissions", list)
            .unwrap_or_default(),
        audience: limits.read("audience", "is not a list of audiences", list).unwrap_or_default(),
        scope: limits.read("scope", "is not a scope", scope).unwrap_or_default(),
        groups: limits.read("groups", texts, list).unwrap_or_default(),
        allowed_custom_claims: limits.read("allowedCustomClaims", texts, list).unwrap_or_default(),
        grant_types: document
            .contains_key("grantTypes")
            .then(|| limits.read("grantTypes", texts, list).unwrap_or_default()),
        metadata: metadata(document),
        access_token_lifetime: limits.count("accessTokenLifetime").map(Duration::from_secs),
        // A quota of 0 is none of its own.
        quota_per_hour: limits.count("quotaPerHour").filter(|quota| *quota > 0),
        quota_per_day: limits.count("quotaPerDay").filter(|quota| *quota > 0),
        legacy_audience: limits.date("legacyAudience"),
        token_epoch: epoch(document, &mut limits),
        secrets: exactly(secrets),
        keys: exactly(keys),
        registration_tokens: exactly(registration_tokens(document, created)),
        signing_algorithm,
        jwks_uri,
        provenance: limits
            .read("provenance", "is not a known word", |word| word.as_str()?.parse().ok()),
        creator: text(document, "creatorId").unwrap_or_default(),
        former_ids: limits
            .read(FORMER_IDS, "is not a list of client ids", list)
            .unwrap_or_default(),
        created,
        updater: text(document, "updaterId").unwrap_or_default(),
        last_login: timestamp(document.get(LAST_LOGIN)),
        revision: revision(document),
        unreadable: limits.unreadable(),
        id,
    })
}

/// Without room for more: many clients are kept in memory.
fn exactly<T>(mut items: Vec<T>) -> Vec<T> {
    items.shrink_to_fit();
    items
}

/// The method of a client that names none. A key that cannot be read is a key all the same: its
/// client does not become one with a secret.
fn guessed_method(document: &Document) -> AuthMethod {
    let has_keys = present(document, "keys")
        .is_some_and(|keys| keys.as_array().is_none_or(|keys| !keys.is_empty()));
    let has_key =
        has_keys || ["publicKey", "jwksUri"].iter().any(|it| present(document, it).is_some());
    if has_key { AuthMethod::PrivateKeyJwt } else { AuthMethod::ClientSecretBasic }
}

/// A text, or a list of its words.
fn scope(value: &Bson) -> Option<Scope> {
    let words: Vec<String> = list(value)?;
    words.join(" ").parse().ok()
}

fn epoch(document: &Document, limits: &mut Limits<'_>) -> u64 {
    let found = limits.count(TOKEN_EPOCH);
    let is_there = present(document, TOKEN_EPOCH).is_some();
    found.unwrap_or(if is_there { UNREADABLE_EPOCH } else { 0 })
}

/// How a client stands. One whose state or epoch cannot be read is not in use.
pub(in crate::store) fn to_status(document: &Document) -> Option<ClientStatus> {
    let mut limits = Limits::of(document);
    let state = limits.read(STATE, "", |state| state.as_str()?.parse().ok());
    let epoch = epoch(document, &mut limits);
    let is_read = limits.unreadable().is_empty() && !document.contains_key(DAMAGE);
    Some(ClientStatus {
        id: document.get_str(CLIENT_ID).ok()?.parse().ok()?,
        state: state.filter(|_| is_read).unwrap_or(State::Draft),
        epoch,
        updated_at_ms: revision(document).updated_at_ms.unwrap_or_default(),
    })
}

/// The state of the document, for a compare-and-swap.
pub(in crate::store) fn revision(document: &Document) -> Revision {
    let updated_at_ms = document.get_datetime(UPDATED_AT).ok().map(|date| date.timestamp_millis());
    Revision { version: number(document.get(VERSION)), updated_at_ms }
}

/// What to set and what to unset to get from one client to the other. Nothing else is touched.
pub(in crate::store) struct Change {
    /// Members and their new values, the next `version` among them.
    pub(in crate::store) set: Document,
    /// Members to remove.
    pub(in crate::store) unset: Vec<String>,
}

impl Change {
    pub(in crate::store) fn between(old: &Client, new: &Client) -> Self {
        let (before, after) = (to_document(old), to_document(new));
        // What could not be read is written also where it is now what it was taken for.
        let repaired = old.unreadable.iter().filter(|it| !new.unreadable.contains(it));
        let repaired: Vec<&str> = repaired.filter_map(|it| it.member.split('[').next()).collect();
        let before_it = before.keys().map(String::as_str).chain(repaired.iter().copied());
        let unset = before_it.filter(|name| !after.contains_key(name)).map(str::to_owned).collect();
        let differs =
            |name: &str, value: &Bson| before.get(name) != Some(value) || repaired.contains(&name);
        let mut set: Document =
            after.into_iter().filter(|(name, value)| differs(name, value)).collect();
        set.insert(VERSION, old.revision.version.unwrap_or(0) + 1);
        Self { set, unset }
    }
}

fn metadata(document: &Document) -> Map<String, Value> {
    match document.get_document("metadata").map(|held| Value::from(Bson::from(held.clone()))) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
