//! Who does the deed.

use crate::domain::audit::Origin;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::id::ClientId;
use crate::domain::permission::{self, ADMIN, Permission};

use super::error::RegistryError;

/// Somebody whose live token holds the permission for the deed at hand.
#[derive(Debug)]
pub struct Actor {
    id: ClientId,
    is_admin: bool,
    origin: Origin,
}

impl Actor {
    /// The bearer of these claims, if it holds the permission; what it does is recorded as done
    /// from `origin`.
    pub fn with(
        claims: &AccessTokenClaims,
        needed: &'static str,
        origin: Origin,
    ) -> Result<Self, RegistryError> {
        if !permission::allows(&claims.permissions, needed) {
            return Err(RegistryError::NotPermitted(needed));
        }
        let is_admin = permission::allows(&claims.permissions, ADMIN);
        let origin = origin.by(&claims.client_id);
        Ok(Self { id: claims.client_id.clone(), is_admin, origin })
    }

    /// Its client id.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// What its deeds are recorded with.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Refuses to hand out power over this server, unless the actor has all of it.
    pub fn may_grant(&self, permissions: &[Permission]) -> Result<(), RegistryError> {
        if self.is_admin || !permissions.iter().any(Permission::is_ours) {
            return Ok(());
        }
        Err(RegistryError::NotPermitted(ADMIN))
    }
}
