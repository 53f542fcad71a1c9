//! What an admin sends to register a client: metadata, and what it is granted.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clients::error::ClientsError;
use crate::clients::grants::Grants;
use crate::clients::new_client::NewClient;
use crate::domain::audience::Audience;
use crate::domain::clock::Timestamp;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;
use crate::domain::state::State;
use crate::web::json;

use super::ClientMetadata;

/// The members that any registration may have.
const METADATA: [&str; 10] = [
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
];

/// Those that only an admin may set. One that is not known is refused: who misspells it must hear of
/// that.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Members {
    permissions: Vec<Permission>,
    audience: Vec<Audience>,
    scope: Scope,
    #[serde(rename = "__STATE__")]
    state: State,
    metadata: Map<String, Value>,
    groups: Vec<String>,
    #[serde(rename = "allowedCustomClaims", alias = "allowed_custom_claims")]
    allowed_custom_claims: Option<Vec<String>>,
    /// In seconds.
    access_token_lifetime: Option<u64>,
    quota_per_hour: Option<u64>,
    quota_per_day: Option<u64>,
    #[serde(rename = "legacyAudience", alias = "legacy_audience")]
    legacy_audience: Option<Timestamp>,
}

/// Reads both.
pub(in crate::http) fn new_client_with_grants(
    members: Map<String, Value>,
) -> Result<(NewClient, Grants), ClientsError> {
    let (metadata, grants): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(name, _)| METADATA.contains(&name.as_str()));
    let grants: Members = json::from_object(Value::Object(grants))?;
    let metadata: ClientMetadata = json::from_object(Value::Object(metadata))?;
    Ok((metadata.read()?, grants.into()))
}

impl From<Members> for Grants {
    fn from(members: Members) -> Self {
        Self {
            permissions: members.permissions,
            audience: members.audience,
            scope: members.scope,
            state: members.state,
            metadata: members.metadata,
            groups: members.groups,
            allowed_custom_claims: members.allowed_custom_claims.unwrap_or_default(),
            access_token_lifetime: members.access_token_lifetime.map(Duration::from_secs),
            quota_per_hour: members.quota_per_hour,
            quota_per_day: members.quota_per_day,
            legacy_audience: members.legacy_audience,
        }
    }
}
