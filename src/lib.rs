//! Latchkey, an OAuth 2.0 client-credentials authorization server.
//!
//! - [`domain`]: what is true. Plain types and pure functions.
//! - [`oauth`]: what a machine may ask.
//! - [`registry`]: what a person may do.
//! - [`gateway`]: may this request pass?
//! - [`jwt`], [`store`] and [`fetch`]: signatures, databases and the keys that clients publish, behind
//!   the ports of the two above.
//! - [`tasks`]: what runs without being asked.
//! - [`http`]: parse, ask, render; [`grpc`]: the same for Envoy; [`connections`]: what both take in.
//! - [`app`]: where the parts are put together; [`config`] says how.

pub mod app;
pub mod cli;
pub mod config;
pub mod connections;
pub mod domain;
pub mod fetch;
pub mod files;
pub mod gateway;
pub mod grpc;
pub mod hashing;
pub mod http;
pub mod jwt;
pub mod oauth;
pub mod registry;
pub mod store;
pub mod tasks;
pub mod telemetry;
