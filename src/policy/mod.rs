//! May this request pass? A policy is read once; then each [`Request`] is decided from memory.
//!
//! The decision itself does no I/O, keeps no time and logs nothing: the gatekeeper opens the token and
//! asks, `file` reads the file.

pub mod answer_headers;
pub mod decide;
pub mod decision;
pub mod explain;
pub mod expression;
pub mod file;
pub mod gatekeeper;
pub mod identity;
pub mod path;
pub mod principal;
pub mod request;
pub mod routes;
pub mod rules;

pub use answer_headers::AnswerHeaders;
pub use decision::{Decision, Outcome, Reason};
pub use explain::Explanation;
pub use identity::{AnswerHeader, Identity};
pub use path::RequestPath;
pub use principal::Principal;
pub use request::{Request, Subject};
pub use rules::{Format, Policy, PolicyError};
