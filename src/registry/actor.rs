//! Who does the deed.

use crate::domain::claims::AccessTokenClaims;
use crate::domain::id::ClientId;
use crate::domain::permission::{self, ADMIN, Permission};

use super::error::RegistryError;

/// Somebody whose live token holds the permission for the deed at hand.
#[derive(Debug)]
pub struct Actor {
    id: ClientId,
    is_admin: bool,
}

impl Actor {
    /// The bearer of these claims, if it holds the permission.
    pub fn with(claims: &AccessTokenClaims, needed: &'static str) -> Result<Self, RegistryError> {
        if !permission::allows(&claims.permissions, needed) {
            return Err(RegistryError::NotPermitted(needed));
        }
        let is_admin = permission::allows(&claims.permissions, ADMIN);
        Ok(Self { id: claims.client_id.clone(), is_admin })
    }

    /// Its client id.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// Refuses to hand out power over this server, unless the actor has all of it.
    pub fn may_grant(&self, permissions: &[Permission]) -> Result<(), RegistryError> {
        if self.is_admin || !permissions.iter().any(Permission::is_ours) {
            return Ok(());
        }
        Err(RegistryError::NotPermitted(ADMIN))
    }
}
