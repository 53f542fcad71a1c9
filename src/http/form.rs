//! The parameters of a form, strictly.

use std::collections::BTreeMap;

use crate::domain::audience::{self, Audience};
use crate::domain::scope::Scope;
use crate::oauth::error::OAuthError;
use crate::oauth::token::TokenRequest;

pub(super) const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The only parameter that may be repeated: RFC 8707 §2 says so of its like.
const AUDIENCE: &str = "audience";

/// The parameters that were sent with a value. Holds secrets: never log it.
pub(super) struct Form {
    values: BTreeMap<String, String>,
    audience: Vec<String>,
}

impl Form {
    /// A repeated parameter is an error and an empty one counts as absent:
    /// [RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2).
    pub(super) fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        let mut form = Self { values: BTreeMap::new(), audience: Vec::new() };
        if std::str::from_utf8(body).is_err() {
            return Err(OAuthError::NotAForm);
        }
        for (name, value) in form_urlencoded::parse(body) {
            if name == AUDIENCE {
                form.audience.push(value.into_owned());
            } else if form.values.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(OAuthError::Repeated(name.into_owned()));
            }
        }
        form.values.retain(|_, value| !value.is_empty());
        Ok(form)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What is asked for, beside the proof of who asks.
    pub(super) fn token_request(&self) -> Result<TokenRequest, OAuthError> {
        let scope: Option<Scope> = match self.value("scope") {
            Some(text) => Some(text.parse().map_err(|_| OAuthError::MalformedScope)?),
            None => None,
        };
        Ok(TokenRequest {
            scope: scope.filter(|scope| !scope.is_empty()),
            audience: self.audience()?,
        })
    }

    fn audience(&self) -> Result<Option<Vec<Audience>>, OAuthError> {
        let joined = self.audience.join(" ");
        let list = audience::parse_list(&joined).map_err(|_| OAuthError::Malformed(AUDIENCE))?;
        Ok((!list.is_empty()).then_some(list))
    }
}
