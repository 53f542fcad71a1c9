//! May this request pass? A policy is read once; then each question is answered from memory.
//!
//! The decision itself does no I/O, keeps no time and logs nothing: the gatekeeper opens the token and
//! asks, `policy_file` reads the file.

pub mod answer_headers;
pub mod decide;
pub mod explain;
pub mod expression;
pub mod file;
pub mod gatekeeper;
pub mod identity;
pub mod path;
pub mod principal;
pub mod routes;
pub mod rules;

pub use answer_headers::AnswerHeaders;
pub use decide::{Decision, Outcome, Reason, Request};
pub use explain::Explanation;
pub use identity::{AnswerHeader, Identity};
pub use path::RequestPath;
pub use principal::Principal;
pub use rules::{Format, Policy, PolicyError};
