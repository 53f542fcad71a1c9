//! The members of a client that only an administrator sets.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::claims;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::free_form::{self, DEEPEST, LARGEST};
use crate::domain::lists;
use crate::domain::permission::Permission;
use crate::domain::printable::{excerpt, is_name};
use crate::domain::scope::Scope;
use crate::domain::state::State;

use super::ClientLimits;
use super::error::{ClientsError, refused};

/// How many claims a client may be allowed to set.
const MOST_CLAIMS: usize = 64;

/// The largest quota: more than any server issues.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// The members that only an administrator sets.
#[derive(Debug, Default)]
pub struct Grants {
    /// The permissions in its tokens.
    pub permissions: Vec<Permission>,
    /// The audiences that its tokens may have.
    pub audience: Vec<Audience>,
    /// The scopes that it may request.
    pub scope: Scope,
    /// Its initial state.
    pub state: State,
    /// Free-form notes.
    pub metadata: Map<String, Value>,
    /// Groups, for policies.
    pub groups: Vec<String>,
    /// Claims that it may set by its assertions.
    pub allowed_custom_claims: Vec<String>,
    /// How long its tokens live; `None`: as configured.
    pub access_token_lifetime: Option<Duration>,
    /// How many tokens it may get in an hour; `None` and 0: as configured.
    pub quota_per_hour: Option<u64>,
    /// How many tokens it may get in a day; `None` and 0: as configured.
    pub quota_per_day: Option<u64>,
    /// Until when it may send the token endpoint's URL as `aud`.
    pub legacy_audience: Option<Timestamp>,
}

impl Grants {
    /// Validates all members and removes duplicates.
    pub(super) fn checked(self, limits: &ClientLimits) -> Result<Self, ClientsError> {
        // First, so that nothing below iterates over an unbounded list.
        self.check_lengths(limits)?;
        self.check_claims()?;
        let longest = limits.token_lifetime;
        if self.access_token_lifetime.is_some_and(|life| life.is_zero() || life > longest) {
            let longest = longest.as_secs();
            return refused(format!("`access_token_lifetime` must be from 1 to {longest} seconds"));
        }
        let metadata = check_metadata(self.metadata)?;
        let groups = self.groups.iter().map(|group| ("group", group.as_str()));
        let permissions = self.permissions.iter().map(|held| ("permission", held.as_str()));
        let claims = self.allowed_custom_claims.iter().map(|claim| ("claim", claim.as_str()));
        let mut names = groups.chain(permissions).chain(claims);
        if let Some((kind, _)) = names.find(|(_, it)| !is_name(it)) {
            return refused(format!(
                "a {kind} is a name: one character can be seen, and none controls lines or the \
                 direction of writing"
            ));
        }
        Ok(Self {
            permissions: lists::unique(self.permissions),
            audience: lists::unique(self.audience),
            metadata,
            groups: lists::unique(self.groups),
            allowed_custom_claims: lists::unique(self.allowed_custom_claims),
            quota_per_hour: quota("quota_per_hour", self.quota_per_hour)?,
            quota_per_day: quota("quota_per_day", self.quota_per_day)?,
            ..self
        })
    }

    /// Sets all members of a client.
    pub(super) fn give(self, client: &mut Client) {
        client.permissions = self.permissions;
        client.audience = self.audience;
        client.scope = self.scope;
        client.state = self.state;
        client.metadata = self.metadata;
        client.groups = self.groups;
        client.allowed_custom_claims = self.allowed_custom_claims;
        client.access_token_lifetime = self.access_token_lifetime;
        client.quota_per_hour = self.quota_per_hour;
        client.quota_per_day = self.quota_per_day;
        client.legacy_audience = self.legacy_audience;
    }

    fn check_lengths(&self, limits: &ClientLimits) -> Result<(), ClientsError> {
        for (name, length, most) in [
            ("permissions", self.permissions.len(), limits.lists.permissions),
            ("audience", self.audience.len(), limits.lists.audiences),
            ("scope", self.scope.len(), limits.lists.scopes),
            ("groups", self.groups.len(), limits.lists.groups),
            ("allowedCustomClaims", self.allowed_custom_claims.len(), MOST_CLAIMS),
        ] {
            if length > most {
                return refused(format!(
                    "`{name}` may hold at most {most} items, and not {length}"
                ));
            }
        }
        Ok(())
    }

    fn check_claims(&self) -> Result<(), ClientsError> {
        let mut claims = self.allowed_custom_claims.iter();
        if let Some(reserved) = claims.clone().find(|name| claims::is_reserved(name)) {
            return refused(format!("`allowedCustomClaims` must not hold `{reserved}`"));
        }
        match claims.find(|name| name.is_empty() || name.chars().count() > 256) {
            Some(empty) => refused(format!("`{}` is not a claim name", excerpt(empty))),
            None => Ok(()),
        }
    }
}

/// Validates free-form notes: every store must be able to keep them.
fn check_metadata(notes: Map<String, Value>) -> Result<Map<String, Value>, ClientsError> {
    let notes = Value::Object(notes);
    if free_form::is_too_deep(&notes) {
        return refused(format!("`metadata` must not be nested deeper than {DEEPEST} levels"));
    }
    if free_form::is_too_large(&notes) {
        return refused(format!("`metadata` must not be larger than {LARGEST} bytes as JSON"));
    }
    if let Some(name) = unstorable_name(&notes) {
        return refused(format!(
            "`metadata` must not have a member `{}`: no `.`, no leading `$`",
            excerpt(name)
        ));
    }
    Ok(match notes {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

/// 0 stands for the configured quota.
fn quota(name: &str, quota: Option<u64>) -> Result<Option<u64>, ClientsError> {
    match quota {
        Some(quota) if quota > MOST_TOKENS => {
            refused(format!("`{name}` must be at most {MOST_TOKENS}"))
        }
        quota => Ok(quota.filter(|quota| *quota > 0)),
    }
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
