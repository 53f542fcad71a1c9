//! The routes of OAuth: tokens, what they are worth, registration, and metadata.

pub(super) mod authorize;
mod credentials;
pub(super) mod introspect;
pub(super) mod register;
pub(super) mod revoke;
pub(super) mod self_service;
pub(super) mod token;
pub(super) mod tokeninfo;
pub(super) mod well_known;
