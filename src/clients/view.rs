//! A client as it is shown: RFC 7591's names where it has them, never a hash.

use std::fmt;

use serde_json::{Value, json};

use crate::domain::client::{Client, Unreadable};
use crate::domain::credential::Credential;
use crate::domain::credential_report::{Kind, Watch, credentials, report};
use crate::domain::free_form::{self, DEEPEST};
use crate::domain::jwks_uri::JwksUri;

use super::Registered;

/// What the client itself is shown when it registers, or looks after its registration at `uri`:
/// RFC 7591 §3.2.1, RFC 7592 §3.
#[must_use]
pub fn registration(registered: &Registered, uri: &str) -> Value {
    let client = &registered.client;
    let mut shown = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created,
        "client_name": client.name,
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": ["client_credentials"],
        "response_types": [],
    });
    if let Some(token) = &registered.registration_token {
        extend(
            &mut shown,
            json!({
                "registration_client_uri": uri,
                "registration_access_token": token.reveal(),
            }),
        );
    }
    if let Some(secret) = &registered.secret {
        extend(
            &mut shown,
            json!({
                "client_secret": secret.reveal(),
                "client_secret_expires_at": 0,
            }),
        );
    }
    if let Some(algorithm) = client.signing_algorithm {
        extend(&mut shown, json!({ "token_endpoint_auth_signing_alg": algorithm }));
    }
    if !client.keys.is_empty() {
        let keys: Vec<Value> = client.keys.iter().map(|key| key.verifier.jwk.to_json()).collect();
        extend(&mut shown, json!({ "jwks": { "keys": keys } }));
    }
    if let Some(uri) = &client.jwks_uri {
        extend(&mut shown, json!({ "jwks_uri": uri.as_str() }));
    }
    warn(&mut shown, &registered.left_out);
    shown
}

/// The same when it looks after its registration, with what it may do so with.
#[must_use]
pub fn own(registered: &Registered, uri: &str) -> Value {
    let mut shown = registration(registered, uri);
    let tokens = used_registration_tokens(&registered.client);
    extend(&mut shown, json!({ "registration_tokens": tokens }));
    shown
}

/// What an admin is shown when it registers a client.
#[must_use]
pub fn created(registered: &Registered, uri: &str) -> Value {
    let mut shown = registration(registered, uri);
    extend(&mut shown, grants(&registered.client));
    warn(&mut shown, &registered.shared_keys);
    shown
}

/// Adds to what is told that is fine and yet worth a look: of keys that were left out, and to admins
/// of keys that other clients have too, and of what they granted.
pub fn warn(shown: &mut Value, more: impl IntoIterator<Item: fmt::Display>) {
    let Some(shown) = shown.as_object_mut() else { return };
    let more: Vec<Value> = more.into_iter().map(|it| it.to_string().into()).collect();
    if more.is_empty() {
        return;
    }
    let warnings = shown.entry("warnings").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(warnings) = warnings.as_array_mut() {
        warnings.extend(more);
    }
}

/// What an admin is shown of a client later on, with what is worth knowing of its credentials.
#[must_use]
pub fn client(client: &Client, watch: Watch) -> Value {
    let mut shown = recorded(client);
    let all = credentials(client);
    for (name, kind) in [("secrets", Kind::Secret), ("keys", Kind::Key)] {
        let items = shown.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
        for (item, this) in items.zip(all.iter().filter(|it| it.verifier == kind)) {
            extend(item, reported(this, &all, watch));
        }
    }
    extend(&mut shown, json!({ "registration_tokens": used_registration_tokens(client) }));
    shown
}

/// What is worth knowing of one credential among all of its client.
#[must_use]
pub fn reported(this: &Credential<Kind>, all: &[Credential<Kind>], watch: Watch) -> Value {
    let report = report(this, all, watch);
    let mut shown = json!({
        "last_used_at": this.last_used,
        "state": if report.ended { "ended" } else { "active" },
        "safe_to_remove": report.safe_to_remove,
    });
    if let Some(days) = report.expires_within_days {
        extend(&mut shown, json!({ "expires_within_days": days }));
    }
    shown
}

/// What a record says of a client: nothing that changes of itself as time goes by.
pub(super) fn recorded(client: &Client) -> Value {
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

/// What another tool nested too deeply is cut, and what cannot be read is named.
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

/// The secrets of a client, by their ids alone.
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

/// What a client may be looked after with, by their ids alone.
fn registration_tokens(client: &Client) -> Vec<Value> {
    let tokens = client.registration_tokens.iter();
    tokens.map(|token| json!({ "id": token.id, "created_at": token.created })).collect()
}

/// The same, with the days of their last use.
fn used_registration_tokens(client: &Client) -> Vec<Value> {
    let mut shown = registration_tokens(client);
    for (shown, token) in shown.iter_mut().zip(&client.registration_tokens) {
        extend(shown, json!({ "last_used_at": token.last_used }));
    }
    shown
}

/// What an admin granted.
#[must_use]
pub(super) fn grants(client: &Client) -> Value {
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

fn extend(shown: &mut Value, more: Value) {
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
}
