//! `/oauth/authorize`: the `authorization_endpoint` that OpenID Discovery §3 requires of every server.

use crate::domain::error_code::ErrorCode;
use crate::web::refusal::Refusal;

/// No client may use it: RFC 6749 §4.1.2.1. Never a redirect: nobody has registered where to.
pub(in crate::http) async fn refuse() -> Refusal {
    Refusal::new(ErrorCode::UnauthorizedClient, "this server has no login; use client_credentials")
}
