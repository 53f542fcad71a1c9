//! HTTP in, HTTP out: parse, ask, render. Nothing here decides anything. One file per route, one
//! way to say no.

mod address;
mod aside;
mod audit;
mod authorize;
mod authzen;
mod bearer;
mod body;
mod carry_out;
mod clients;
mod credentials;
mod documentation;
mod envoy;
mod error;
pub mod form;
mod gateway;
mod introspect;
mod json;
mod keys;
mod listening;
mod lobby;
mod observe;
mod origin;
mod own;
mod rate;
mod register;
mod revocations;
mod revoke;
mod routes;
pub mod server;
mod status;
mod tls;
mod token;
mod tokeninfo;
mod verdict;
mod well_known;

pub use lobby::Lobby;
pub use routes::{Entry, TABLE, Where};
