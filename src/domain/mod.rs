//! What is true: plain types and pure functions. No HTTP, no database, no async, no ambient clock.

pub mod audience;
pub mod audit;
pub mod brought_hash;
pub mod claims;
pub mod client;
pub mod clock;
pub mod credential_report;
pub mod entropy;
pub mod error_code;
pub mod id;
pub mod jwk;
pub mod jwks_uri;
pub mod key_judge;
pub mod key_material;
pub mod lists;
pub mod permission;
pub mod printable;
pub mod registration_token;
pub mod revocation;
pub mod scope;
pub mod secret;
pub mod signing_key;
pub mod state;
pub mod store_error;
pub mod webhook;
pub mod window;
