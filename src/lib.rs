//! Latchkey, an OAuth 2.0 client-credentials authorization server.
//!
//! A room is a subject, a door is who asks:
//!
//! - [`domain`]: what is true. Plain types and pure functions; [`random`]: what nobody can guess.
//! - [`audit`], [`revocation`], [`oauth`], [`clients`], [`signing`], [`policy`], [`replication`]: the
//!   subjects.
//! - [`jose`], [`store`] and [`outbound`]: signatures, databases, and what goes out over HTTP, behind
//!   the ports of the subjects.
//! - [`assembly`]: where all of it is put together; [`config`] says how.
//! - [`http`] and [`grpc`]: parse, ask, render; [`web`]: what doors share.
//! - [`server`]: listeners and background tasks; [`cli`]: the command line.

pub mod assembly;
pub mod audit;
pub mod cli;
pub mod clients;
pub mod config;
pub mod domain;
pub mod files;
pub mod grpc;
pub mod hashing;
pub mod http;
pub mod jose;
pub mod oauth;
pub mod outbound;
pub mod policy;
pub mod random;
pub mod replication;
pub mod revocation;
pub mod server;
pub mod signing;
pub mod store;
pub mod telemetry;
pub mod web;
