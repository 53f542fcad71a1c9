//! A client document as another platform's database holds it, read strictly: unlike a document that
//! is in our own store already, one that is brought can be sent back with the reason.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::client::{AuthMethod, CLIENT_CREDENTIALS, Client};
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::provenance::{FORMER_SERVER, NOBODY, Provenance};
use crate::domain::scope::Scope;
use crate::domain::secret::ClientSecret;
use crate::domain::state::State;
use crate::registry::create::{Grants, grant};
use crate::registry::draft::{Limits, MOST_LISTED, client_name};
use crate::registry::error::RegistryError;
use crate::registry::public_key::LeftOut;

use super::credentials::{self, Key, Secret, end};
use super::{extended, refused};

/// The name of a route: a client of this id could not be looked at.
const TAKEN: &str = "import";

/// Far above any that was counted, and far below what a store can hold.
const HIGHEST_EPOCH: u64 = 1 << 40;

/// A client as it is brought, before anything was kept of its secret.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) client: Client,
    /// Its secret, if it comes in plain.
    pub(super) secret: Option<ClientSecret>,
    pub(super) last_login: Option<Timestamp>,
    /// Keys that cannot be used, beside some that can.
    pub(super) left_out: Vec<LeftOut>,
}

/// The members that count. What else a platform keeps in its documents is left behind. A member
/// that is `null` is absent.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Members {
    client_id: Value,
    name: Value,
    auth_method: Option<String>,
    #[serde(rename = "__STATE__")]
    state: Option<State>,
    permissions: Option<Vec<Permission>>,
    audience: Option<Vec<Audience>>,
    allowed_custom_claims: Option<Vec<String>>,
    public_key: Option<Value>,
    metadata: Option<Map<String, Value>>,
    creator_id: Option<String>,
    created_at: Option<String>,
    last_login: Option<String>,
    // Ours from here on.
    keys: Option<Vec<Key>>,
    secrets: Option<Vec<Secret>>,
    scope: Option<Scope>,
    groups: Option<Vec<String>>,
    token_epoch: Option<u64>,
    access_token_lifetime: Option<u64>,
    legacy_audience: Option<String>,
    grant_types: Option<Vec<String>>,
    // A secret in plain, from a platform that keeps them so. Only its hash is kept here.
    client_secret: Option<ClientSecretText>,
}

/// Has no `Debug`: what is wrong with a document must not quote it.
#[derive(Deserialize)]
struct ClientSecretText(String);

/// Reads one document.
pub(super) fn read(
    document: Value,
    longest_life: Duration,
    limits: &Limits,
    now: Timestamp,
) -> Result<Brought, RegistryError> {
    let document = extended::plain(document);
    if !document.is_object() {
        return refused("this is no JSON object");
    }
    let members: Members = serde_path_to_error::deserialize(document).map_err(|error| {
        // What is wrong may quote the value; that of a secret must not come back.
        let path = error.path().to_string();
        let secret = path.contains("ecret");
        let why = if secret { "it cannot be read".to_owned() } else { error.inner().to_string() };
        RegistryError::Metadata(format!("`{path}`: {why}"))
    })?;
    // A date that only informs: one that cannot be read is left behind.
    let created =
        members.created_at.as_deref().and_then(Timestamp::from_rfc3339).unwrap_or(now).min(now);
    let mut client = members.named(created)?;
    members.refuse_too_many()?;
    let slot = members.public_key.as_ref();
    let listed = members.keys.as_deref().unwrap_or_default();
    let (keys, left_out) = credentials::keys(slot, listed, created)?;
    client.keys = keys;
    client.keys.retain(|key| key.is_live_at(now));
    client.auth_method = members.auth_method(!client.keys.is_empty())?;
    if client.auth_method == AuthMethod::PrivateKeyJwt && client.keys.is_empty() {
        return refused("private_key_jwt needs a key, and there is no `publicKey`");
    }
    client.secrets = credentials::secrets(members.secrets.as_deref().unwrap_or_default(), created)?;
    client.secrets.retain(|secret| secret.is_live_at(now));
    if client.keys.len() > limits.keys || client.secrets.len() > limits.secrets {
        return refused("it has more keys or secrets than a client may have");
    }
    client.token_epoch = members.token_epoch.unwrap_or_default();
    if client.token_epoch > HIGHEST_EPOCH {
        return refused("its `tokenEpoch` leaves no room for higher ones");
    }
    client.provenance = Some(Provenance::Imported);
    client.creator = members.creator_id.clone().filter(|id| is_somebody(id)).unwrap_or_default();
    let last_login =
        members.last_login.as_deref().and_then(Timestamp::from_rfc3339).map(|at| at.min(now));
    let secret = members.client_secret.as_ref().map(|text| text.0.clone());
    if secret.as_ref().is_some_and(String::is_empty) {
        return refused("its secret is empty");
    }
    let uses_secret = client.auth_method != AuthMethod::PrivateKeyJwt;
    let secret = secret.filter(|_| uses_secret).map(ClientSecret::from);
    grant(&mut client, members.grants()?, longest_life, &limits.lists)?;
    Ok(Brought { client, secret, last_login, left_out })
}

/// Whether an author can be somebody: what stands for this server, or for nobody, is for us to say.
fn is_somebody(author: &str) -> bool {
    author != FORMER_SERVER && author != NOBODY && !author.starts_with("latchkey:")
}

impl Members {
    /// Each is judged, those that have ended too: not as many as there is room for in a body.
    fn refuse_too_many(&self) -> Result<(), RegistryError> {
        let keys = self.keys.as_ref().map_or(0, Vec::len);
        let secrets = self.secrets.as_ref().map_or(0, Vec::len);
        match keys.max(secrets) > MOST_LISTED {
            true => refused(&format!("it lists more than {MOST_LISTED} keys or secrets")),
            false => Ok(()),
        }
    }

    fn named(&self, created: Timestamp) -> Result<Client, RegistryError> {
        let Some(id) = self.client_id.as_str() else {
            return refused("it has no `clientId`");
        };
        let parsed: Result<ClientId, _> = id.parse();
        let id = parsed.map_err(|error| RegistryError::Metadata(error.to_string()))?;
        if id.is_reserved() {
            return refused(&format!("`{id}` stands for no client, and cannot be the id of one"));
        }
        if id.as_str() == TAKEN {
            return refused("`import` is the name of a route, and cannot be that of a client");
        }
        let name = match &self.name {
            Value::Null => id.to_string(),
            name => client_name(name).or_else(|_| {
                refused(
                    "`name` must be 1 to 256 characters, of which one can be seen, and none \
                     controls lines or the direction of writing",
                )
            })?,
        };
        Ok(Client::new(id, name, AuthMethod::default(), created))
    }

    fn auth_method(&self, has_key: bool) -> Result<AuthMethod, RegistryError> {
        match &self.auth_method {
            Some(method) => method.parse().or_else(|_| {
                refused("`authMethod` must be client_secret_basic, client_secret_post or private_key_jwt")
            }),
            None if has_key => Ok(AuthMethod::PrivateKeyJwt),
            None => Ok(AuthMethod::ClientSecretBasic),
        }
    }

    fn grants(self) -> Result<Grants, RegistryError> {
        let permissions = self.permissions.unwrap_or_default();
        if let Some(ours) = permissions.iter().find(|permission| permission.is_ours()) {
            let why = format!("power over this server is granted here and not imported: `{ours}`");
            return refused(&why);
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
            allowed_custom_claims: self.allowed_custom_claims,
            access_token_lifetime: self.access_token_lifetime,
            legacy_audience: end(self.legacy_audience.as_deref())?,
            quota_per_hour: None,
            quota_per_day: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn brought(more: &Value) -> Result<Brought, RegistryError> {
        let mut document = json!({ "clientId": "svc", "name": "svc", "__STATE__": "PUBLIC" });
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(document, Duration::from_secs(3600), &Limits::default(), NOW)
    }

    #[test]
    fn what_a_document_may_leave_out() {
        let bare = read(json!({ "clientId": "a b" }), Duration::ZERO, &Limits::default(), NOW);
        let Brought { client, secret, last_login, left_out } = bare.unwrap();
        assert_eq!((client.name.as_str(), client.state), ("a b", State::Draft));
        assert_eq!((client.auth_method, client.created), (AuthMethod::ClientSecretBasic, NOW));
        assert!(secret.is_none() && last_login.is_none() && left_out.is_empty());
        let nulls = json!({ "audience": null, "allowedCustomClaims": null, "publicKey": null,
            "authMethod": null, "metadata": null, "lastLogin": null, "permissions": null });
        assert!(brought(&nulls).is_ok());
    }

    #[test]
    fn what_is_refused_is_named() {
        for (why, more, said) in [
            ("no id", json!({ "clientId": null }), "no `clientId`"),
            ("an id that is none", json!({ "clientId": "é" }), "printable ASCII"),
            ("the name of a route", json!({ "clientId": "import" }), "name of a route"),
            ("nobody", json!({ "clientId": "public" }), "stands for no client"),
            ("the server once", json!({ "clientId": "latchkey" }), "stands for no client"),
            ("the server", json!({ "clientId": "latchkey:server" }), "latchkey:"),
            ("a name that turns round", json!({ "name": "a\u{202e}b" }), "`name`"),
            ("a name that cannot be seen", json!({ "name": "\u{200b}" }), "`name`"),
            ("a state that is none", json!({ "__STATE__": "public" }), "`__STATE__`"),
            ("permissions as text", json!({ "permissions": "read" }), "`permissions`"),
            ("power over us", json!({ "permissions": ["latchkey:admin"] }), "latchkey:admin"),
            ("an audience with spaces", json!({ "audience": ["a b"] }), "`audience[0]`"),
            ("a claim of ours", json!({ "allowedCustomClaims": ["sub"] }), "`sub`"),
            ("another method", json!({ "authMethod": "none" }), "`authMethod`"),
            ("no key", json!({ "authMethod": "private_key_jwt" }), "no `publicKey`"),
            ("a private key", json!({ "publicKey": { "kty": "RSA", "d": "AQ" } }), "private"),
            ("a set with a private key", json!({ "keys": [{ "jwk": { "d": "AQ" } }] }), "private"),
            ("a set of unusable keys", json!({ "keys": [{ "jwk": { "kty": "x" } }] }), "`kty`"),
            ("a secret as its hash", json!({ "secrets": [{ "hash": "hunter2" }] }), "bcrypt"),
            (
                "an end that is none",
                json!({ "secrets": [{
                "hash": bcrypt::hash("x", 4).unwrap(), "expiresAt": "soon" }] }),
                "`soon`",
            ),
            ("a dotted name", json!({ "metadata": { "a.b": 1 } }), "`a.b`"),
            ("too long a life", json!({ "accessTokenLifetime": 3601 }), "3600"),
            ("an epoch at the end", json!({ "tokenEpoch": u64::MAX }), "tokenEpoch"),
            ("another grant", json!({ "grantTypes": ["password"] }), "client credentials grant"),
            ("an empty secret", json!({ "clientSecret": "" }), "is empty"),
        ] {
            match brought(&more) {
                Err(error) => assert!(error.to_string().contains(said), "{why}: {error}"),
                Ok(_) => panic!("{why} was taken"),
            }
        }
    }

    #[test]
    fn nothing_secret_is_in_an_error() {
        for more in [
            json!({ "clientSecret": ["hunter2"] }),
            json!({ "clientSecret": "" }),
            json!({ "secrets": ["hunter2"] }),
            json!({ "secrets": [{ "hash": "hunter2" }] }),
        ] {
            let error = brought(&more).map(drop).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{more}: {error}");
        }
    }

    #[test]
    fn credentials_that_ended_stay_behind() {
        let hash = bcrypt::hash("x", 4).unwrap();
        let secrets = json!({ "secrets": [
            { "hash": hash, "expiresAt": "2020-01-01T00:00:00Z" },
            { "hash": hash, "expiresAt": { "$date": "2040-01-01T00:00:00Z" } },
            { "hash": hash, "checksummed": true },
        ] });
        assert_eq!(brought(&secrets).unwrap().client.secrets.len(), 1);
    }
}
