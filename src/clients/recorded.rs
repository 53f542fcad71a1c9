//! A client as JSON, for audit records and answers: with the names of RFC 7591 where it has them, and
//! never with a hash.

use serde_json::{Value, json};

use crate::domain::client::{Client, Unreadable};
use crate::domain::free_form::{self, DEEPEST};
use crate::domain::jwks_uri::JwksUri;

/// All members of a client that do not change with time alone.
#[must_use]
pub fn recorded(client: &Client) -> Value {
    let mut shown = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created,
        "client_name": client.name,
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": client.grant_types.clone().unwrap_or_else(|| vec!["client_credentials".into()]),
    });
    extend(&mut shown, grants(client));
    extend(
        &mut shown,
        json!({
            "secrets": secrets(client),
            "keys": keys(client),
            "registration_tokens": registration_tokens(client),
            "jwks_uri": client.jwks_uri.as_ref().map(JwksUri::as_str),
            "creatorId": client.creator,
            "updaterId": client.updater,
            "updated_at": client.revision.updated_at_ms.map(|ms| ms / 1000),
            "last_login_at": client.last_login,
        }),
    );
    if let Some(algorithm) = client.signing_algorithm {
        extend(&mut shown, json!({ "token_endpoint_auth_signing_alg": algorithm }));
    }
    if !client.former_ids.is_empty() {
        extend(&mut shown, json!({ "former_client_ids": client.former_ids }));
    }
    show_as_far_as_possible(&mut shown, client);
    shown
}

/// Cuts metadata that is nested too deeply, and names members that cannot be read.
fn show_as_far_as_possible(shown: &mut Value, client: &Client) {
    let mut unreadable = client.unreadable.clone();
    for (name, value) in client.metadata.iter().filter(|(_, value)| is_cut(value)) {
        let metadata = shown.get_mut("metadata").and_then(|metadata| metadata.get_mut(name));
        if let Some(whole) = metadata {
            *whole = free_form::cut(value, DEEPEST - 1);
        }
        let problem = format!("is nested deeper than {DEEPEST} levels, and cut here");
        unreadable.push(Unreadable { member: format!("metadata.{name}"), problem });
    }
    if !unreadable.is_empty() {
        extend(shown, json!({ "unreadable": unreadable }));
    }
}

/// Whether it is too deep for a member of `metadata`, which is a level itself.
fn is_cut(value: &Value) -> bool {
    free_form::is_deeper(value, DEEPEST - 1)
}

/// The secrets of a client, by their ids only.
#[must_use]
pub fn secrets(client: &Client) -> Vec<Value> {
    let shown = client.secrets.iter().map(|secret| {
        json!({
            "id": secret.id,
            "created_at": secret.created,
            "expires_at": secret.expires.map_or(0, |end| end.0),
        })
    });
    shown.collect()
}

/// The keys of a client.
#[must_use]
pub fn keys(client: &Client) -> Vec<Value> {
    let shown = client.keys.iter().map(|key| {
        json!({
            "id": key.id,
            "created_at": key.created,
            "expires_at": key.expires.map_or(0, |end| end.0),
            "jwk": key.verifier.jwk.to_json(),
        })
    });
    shown.collect()
}

/// The registration access tokens of a client, by their ids only.
#[must_use]
pub fn registration_tokens(client: &Client) -> Vec<Value> {
    let tokens = client.registration_tokens.iter();
    tokens.map(|token| json!({ "id": token.id, "created_at": token.created })).collect()
}

/// The members that only an administrator sets.
#[must_use]
pub fn grants(client: &Client) -> Value {
    json!({
        "permissions": client.permissions,
        "audience": client.audience,
        "scope": client.scope.as_str(),
        "__STATE__": client.state,
        "metadata": client.metadata,
        "groups": client.groups,
        "allowedCustomClaims": client.allowed_custom_claims,
        "access_token_lifetime": client.access_token_lifetime.map(|life| life.as_secs()),
        "quota_per_hour": client.quota_per_hour,
        "quota_per_day": client.quota_per_day,
        "legacyAudience": client.legacy_audience,
    })
}

/// Adds members to an object.
pub fn extend(shown: &mut Value, more: Value) {
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
}
