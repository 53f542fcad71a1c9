//! For whom a token is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lists;

/// One value of the `aud` claim: 1 to 512 characters, without spaces or control characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Audience(Box<str>);

/// The text is no audience.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an audience is 1 to 512 characters, without spaces or control characters")]
pub struct MalformedAudience;

impl Audience {
    /// The audience as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a list separated by spaces, each value once, in the order written.
pub fn parse_list(text: &str) -> Result<Vec<Audience>, MalformedAudience> {
    lists::unique(lists::items(text)).into_iter().map(str::parse).collect()
}

impl FromStr for Audience {
    type Err = MalformedAudience;

    fn from_str(text: &str) -> Result<Self, MalformedAudience> {
        let legal = (1..=512).contains(&text.chars().count())
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        legal.then(|| Self(text.into())).ok_or(MalformedAudience)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
