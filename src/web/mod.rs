//! What every door of HTTP shares: how a request is read, who sent it, and how it is refused. Nothing
//! here knows a route.

pub(crate) mod address;
pub(crate) mod aside;
pub(crate) mod bearer;
pub(crate) mod body;
pub mod form;
pub(crate) mod json;
pub(crate) mod observe;
pub(crate) mod origin;
mod patience;
pub(crate) mod rate;
pub(crate) mod refusal;
pub(crate) mod state;
pub(crate) mod to_its_end;
pub(crate) mod verdict;

pub use patience::Patience;
pub use state::ServerState;
