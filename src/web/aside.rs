//! Work that takes a while, on another thread than those that serve requests.

use actix_web::web;

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::refusal::Refusal;

/// Does the work of an administrator, such as judging an import or writing a long list, so that it
/// delays no token.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = web::block(work).await;
    done.map_err(|_| Refusal::new(ErrorCode::TemporarilyUnavailable, CANNOT_ANSWER))
}
