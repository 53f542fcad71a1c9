//! What must not end with the connection of whoever asked for it.

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::refusal::Refusal;

/// Runs a future to its end even if the connection closes: what it has stored must be in force in this
/// process too.
pub(crate) async fn carry_out<T: 'static>(
    work: impl Future<Output = Result<T, Refusal>> + 'static,
) -> Result<T, Refusal> {
    match actix_web::rt::spawn(work).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::new(ErrorCode::ServerError, CANNOT_ANSWER)),
    }
}
