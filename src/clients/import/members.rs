//! The members of a document of another platform.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clients::error::{ClientsError, refused};
use crate::clients::grants::Grants;
use crate::clients::new_client::check_name;
use crate::clients::public_key::MOST_LISTED;
use crate::domain::algorithm::Algorithm;
use crate::domain::audience::Audience;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{CLIENT_CREDENTIALS, Client};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::printable::excerpt;
use crate::domain::scope::Scope;
use crate::domain::state::State;

use super::credentials::{Key, Secret};
use super::values;

/// The name of a route: a client of this id could not be looked at.
const TAKEN: &str = "import";

/// The members that count. What else a platform keeps in its documents is left behind. A member
/// that is `null` is absent.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Members {
    pub(super) client_id: Value,
    pub(super) name: Value,
    pub(super) auth_method: Option<String>,
    #[serde(rename = "__STATE__")]
    pub(super) state: Option<State>,
    #[serde(deserialize_with = "values::list")]
    pub(super) permissions: Option<Vec<Permission>>,
    #[serde(deserialize_with = "values::list")]
    pub(super) audience: Option<Vec<Audience>>,
    #[serde(deserialize_with = "values::list")]
    pub(super) allowed_custom_claims: Option<Vec<String>>,
    pub(super) public_key: Option<Value>,
    pub(super) metadata: Option<Map<String, Value>>,
    pub(super) creator_id: Option<String>,
    // Dates that only inform: what cannot be read of them is left behind.
    pub(super) created_at: Value,
    pub(super) last_login: Value,
    // Ours from here on.
    pub(super) keys: Option<Vec<Key>>,
    pub(super) secrets: Option<Vec<Secret>>,
    #[serde(deserialize_with = "values::algorithm")]
    pub(super) auth_signing_alg: Option<Algorithm>,
    #[serde(deserialize_with = "values::scope")]
    pub(super) scope: Option<Scope>,
    #[serde(deserialize_with = "values::list")]
    pub(super) groups: Option<Vec<String>>,
    #[serde(deserialize_with = "values::count")]
    pub(super) token_epoch: Option<u64>,
    #[serde(deserialize_with = "values::count")]
    pub(super) access_token_lifetime: Option<u64>,
    #[serde(deserialize_with = "values::count")]
    pub(super) quota_per_hour: Option<u64>,
    #[serde(deserialize_with = "values::count")]
    pub(super) quota_per_day: Option<u64>,
    #[serde(deserialize_with = "values::date")]
    pub(super) legacy_audience: Option<Timestamp>,
    #[serde(deserialize_with = "values::list")]
    pub(super) grant_types: Option<Vec<String>>,
    // A secret in plain, from a platform that keeps them so. Only its hash is kept here.
    pub(super) client_secret: Option<ClientSecretText>,
}

/// Has no `Debug`: what is wrong with a document must not quote it.
#[derive(Deserialize)]
pub(super) struct ClientSecretText(pub(super) String);

impl Members {
    /// Each is judged, those that have ended too: not as many as there is room for in a body.
    pub(super) fn refuse_too_many(&self) -> Result<(), ClientsError> {
        let keys = self.keys.as_ref().map_or(0, Vec::len);
        let secrets = self.secrets.as_ref().map_or(0, Vec::len);
        match keys.max(secrets) > MOST_LISTED {
            true => refused(format!("it lists more than {MOST_LISTED} keys or secrets")),
            false => Ok(()),
        }
    }

    pub(super) fn named(&self, created: Timestamp) -> Result<Client, ClientsError> {
        let Some(id) = self.client_id.as_str() else {
            return refused("it has no `clientId`");
        };
        let parsed: Result<ClientId, _> = id.parse();
        let id = parsed.map_err(|error| ClientsError::Metadata(error.to_string()))?;
        if id.is_reserved() {
            return refused(format!(
                "`{}` stands for no client, and cannot be the id of one",
                excerpt(id.as_str())
            ));
        }
        if id.as_str() == TAKEN {
            return refused("`import` is the name of a route, and cannot be that of a client");
        }
        let name = match &self.name {
            Value::Null => id.to_string(),
            Value::String(name) if check_name(name).is_ok() => name.clone(),
            _ => {
                return refused(
                    "`name` must be 1 to 256 characters, of which one can be seen, and none \
                     controls lines or the direction of writing",
                );
            }
        };
        Ok(Client::new(id, name, AuthMethod::default(), created))
    }

    pub(super) fn auth_method(&self, has_key: bool) -> Result<AuthMethod, ClientsError> {
        match &self.auth_method {
            Some(method) => method.parse().or_else(|_| {
                refused("`authMethod` must be client_secret_basic, client_secret_post or private_key_jwt")
            }),
            None if has_key => Ok(AuthMethod::PrivateKeyJwt),
            None => Ok(AuthMethod::ClientSecretBasic),
        }
    }

    pub(super) fn grants(self) -> Result<Grants, ClientsError> {
        let permissions = self.permissions.unwrap_or_default();
        if let Some(ours) = permissions.iter().find(|permission| permission.is_ours()) {
            let ours = excerpt(ours.as_str());
            let why = format!("power over this server is granted here and not imported: `{ours}`");
            return refused(why);
        }
        let grant_types = self.grant_types.unwrap_or_default();
        if !grant_types.is_empty() && !grant_types.iter().any(|grant| grant == CLIENT_CREDENTIALS) {
            return refused("it does not use the client credentials grant");
        }
        Ok(Grants {
            permissions,
            audience: self.audience.unwrap_or_default(),
            scope: self.scope.unwrap_or_default(),
            // As in a collection of ours: what is half written is not published.
            state: self.state.unwrap_or(State::Draft),
            metadata: self.metadata.unwrap_or_default(),
            groups: self.groups.unwrap_or_default(),
            allowed_custom_claims: self.allowed_custom_claims.unwrap_or_default(),
            access_token_lifetime: self.access_token_lifetime.map(Duration::from_secs),
            legacy_audience: self.legacy_audience,
            quota_per_hour: self.quota_per_hour,
            quota_per_day: self.quota_per_day,
        })
    }
}
