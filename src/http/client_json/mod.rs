//! Clients as JSON: what is read of them, and what is shown.

mod grants;
mod metadata;
mod other_metadata;
mod patch;
pub(super) mod view;

pub(super) use grants::new_client_with_grants;
pub(super) use metadata::{ClientMetadata, new_keys};
pub(super) use patch::client_patch;
