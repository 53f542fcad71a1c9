//! What an access token says: [RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::audience::Audience;
use super::clock::Timestamp;
use super::id::{ClientId, CredentialId};
use super::permission::Permission;

/// The claims of an access token. Many are kept in memory, so none of them has room to grow, and what
/// all of them say is shared.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccessTokenClaims {
    /// Who issued it.
    pub iss: Arc<str>,
    /// The client that it was issued to.
    pub sub: ClientId,
    /// The same, under the name of RFC 9068.
    pub client_id: ClientId,
    /// For whom it is; absent if for anyone.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub aud: Box<[Audience]>,
    /// The moment from which on it is dead.
    pub exp: Timestamp,
    /// When it was issued.
    pub iat: Timestamp,
    /// Its own name: 128 random bits.
    pub jti: Box<str>,
    /// What its bearer may do.
    #[serde(default)]
    pub permissions: Box<[Permission]>,
    /// The groups that an admin put the client in.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub groups: Box<[String]>,
    /// The scope that was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Box<str>>,
    /// The client's epoch when it was issued: a token below its client's epoch is dead.
    #[serde(default)]
    pub epoch: u64,
    /// The credential that it was obtained with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cred: Option<CredentialId>,
    /// Claims that the client set by its assertion, if there are any.
    #[serde(flatten)]
    pub custom: Option<Box<Map<String, Value>>>,
}

impl AccessTokenClaims {
    /// Whether the token is in its life. `exp` is the moment "on or after which" a token is dead:
    /// [RFC 7519 §4.1.4](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4).
    #[must_use]
    pub fn is_live_at(&self, now: Timestamp, skew: Duration) -> bool {
        self.iat <= now + skew && now < self.exp // the skew never lengthens a life
    }
}

/// Claim names that no client may set: the registered ones of RFC 7519, those that speak of
/// identity and rights, and ours.
const RESERVED: [&str; 32] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "permissions",
    "scope",
    "epoch",
    "cred",
    "groups",
    "roles",
    "entitlements",
    "cnf",
    "act",
    "may_act",
    "azp",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "typ",
    "sid",
    "events",
    "active",
    "token_type",
    "username",
    "authorization_details",
    "requested_audiences",
    "token_introspection",
];

/// Whether a client must never be allowed to set the claim of this name.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7519_s4_1_4_life_is_half_open() {
        let claims = AccessTokenClaims {
            iss: "me".into(),
            sub: "svc".parse().unwrap(),
            client_id: "svc".parse().unwrap(),
            aud: Box::default(),
            exp: Timestamp(200),
            iat: Timestamp(100),
            jti: "j".into(),
            permissions: Box::default(),
            groups: Box::default(),
            scope: None,
            epoch: 0,
            cred: None,
            custom: None,
        };
        for (now, live) in [(69, false), (70, true), (199, true), (200, false), (201, false)] {
            let skew = Duration::from_secs(30);
            assert_eq!(claims.is_live_at(Timestamp(now), skew), live, "at {now}");
        }
    }
}
