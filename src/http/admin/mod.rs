//! The routes of administrators.

pub(super) mod audit;
pub(super) mod clients;
pub(super) mod keys;
pub(super) mod revocations;
