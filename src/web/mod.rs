//! What doors share: how a request is read, who sent it, what becomes of a decision, and how a request
//! is refused. Nothing here knows a route.

pub(crate) mod address;
pub(crate) mod aside;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod decision;
pub mod form;
pub(crate) mod json;
pub(crate) mod observe;
pub(crate) mod origin;
mod patience;
pub(crate) mod rate;
pub(crate) mod refusal;
pub(crate) mod state;
pub(crate) mod to_its_end;

pub use patience::Patience;
pub use state::ServerState;
