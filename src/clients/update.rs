//! An admin changes what a client is, and what it is granted: a JSON merge patch,
//! [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396).

use std::mem::swap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::audit::Action;
use crate::domain::client::{AuthMethod, CLIENT_CREDENTIALS, Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::ClientId;
use crate::domain::lists::ListLimits;
use crate::domain::printable::{excerpt, misfit};

use super::authority::Authority;
use super::change::{By, Precondition};
use super::create::{Grants, grant, refused};
use super::draft::{client_name, signing_algorithm};
use super::error::ClientsError;
use super::{Clients, view};

/// The members that can be changed so, beside those of [`Grants`] that have a second name.
const SECOND_NAMES: [(&str, &str); 2] =
    [("allowed_custom_claims", "allowedCustomClaims"), ("legacy_audience", "legacyAudience")];

/// Takes one member over.
type Take = fn(&mut Client, &mut Client);

/// The names of members in documents that are others than here.
#[rustfmt::skip]
const IN_DOCUMENTS: [(&str, &str); 6] = [
    ("token_endpoint_auth_method",      "authMethod"),
    ("token_endpoint_auth_signing_alg", "authSigningAlg"),
    ("grant_types",                     "grantTypes"),
    ("access_token_lifetime",           "accessTokenLifetime"),
    ("quota_per_hour",                  "quotaPerHour"),
    ("quota_per_day",                   "quotaPerDay"),
];

/// What can be granted, by name.
#[rustfmt::skip]
const GRANTED: [(&str, Take); 10] = [
    ("permissions",           |to, from| swap(&mut to.permissions, &mut from.permissions)),
    ("audience",              |to, from| swap(&mut to.audience, &mut from.audience)),
    ("scope",                 |to, from| swap(&mut to.scope, &mut from.scope)),
    ("metadata",              |to, from| swap(&mut to.metadata, &mut from.metadata)),
    ("groups",                |to, from| swap(&mut to.groups, &mut from.groups)),
    ("allowedCustomClaims",   |to, from| swap(&mut to.allowed_custom_claims, &mut from.allowed_custom_claims)),
    ("access_token_lifetime", |to, from| to.access_token_lifetime = from.access_token_lifetime),
    ("quota_per_hour",        |to, from| to.quota_per_hour = from.quota_per_hour),
    ("quota_per_day",         |to, from| to.quota_per_day = from.quota_per_day),
    ("legacyAudience",        |to, from| to.legacy_audience = from.legacy_audience),
];

/// What is asked for.
#[derive(Debug)]
pub struct Update {
    /// The merge patch.
    pub patch: Map<String, Value>,
    /// Whether the tokens that were issued so far shall end.
    pub revoke_tokens: bool,
}

impl Clients {
    /// Changes a client. What is taken from its grants stays in living tokens until they expire,
    /// unless they are revoked with it.
    pub async fn update(
        &self,
        id: &ClientId,
        update: &Update,
        precondition: &Precondition,
        (authority, longest_life): (&Authority, Duration),
        now: Timestamp,
    ) -> Result<Client, ClientsError> {
        let by = By { authority, action: Action::ClientUpdated, now };
        let alter = |client: &mut Client| {
            patched(client, &update.patch, (longest_life, &self.limits.lists), now)?;
            if update.revoke_tokens {
                client.token_epoch = self.revoker.revocations.next_epoch(id, client.token_epoch);
                authority.end_registration_tokens(client);
            }
            Ok(())
        };
        self.change(id, precondition, by, alter).await
    }
}

fn patched(
    client: &mut Client,
    patch: &Map<String, Value>,
    (longest_life, limits): (Duration, &ListLimits),
    now: Timestamp,
) -> Result<(), ClientsError> {
    let mut members = changeable(client);
    let mut patch = patch.clone();
    for (second, name) in SECOND_NAMES {
        if let Some(value) = patch.remove(second)
            && patch.insert(name.to_owned(), value).is_some()
        {
            return refused(format!("`{second}` and `{name}` are the same"));
        }
    }
    if let Some(unknown) = patch.keys().find(|name| members.get(*name).is_none()) {
        let unknown = excerpt(unknown);
        return refused(format!("member `{unknown}` cannot be changed here"));
    }
    let patched: Vec<String> = patch.keys().cloned().collect();
    json_patch::merge(&mut members, &Value::Object(patch));

    let is_patched = |name: &str| patched.iter().any(|named| named == name);
    if is_patched("client_name") {
        client.name = client_name(members.get("client_name").unwrap_or(&Value::Null))?;
    }
    set_auth_method(client, members.get("token_endpoint_auth_method"), now)?;
    if is_patched("token_endpoint_auth_signing_alg") {
        set_signing_algorithm(client, members.get("token_endpoint_auth_signing_alg"), now)?;
    }
    if is_patched("grant_types") {
        client.grant_types = grant_types(members.get("grant_types"))?;
    }
    // What is not named here stays as it is, also if it could not be granted today.
    if let Some(members) = members.as_object_mut() {
        members.retain(|name, _| is_patched(name));
    }
    let grants: Grants = serde_path_to_error::deserialize(members).map_err(|error| {
        ClientsError::Metadata(format!(
            "`{}`: {}",
            error.path(),
            misfit(&error.inner().to_string())
        ))
    })?;
    let mut granted = client.clone();
    grant(&mut granted, grants, longest_life, limits)?;
    for (name, take) in GRANTED {
        if is_patched(name) {
            take(client, &mut granted);
        }
    }
    // What is set anew can be read again.
    for name in &patched {
        let mut others = IN_DOCUMENTS.iter().filter(|(here, _)| here == name).peekable();
        let own = others.peek().is_none().then_some(name.as_str());
        let members: Vec<&str> = others.map(|(_, member)| *member).chain(own).collect();
        client.unreadable.retain(|it| !members.contains(&it.member.as_str()));
    }
    Ok(())
}

/// There is one grant. Without any it is that one.
fn grant_types(value: Option<&Value>) -> Result<Option<Vec<String>>, ClientsError> {
    let Some(value) = value else { return Ok(None) };
    let is_grant = |grant: &Value| grant == CLIENT_CREDENTIALS;
    match value.as_array() {
        Some(grants) if !grants.is_empty() && grants.iter().all(is_grant) => {
            Ok(Some(vec![CLIENT_CREDENTIALS.to_owned()]))
        }
        _ => refused(format!("`grant_types` must be [\"{CLIENT_CREDENTIALS}\"]")),
    }
}

/// The members as they stand, under the names of an admin's registration.
fn changeable(client: &Client) -> Value {
    let mut members = view::grants(client);
    if let Some(members) = members.as_object_mut() {
        members.remove("__STATE__"); // its changes have rules of their own
        members.insert("client_name".to_owned(), json!(client.name));
        members.insert("grant_types".to_owned(), json!(client.grant_types));
        members.insert("token_endpoint_auth_method".to_owned(), json!(client.auth_method));
        let algorithm = json!(client.signing_algorithm);
        members.insert("token_endpoint_auth_signing_alg".to_owned(), algorithm);
    }
    members
}

/// A client cannot be moved to a method for which it has no credential.
fn set_auth_method(
    client: &mut Client,
    method: Option<&Value>,
    now: Timestamp,
) -> Result<(), ClientsError> {
    let method: AuthMethod = match method.and_then(Value::as_str) {
        Some(name) => name.parse().map_err(|e| ClientsError::Metadata(format!("{e}")))?,
        None => return refused("`token_endpoint_auth_method` is a string".to_owned()),
    };
    let usable = match method {
        _ if method == client.auth_method => true,
        AuthMethod::PrivateKeyJwt => {
            client.jwks_uri.is_some() || client.keys.iter().any(|key| key.is_live_at(now))
        }
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
            client.secrets.iter().any(|secret| secret.is_live_at(now))
        }
    };
    if !usable {
        return refused(format!("the client has nothing to use {method} with; add it first"));
    }
    client.auth_method = method;
    Ok(())
}

/// A client cannot be bound to an algorithm with which none of its keys signs. Keys that came without
/// an `alg` sign with whichever it is.
fn set_signing_algorithm(
    client: &mut Client,
    named: Option<&Value>,
    now: Timestamp,
) -> Result<(), ClientsError> {
    let registered = signing_algorithm(named.unwrap_or(&Value::Null))?;
    let mut keys = client.keys.clone();
    for key in &mut keys {
        key.verifier.follow(registered);
    }
    if let Some(algorithm) = registered {
        if client.auth_method != AuthMethod::PrivateKeyJwt {
            return refused(
                "`token_endpoint_auth_signing_alg` goes with private_key_jwt".to_owned(),
            );
        }
        let signs = |key: &Credential<ClientKey>| {
            key.is_live_at(now) && key.verifier.jwk.algorithm == algorithm
        };
        if client.jwks_uri.is_none() && !keys.iter().any(signs) {
            return refused(format!("the client has no key that signs {algorithm}; add one first"));
        }
    }
    client.signing_algorithm = registered;
    client.keys = keys;
    Ok(())
}
