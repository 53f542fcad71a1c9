//! A client in answers.

use std::fmt;

use serde_json::{Value, json};

use crate::clients::Registered;
use crate::clients::recorded::{extend, grants, recorded, registration_tokens};
use crate::domain::client::Client;
use crate::domain::credential::Credential;
use crate::domain::credential_report::{Kind, Watch, credentials, report};

/// The client information response, with `uri` for the management of the registration:
/// RFC 7591 §3.2.1, RFC 7592 §3.
pub(in crate::http) fn registration(registered: &Registered, uri: &str) -> Value {
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

/// The same for a client that manages its registration, with its registration access tokens.
pub(in crate::http) fn own(registered: &Registered, uri: &str) -> Value {
    let mut shown = registration(registered, uri);
    let tokens = used_registration_tokens(&registered.client);
    extend(&mut shown, json!({ "registration_tokens": tokens }));
    shown
}

/// The answer to an administrator that creates a client.
pub(in crate::http) fn created(registered: &Registered, uri: &str) -> Value {
    let mut shown = registration(registered, uri);
    extend(&mut shown, grants(&registered.client));
    warn(&mut shown, &registered.shared_keys);
    shown
}

/// Adds to `warnings`: keys that were left out and, for administrators, keys that other clients have
/// too and grants that deserve a look.
pub(in crate::http) fn warn(shown: &mut Value, more: impl IntoIterator<Item: fmt::Display>) {
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

/// A client for administrators, with a report on each of its credentials.
pub(in crate::http) fn client(client: &Client, watch: Watch) -> Value {
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

/// The report on one of the credentials of a client.
fn reported(this: &Credential<Kind>, all: &[Credential<Kind>], watch: Watch) -> Value {
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

/// The registration access tokens of a client, with the days of their last use.
fn used_registration_tokens(client: &Client) -> Vec<Value> {
    let mut shown = registration_tokens(client);
    for (shown, token) in shown.iter_mut().zip(&client.registration_tokens) {
        extend(shown, json!({ "last_used_at": token.last_used }));
    }
    shown
}
