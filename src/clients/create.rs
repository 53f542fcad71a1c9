//! An admin registers a client, with what it is granted.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::audit::Action;
use crate::domain::audience::Audience;
use crate::domain::claims;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::free_form::{self, DEEPEST, LARGEST};
use crate::domain::lists::{self, ListLimits};
use crate::domain::permission::Permission;
use crate::domain::printable::{excerpt, is_name};
use crate::domain::provenance::Provenance;
use crate::domain::scope::Scope;
use crate::domain::state::State;

use super::authority::Authority;
use super::draft::{ClientMetadata, Draft};
use super::error::ClientsError;
use super::key_admission::KeyAdmission;
use super::{Clients, Registered};

/// What an admin may set, beside the metadata of any registration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// What its tokens say it may do.
    pub permissions: Vec<Permission>,
    /// For whom its tokens may be.
    pub audience: Vec<Audience>,
    /// What it may ask for.
    pub scope: Scope,
    /// Its state to begin with.
    #[serde(rename = "__STATE__")]
    pub state: State,
    /// Free-form notes.
    pub metadata: Map<String, Value>,
    /// Groups, for policies.
    pub groups: Vec<String>,
    /// Claims that it may set by its assertions.
    #[serde(rename = "allowedCustomClaims", alias = "allowed_custom_claims")]
    pub allowed_custom_claims: Option<Vec<String>>,
    /// How long its tokens live, in seconds.
    pub access_token_lifetime: Option<u64>,
    /// How many tokens it may get in an hour; 0: as configured.
    pub quota_per_hour: Option<u64>,
    /// How many tokens it may get in a day; 0: as configured.
    pub quota_per_day: Option<u64>,
    /// Until when it may send the token endpoint's URL as `aud`, in seconds since the epoch.
    #[serde(rename = "legacyAudience", alias = "legacy_audience")]
    pub legacy_audience: Option<Timestamp>,
}

/// How many claims a client may be allowed to set.
const MOST_CLAIMS: usize = 64;

/// The largest quota: more than any server issues.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// Every member that an admin's registration may have.
const MEMBERS: [&str; 23] = [
    "client_name",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "grant_types",
    "response_types",
    "public_key",
    "public_key_pem",
    "jwks",
    "jwks_uri",
    "proof",
    "permissions",
    "audience",
    "scope",
    "__STATE__",
    "metadata",
    "groups",
    "allowedCustomClaims",
    "allowed_custom_claims",
    "access_token_lifetime",
    "quota_per_hour",
    "quota_per_day",
    "legacyAudience",
    "legacy_audience",
];

/// Refuses a member that is not known: an admin who misspells one must hear of it.
pub fn refuse_unknown(object: &Value) -> Result<(), ClientsError> {
    let names = object.as_object().into_iter().flat_map(Map::keys);
    match names.into_iter().find(|name| !MEMBERS.contains(&name.as_str())) {
        Some(unknown) => refused(format!("unknown member `{}`", excerpt(unknown))),
        None => Ok(()),
    }
}

/// Registers a client in an admin's name.
pub async fn create(
    clients: &Clients,
    keys: &KeyAdmission,
    authority: &Authority,
    metadata: &ClientMetadata,
    grants: Grants,
    longest_life: Duration,
    now: Timestamp,
) -> Result<Registered, ClientsError> {
    clients.may_grant(authority, &grants.permissions).await?;
    let outline = metadata.outline(clients.fresh_id()?, now)?;
    let Draft { mut client, left_out } = clients.draft(outline).await?;
    grant(&mut client, grants, longest_life, &clients.limits.lists)?;
    client.provenance = Some(Provenance::Created);
    client.creator = authority.author().actor.to_string();
    client.updater = authority.author().actor.to_string();
    let shared_keys = keys.admit_first(&client, &metadata.proofs()?, now).await?;
    let added = clients.add(client, authority.author(), Action::ClientCreated).await?;
    Ok(Registered { shared_keys, left_out, ..added })
}

/// Sets what an admin may set, if it can be set.
pub(super) fn grant(
    client: &mut Client,
    grants: Grants,
    longest_life: Duration,
    limits: &ListLimits,
) -> Result<(), ClientsError> {
    let custom = grants.allowed_custom_claims.unwrap_or_default();
    // First, so that nothing below looks through a list of whatever length.
    for (name, length, most) in [
        ("permissions", grants.permissions.len(), limits.permissions),
        ("audience", grants.audience.len(), limits.audiences),
        ("scope", grants.scope.len(), limits.scopes),
        ("groups", grants.groups.len(), limits.groups),
        ("allowedCustomClaims", custom.len(), MOST_CLAIMS),
    ] {
        if length > most {
            return refused(format!("`{name}` may hold at most {most} items, and not {length}"));
        }
    }
    if let Some(reserved) = custom.iter().find(|name| claims::is_reserved(name)) {
        return refused(format!("`allowedCustomClaims` must not hold `{reserved}`"));
    }
    if let Some(empty) = custom.iter().find(|name| name.is_empty() || name.chars().count() > 256) {
        return refused(format!("`{}` is not a claim name", excerpt(empty)));
    }
    let lifetime = grants.access_token_lifetime.map(Duration::from_secs);
    if lifetime.is_some_and(|life| life.is_zero() || life > longest_life) {
        let longest = longest_life.as_secs();
        return refused(format!("`access_token_lifetime` must be from 1 to {longest} seconds"));
    }
    let metadata = Value::Object(grants.metadata);
    if free_form::is_too_deep(&metadata) {
        return refused(format!("`metadata` must not be nested deeper than {DEEPEST} levels"));
    }
    if free_form::is_too_large(&metadata) {
        return refused(format!("`metadata` must not be larger than {LARGEST} bytes as JSON"));
    }
    if let Some(name) = unstorable_name(&metadata) {
        return refused(format!(
            "`metadata` must not have a member `{}`: no `.`, no leading `$`",
            excerpt(name)
        ));
    }
    let groups = grants.groups.iter().map(|group| ("group", group.as_str()));
    let permissions = grants.permissions.iter().map(|held| ("permission", held.as_str()));
    let claims = custom.iter().map(|claim| ("claim", claim.as_str()));
    if let Some((kind, _)) = groups.chain(permissions).chain(claims).find(|(_, it)| !is_name(it)) {
        return refused(format!(
            "a {kind} is a name: one character can be seen, and none controls lines or the direction \
             of writing"
        ));
    }

    client.permissions = lists::unique(grants.permissions);
    client.audience = lists::unique(grants.audience);
    client.scope = grants.scope;
    client.state = grants.state;
    client.metadata = match metadata {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    client.groups = lists::unique(grants.groups);
    client.allowed_custom_claims = lists::unique(custom);
    client.access_token_lifetime = lifetime;
    client.quota_per_hour = quota("quota_per_hour", grants.quota_per_hour)?;
    client.quota_per_day = quota("quota_per_day", grants.quota_per_day)?;
    client.legacy_audience = grants.legacy_audience;
    Ok(())
}

/// 0 is none of its own.
fn quota(name: &str, quota: Option<u64>) -> Result<Option<u64>, ClientsError> {
    match quota {
        Some(quota) if quota > MOST_TOKENS => {
            refused(format!("`{name}` must be at most {MOST_TOKENS}"))
        }
        quota => Ok(quota.filter(|quota| *quota > 0)),
    }
}

pub(super) fn refused<T>(why: String) -> Result<T, ClientsError> {
    Err(ClientsError::Metadata(why))
}

/// The first member name, at any depth, that some store could not keep.
fn unstorable_name(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let bad = name.is_empty() || name.contains(['.', '\0']) || name.starts_with('$');
            if bad { Some(name.as_str()) } else { unstorable_name(value) }
        }),
        Value::Array(items) => items.iter().find_map(unstorable_name),
        _ => None,
    }
}
