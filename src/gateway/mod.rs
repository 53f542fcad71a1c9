//! May this request pass? A policy is read once; then each question is answered from memory.
//!
//! Nothing here does I/O, keeps time or logs: who asks reads the file, opens the token and renders
//! the answer.

pub mod answer_headers;
pub mod decide;
pub mod explain;
pub mod expression;
pub mod identity;
pub mod path;
pub mod policy;
pub mod principal;
pub mod routes;

pub use answer_headers::AnswerHeaders;
pub use decide::{Decision, Outcome, Reason, Request};
pub use explain::Explanation;
pub use identity::{AnswerHeader, Identity};
pub use path::RequestPath;
pub use policy::{Format, Policy, PolicyError};
pub use principal::Principal;
