//! On which state of a client a change may be made.

use crate::domain::client::Revision;

use super::error::ClientsError;

/// On which state of a client a change may be made: `If-Match`,
/// [RFC 9110 §13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Precondition {
    /// On any.
    #[default]
    None,
    /// On one with one of these tags.
    Tags(Vec<String>),
}

impl Precondition {
    /// Whether a change may be made on this state.
    pub fn check(&self, revision: Revision) -> Result<(), ClientsError> {
        match self {
            Self::None => Ok(()),
            Self::Tags(tags) if tags.iter().any(|tag| *tag == revision.etag()) => Ok(()),
            Self::Tags(_) => Err(ClientsError::Changed),
        }
    }
}
