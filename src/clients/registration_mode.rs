//! Who may register a client: [RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591#section-3).

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::error::ClientsError;

/// Who may register.
#[derive(Clone, Debug)]
pub enum RegistrationMode {
    /// Nobody; clients are made by admins.
    Closed,
    /// Anybody.
    Open,
    /// Whoever shows the initial access token: RFC 7591 §3.
    Token(SecretString),
}

impl RegistrationMode {
    /// Whether the bearer of `token` may register at all. Asked before the body is looked at.
    pub fn admit(&self, token: Option<&str>) -> Result<(), ClientsError> {
        match (self, token) {
            (Self::Closed, _) => Err(ClientsError::Closed),
            (Self::Open, _) => Ok(()),
            (Self::Token(_), None) => Err(ClientsError::InitialTokenMissing),
            (Self::Token(right), Some(token)) => {
                let same = right.expose_secret().as_bytes().ct_eq(token.as_bytes());
                if bool::from(same) { Ok(()) } else { Err(ClientsError::InitialTokenWrong) }
            }
        }
    }

    /// Whether anybody may register at all.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Closed)
    }
}
