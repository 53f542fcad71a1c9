//! Who asks, as far as a policy may know it.

use crate::domain::audience::Audience;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::permission::Permission;

/// What a good token says of its bearer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Principal<'a> {
    /// The client that the token was issued to.
    pub client_id: &'a str,
    /// The groups that an admin put it in.
    pub groups: &'a [String],
    /// What it may do.
    pub permissions: &'a [Permission],
    /// For whom the token is; empty if for anyone.
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
