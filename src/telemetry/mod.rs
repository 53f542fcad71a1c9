//! Logs and metrics.
//!
//! Field names in use: `client_id`, `kid`, `route`, `status`, `error` (the code), `reason` and
//! `cause` (for us alone), `address`, `host`, `key`, `holder`, `file`, `duration_ms`; of what gateways ask,
//! `rule` (its path), `method`, `header`; of what was changed, `audit`
//! (the action), `id` (of its record), `actor`, `before`, `after`, `request_id`. Never a secret, a token or an assertion.

mod log;
mod metrics;

pub use log::log;
pub use metrics::{
    DecisionLabels, FailureLabels, KindLabels, LimitLabels, Metrics, RequestLabels, Status,
    WithinDays,
};
