//! The routes of administrators.

pub(super) mod audit;
pub(super) mod clients;
pub(super) mod keys;
mod revocation_order;
pub(super) mod revocations;
