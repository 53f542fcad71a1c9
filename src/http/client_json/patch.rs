//! A merge patch for a client: [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396).

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::clients::update::{ClientPatch, Patch};
use crate::domain::audience::Audience;
use crate::domain::auth_method::AuthMethod;
use crate::domain::clock::Timestamp;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;
use crate::web::json;

use super::metadata::{auth_method, signing_algorithm};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Members {
    client_name: Patch<Value>,
    token_endpoint_auth_method: Patch<Value>,
    token_endpoint_auth_signing_alg: Patch<Value>,
    grant_types: Patch<Vec<String>>,
    permissions: Patch<Vec<Permission>>,
    audience: Patch<Vec<Audience>>,
    scope: Patch<Scope>,
    metadata: Patch<Map<String, Value>>,
    groups: Patch<Vec<String>>,
    #[serde(rename = "allowedCustomClaims", alias = "allowed_custom_claims")]
    allowed_custom_claims: Patch<Vec<String>>,
    /// In seconds.
    access_token_lifetime: Patch<u64>,
    quota_per_hour: Patch<u64>,
    quota_per_day: Patch<u64>,
    #[serde(rename = "legacyAudience", alias = "legacy_audience")]
    legacy_audience: Patch<Timestamp>,
}

/// A member that is absent stays as it is; one that is `null` goes.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

/// Reads it.
pub(in crate::http) fn client_patch(members: Value) -> Result<ClientPatch, ClientsError> {
    let unknown = |name: &str| format!("member `{name}` cannot be changed here");
    let members: Members = json::from_object_or(members, unknown)?;
    Ok(ClientPatch {
        name: required(members.client_name, |name| {
            Ok(name.as_str().unwrap_or_default().to_owned())
        })?,
        auth_method: required::<AuthMethod>(members.token_endpoint_auth_method, auth_method)?,
        signing_algorithm: match members.token_endpoint_auth_signing_alg {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(named) => signing_algorithm(&named)?.map_or(Patch::Clear, Patch::Set),
        },
        grant_types: members.grant_types,
        permissions: members.permissions,
        audience: members.audience,
        scope: members.scope,
        metadata: members.metadata,
        groups: members.groups,
        allowed_custom_claims: members.allowed_custom_claims,
        access_token_lifetime: match members.access_token_lifetime {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(seconds) => Patch::Set(Duration::from_secs(seconds)),
        },
        quota_per_hour: members.quota_per_hour,
        quota_per_day: members.quota_per_day,
        legacy_audience: members.legacy_audience,
    })
}

/// A member that a client cannot be without: to take it away is to set it to nothing.
fn required<T>(
    member: Patch<Value>,
    read: fn(&Value) -> Result<T, ClientsError>,
) -> Result<Option<T>, ClientsError> {
    match member {
        Patch::Keep => Ok(None),
        Patch::Clear => read(&Value::Null).map(Some),
        Patch::Set(value) => read(&value).map(Some),
    }
}
