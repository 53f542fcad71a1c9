//! Scope: [RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lists;

/// A list of scope tokens. Compared as a set, shown in the order in which it was written.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    // `oxide_auth`'s scope is right about the alphabet and about inclusion, but shows its tokens
    // in a random order, so the text is kept beside it.
    text: String,
    tokens: Option<oxide_auth::primitives::scope::Scope>,
}

/// The text is no scope.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a scope is a list of tokens separated by spaces, without quotes, backslashes or control characters"
)]
pub struct MalformedScope;

impl Scope {
    /// True if there is no token in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many tokens are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        lists::items(&self.text).count()
    }

    /// The tokens separated by single spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if every token of `asked` is also in this scope.
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        match (&self.tokens, &asked.tokens) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(granted), Some(asked)) => granted.priviledged_to(asked),
        }
    }
}

impl FromStr for Scope {
    type Err = MalformedScope;

    fn from_str(text: &str) -> Result<Self, MalformedScope> {
        let tokens = text.parse().map_err(|_| MalformedScope)?;
        let listed = lists::unique(lists::items(text));
        let tokens = (!listed.is_empty()).then_some(tokens);
        Ok(Self { text: listed.join(" "), tokens })
    }
}

impl TryFrom<String> for Scope {
    type Error = MalformedScope;

    fn try_from(text: String) -> Result<Self, MalformedScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.text
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }
}

impl Eq for Scope {}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn rfc6749_s3_3_inclusion_and_order() {
        for (granted, asked, covered) in [
            ("a b c", "c a", true),
            ("a b", "a b c", false),
            ("", "a", false),
            ("a", "", true),
            ("", "", true),
            ("A", "a", false),
        ] {
            assert_eq!(scope(granted).covers(&scope(asked)), covered, "{granted:?} {asked:?}");
        }
        assert_eq!(scope("z  a z b").as_str(), "z a b");
        assert_eq!(scope("a b"), scope("b a"));
    }

    #[test]
    fn rfc6749_s3_3_alphabet() {
        for bad in ["a\"b", "a\\b", "a\nb", "é"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
    }
}
