//! The one way in which a store fails that is nobody's fault.

/// The store could not answer. The cause is for the log, never for the caller.
#[derive(Debug, thiserror::Error)]
#[error("store unavailable")]
pub struct StoreError(#[from] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Wraps whatever the backend said.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
