//! An admin changes what a client is, and what it is granted: a merge patch,
//! [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396).

use std::mem::take;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::audit::Action;
use crate::domain::algorithm::Algorithm;
use crate::domain::audience::Audience;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{CLIENT_CREDENTIALS, Client, ClientKey};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;

use super::change::By;
use super::credentials::Tokens;
use super::error::{ClientsError, refused};
use super::grants::Grants;
use super::new_client::check_name;
use super::precondition::Precondition;
use super::{ClientLimits, Clients};

/// The change of one member.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    fn is_a_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The new value, if there is one.
    fn value(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// The changes of a client: one for each member.
#[derive(Clone, Debug, Default)]
pub struct ClientPatch {
    /// Its name; it cannot be without.
    pub name: Option<String>,
    /// How it authenticates; it cannot be without.
    pub auth_method: Option<AuthMethod>,
    /// The algorithm of its assertions.
    pub signing_algorithm: Patch<Algorithm>,
    /// The grants it may use. There is one; without any it is that one.
    pub grant_types: Patch<Vec<String>>,
    /// The permissions in its tokens.
    pub permissions: Patch<Vec<Permission>>,
    /// The audiences that its tokens may have.
    pub audience: Patch<Vec<Audience>>,
    /// The scopes that it may request.
    pub scope: Patch<Scope>,
    /// Its notes: merged with those that are there.
    pub metadata: Patch<Map<String, Value>>,
    /// Its groups.
    pub groups: Patch<Vec<String>>,
    /// Claims that it may set by its assertions.
    pub allowed_custom_claims: Patch<Vec<String>>,
    /// How long its tokens live.
    pub access_token_lifetime: Patch<Duration>,
    /// How many tokens it may get in an hour.
    pub quota_per_hour: Patch<u64>,
    /// How many tokens it may get in a day.
    pub quota_per_day: Patch<u64>,
    /// Until when it may send the token endpoint's URL as `aud`.
    pub legacy_audience: Patch<Timestamp>,
}

impl Clients {
    /// Changes a client. Live tokens keep permissions that it loses until they expire, unless `tokens`
    /// revokes them.
    pub async fn update(
        &self,
        by: By<'_>,
        id: &ClientId,
        precondition: &Precondition,
        patch: &ClientPatch,
        tokens: Tokens,
    ) -> Result<Client, ClientsError> {
        let alter = |client: &mut Client| {
            patch.clone().apply(client, &self.limits, by.now)?;
            if tokens == Tokens::Revoke {
                client.token_epoch = self.revoker.revocations.next_epoch(id, client.token_epoch);
                by.authority.end_registration_tokens(client);
            }
            Ok(())
        };
        self.change(by, Action::ClientUpdated, id, precondition, alter).await
    }
}

impl ClientPatch {
    fn apply(
        self,
        client: &mut Client,
        limits: &ClientLimits,
        now: Timestamp,
    ) -> Result<(), ClientsError> {
        let changed = self.members();
        if let Some(name) = self.name {
            check_name(&name)?;
            client.name = name;
        }
        set_auth_method(client, self.auth_method.unwrap_or(client.auth_method), now)?;
        if self.signing_algorithm.is_a_change() {
            set_signing_algorithm(client, self.signing_algorithm.value(), now)?;
        }
        if self.grant_types.is_a_change() {
            client.grant_types = self.grant_types.value();
            check_grant_types(client.grant_types.as_deref())?;
        }
        let is_changed = |name: &str| changed.contains(&name);
        // Members that do not change are not validated: they may have values that cannot be granted today.
        let metadata = match self.metadata {
            Patch::Set(patch) => merged(&client.metadata, patch),
            Patch::Keep | Patch::Clear => Map::new(),
        };
        let grants = Grants {
            permissions: self.permissions.value().unwrap_or_default(),
            audience: self.audience.value().unwrap_or_default(),
            scope: self.scope.value().unwrap_or_default(),
            state: client.state, // its changes have rules of their own
            metadata,
            groups: self.groups.value().unwrap_or_default(),
            allowed_custom_claims: self.allowed_custom_claims.value().unwrap_or_default(),
            access_token_lifetime: self.access_token_lifetime.value(),
            quota_per_hour: self.quota_per_hour.value(),
            quota_per_day: self.quota_per_day.value(),
            legacy_audience: self.legacy_audience.value(),
        };
        let mut grants = grants.checked(limits)?;
        for (name, give) in GRANTED {
            if is_changed(name) {
                give(client, &mut grants);
            }
        }
        // A member that is set is readable again.
        client.unreadable.retain(|it| !is_changed(it.member.as_str()));
        Ok(())
    }

    /// The members that it changes, by their names in documents.
    fn members(&self) -> Vec<&'static str> {
        let all = [
            ("name", self.name.is_some()),
            ("authMethod", self.auth_method.is_some()),
            ("authSigningAlg", self.signing_algorithm.is_a_change()),
            ("grantTypes", self.grant_types.is_a_change()),
            ("permissions", self.permissions.is_a_change()),
            ("audience", self.audience.is_a_change()),
            ("scope", self.scope.is_a_change()),
            ("metadata", self.metadata.is_a_change()),
            ("groups", self.groups.is_a_change()),
            ("allowedCustomClaims", self.allowed_custom_claims.is_a_change()),
            ("accessTokenLifetime", self.access_token_lifetime.is_a_change()),
            ("quotaPerHour", self.quota_per_hour.is_a_change()),
            ("quotaPerDay", self.quota_per_day.is_a_change()),
            ("legacyAudience", self.legacy_audience.is_a_change()),
        ];
        all.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name).collect()
    }
}

/// Sets one member of a client.
type Give = fn(&mut Client, &mut Grants);

/// The members that only an administrator sets, by their names in documents.
#[rustfmt::skip]
const GRANTED: [(&str, Give); 10] = [
    ("permissions",         |to, from| to.permissions = take(&mut from.permissions)),
    ("audience",            |to, from| to.audience = take(&mut from.audience)),
    ("scope",               |to, from| to.scope = take(&mut from.scope)),
    ("metadata",            |to, from| to.metadata = take(&mut from.metadata)),
    ("groups",              |to, from| to.groups = take(&mut from.groups)),
    ("allowedCustomClaims", |to, from| to.allowed_custom_claims = take(&mut from.allowed_custom_claims)),
    ("accessTokenLifetime", |to, from| to.access_token_lifetime = from.access_token_lifetime),
    ("quotaPerHour",        |to, from| to.quota_per_hour = from.quota_per_hour),
    ("quotaPerDay",         |to, from| to.quota_per_day = from.quota_per_day),
    ("legacyAudience",      |to, from| to.legacy_audience = from.legacy_audience),
];

/// Applies a merge patch to notes.
fn merged(notes: &Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    let mut merged = Value::Object(notes.clone());
    json_patch::merge(&mut merged, &Value::Object(patch));
    match merged {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn check_grant_types(grants: Option<&[String]>) -> Result<(), ClientsError> {
    let is_grant = |grant: &String| grant == CLIENT_CREDENTIALS;
    match grants.is_none_or(|grants| !grants.is_empty() && grants.iter().all(is_grant)) {
        true => Ok(()),
        false => refused(format!("`grant_types` must be [\"{CLIENT_CREDENTIALS}\"]")),
    }
}

/// A client cannot be moved to a method for which it has no credential.
fn set_auth_method(
    client: &mut Client,
    method: AuthMethod,
    now: Timestamp,
) -> Result<(), ClientsError> {
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
    registered: Option<Algorithm>,
    now: Timestamp,
) -> Result<(), ClientsError> {
    let mut keys = client.keys.clone();
    for key in &mut keys {
        key.verifier.follow(registered);
    }
    if let Some(algorithm) = registered {
        if client.auth_method != AuthMethod::PrivateKeyJwt {
            return refused("`token_endpoint_auth_signing_alg` goes with private_key_jwt");
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
