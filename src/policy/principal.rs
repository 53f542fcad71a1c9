//! Who asks, as far as a policy may know it.

use crate::domain::audience::Audience;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::client::Client;
use crate::domain::permission::Permission;

/// What a good token says of its bearer, or the store of a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Principal<'a> {
    /// The client, or the one that the token was issued to.
    pub client_id: &'a str,
    /// The groups that an admin put it in.
    pub groups: &'a [String],
    /// What it may do.
    pub permissions: &'a [Permission],
    /// For whom the token is, or may be; empty if for anyone.
    pub audience: &'a [Audience],
    /// The scope that was granted.
    pub scope: Option<&'a str>,
}

impl<'a> From<&'a AccessTokenClaims> for Principal<'a> {
    fn from(claims: &'a AccessTokenClaims) -> Self {
        Self {
            client_id: claims.client_id.as_str(),
            groups: &claims.groups,
            permissions: &claims.permissions,
            audience: &claims.aud,
            scope: claims.scope.as_deref(),
        }
    }
}

impl<'a> From<&'a Client> for Principal<'a> {
    fn from(client: &'a Client) -> Self {
        Self {
            client_id: client.id.as_str(),
            groups: &client.groups,
            permissions: &client.permissions,
            audience: &client.audience,
            scope: (!client.scope.is_empty()).then(|| client.scope.as_str()),
        }
    }
}
