//! What must not end with the connection of whoever asked for it.

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::error::Refusal;

/// Carries work out to its end: the future of a handler is dropped with its connection, and what
/// has been written by then must be in force in this process too.
pub(crate) async fn carry_out<T: 'static>(
    work: impl Future<Output = Result<T, Refusal>> + 'static,
) -> Result<T, Refusal> {
    match actix_web::rt::spawn(work).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::new(ErrorCode::ServerError, CANNOT_ANSWER)),
    }
}
