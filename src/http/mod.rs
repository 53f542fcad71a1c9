//! HTTP in, HTTP out: parse, ask, render. Nothing here decides anything. One file a route.

mod admin;
pub(crate) mod at_once;
mod authzen;
mod client_json;
mod credentials;
mod entry;
mod gateway;
mod oauth;
pub(crate) mod routes;
mod status;

pub use entry::{Entry, Where};
pub use routes::TABLE;
