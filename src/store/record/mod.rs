//! The shape of a client document, in every store.
//!
//! The names are those of the platform that many collections come from; what is ours alone is
//! marked so. Reading is lenient, because other tools write here too: what cannot be understood is
//! left out, never an error, and what we do not know is left alone.

mod credentials;
mod login;
mod values;

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::client::{AuthMethod, Client, Revision};
use crate::domain::id::ClientId;
use crate::domain::jwks_uri::JwksUri;
use crate::domain::permission::Permission;
use crate::domain::state::State;
use crate::tasks::Standing;

use credentials::{
    key_document, keys, registration_token_document, registration_tokens, secret_document, secrets,
    thumbprints,
};
use values::{json_to_bson, list, text, texts, whole};

pub(in crate::store) use credentials::key_holder;
pub(in crate::store) use login::{login, set_login};
pub(in crate::store) use values::{date, number, timestamp};

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
pub(in crate::store) const KEY_THUMBPRINTS: &str = "keyThumbprints";

pub(in crate::store) use crate::domain::provenance::NOBODY;

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
        document.insert("publicKey", json_to_bson(first.jwk.to_json()));
        document.insert(KEY_THUMBPRINTS, thumbprints(&client.keys));
    }
    if let Some(uri) = &client.jwks_uri {
        document.insert("jwksUri", uri.as_str());
    }
    if let Some(provenance) = client.provenance {
        document.insert("provenance", provenance.as_str());
    }
    if let Some(first) = &client.first_id {
        document.insert("firstClientId", first.as_str());
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
pub(in crate::store) fn to_client(document: &Document) -> Option<Client> {
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
        registration_tokens: registration_tokens(document, created),
        jwks_uri,
        provenance: text(document, "provenance").and_then(|word| word.parse().ok()),
        creator: text(document, "creatorId").unwrap_or_default(),
        first_id: text(document, "firstClientId").and_then(|first| first.parse().ok()),
        created,
        updater: text(document, "updaterId").unwrap_or_default(),
        last_login: timestamp(document.get(LAST_LOGIN)),
        revision: revision(document),
        id,
    })
}

/// How a client stands; leniently, as everything here.
pub(in crate::store) fn to_standing(document: &Document) -> Option<Standing> {
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
        let unset = before.keys().filter(|name| !after.contains_key(name)).cloned().collect();
        let mut set: Document =
            after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        set.insert(VERSION, old.revision.version.unwrap_or(0) + 1);
        Self { set, unset }
    }
}

/// A quota of 0 is none of its own.
fn quota(document: &Document, name: &str) -> Option<u64> {
    number(document.get(name))
        .and_then(|quota| u64::try_from(quota).ok())
        .filter(|quota| *quota > 0)
}

fn metadata(document: &Document) -> Map<String, Value> {
    match document.get_document("metadata").map(|held| Value::from(Bson::from(held.clone()))) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
