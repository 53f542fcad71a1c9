//! The names of the headers that say who asks: ours, or those that an operator wants.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::identity::AnswerHeader;

/// Names that mean something to HTTP or to the answer itself.
const TAKEN: [&str; 22] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// A new name for a header, written `from=to`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renamed {
    from: AnswerHeader,
    to: FieldName,
}

/// The name of a header field in lower case: [RFC 9110 §5.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldName(String);

/// Why headers cannot have these names.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadName {
    /// There is no `=`.
    #[error("write it as `from=to`, such as `mia-userid=miauserid`")]
    NoPair,
    /// There is no header of that name.
    #[error("there is no header `{name}`: those that can be renamed are {}", known())]
    Unknown {
        /// What was written.
        name: String,
    },
    /// It is not a header name.
    #[error(
        "`{0}` is not a header name: that is letters, digits and any of !#$%&'*+-.^_`|~, up to 64"
    )]
    Malformed(String),
    /// It would break the answer.
    #[error("`{0}` means something else in HTTP: choose another name")]
    Taken(String),
    /// A header has two new names.
    #[error("`{0}` is renamed twice")]
    Twice(&'static str),
    /// Two headers of an answer have one name.
    #[error("two headers of one answer would be called `{0}`")]
    Doubled(String),
}

/// What every header is called.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnswerHeaders(Vec<Renamed>);

impl AnswerHeaders {
    /// Under these names, and ours where none is given.
    pub fn new(renamed: Vec<Renamed>) -> Result<Self, BadName> {
        for (index, one) in renamed.iter().enumerate() {
            if renamed.iter().skip(index + 1).any(|other| other.from == one.from) {
                return Err(BadName::Twice(one.from.name()));
            }
        }
        let headers = Self(renamed);
        headers.told_apart(&AnswerHeader::OF_MIA)?;
        headers.told_apart(&AnswerHeader::OF_OTHERS)?;
        Ok(headers)
    }

    /// The name of a header, in lower case.
    #[must_use]
    pub fn name(&self, header: AnswerHeader) -> &str {
        let renamed = self.0.iter().find(|renamed| renamed.from == header);
        renamed.map_or(header.name(), |renamed| renamed.to.as_str())
    }

    fn told_apart(&self, together: &[AnswerHeader]) -> Result<(), BadName> {
        let mut names: Vec<&str> = together.iter().map(|header| self.name(*header)).collect();
        names.sort_unstable();
        match names.windows(2).find_map(|pair| pair.first().filter(|a| pair.last() == Some(a))) {
            Some(name) => Err(BadName::Doubled((*name).to_owned())),
            None => Ok(()),
        }
    }
}

impl FieldName {
    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(legal) {
            return Err(BadName::Malformed(text.escape_debug().to_string()));
        }
        let name = text.to_ascii_lowercase();
        if TAKEN.contains(&name.as_str()) { Err(BadName::Taken(name)) } else { Ok(Self(name)) }
    }
}

impl Serialize for FieldName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl FromStr for Renamed {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (from, to) = text.split_once('=').ok_or(BadName::NoPair)?;
        let (from, to) = (from.trim(), to.trim());
        let known = all().find(|header| header.name().eq_ignore_ascii_case(from));
        let from =
            known.ok_or_else(|| BadName::Unknown { name: from.escape_debug().to_string() })?;
        Ok(Self { from, to: to.parse()? })
    }
}

impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from.name(), self.to.as_str())
    }
}

impl Serialize for Renamed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn all() -> impl Iterator<Item = AnswerHeader> {
    AnswerHeader::OF_MIA.into_iter().chain(AnswerHeader::OF_OTHERS)
}

fn known() -> String {
    all().map(AnswerHeader::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pairs: &[&str]) -> Result<AnswerHeaders, BadName> {
        AnswerHeaders::new(pairs.iter().map(|pair| pair.parse()).collect::<Result<_, _>>()?)
    }

    #[test]
    fn headers_have_the_names_that_they_were_given() {
        let headers = named(&["mia-userid=MiaUserId", "X-CLIENT-ID = X-Consumer"]).unwrap();
        for (header, name) in [
            (AnswerHeader::MiaUserId, "miauserid"),
            (AnswerHeader::MiaGroups, "mia-groups"),
            (AnswerHeader::XClientId, "x-consumer"),
            (AnswerHeader::XScope, "x-scope"),
        ] {
            assert_eq!(headers.name(header), name);
        }
        // One may take the place of another that goes; two answers may use one name.
        let swapped = ["x-scope=x-permissions", "x-permissions=x-scope", "mia-userid=x-client-id"];
        assert!(named(&swapped).is_ok());
    }

    #[test]
    fn names_that_are_refused() {
        let long = format!("mia-userid={}", "a".repeat(65));
        for (why, pairs, said) in [
            ("no pair", &["mia-userid"][..], "from=to"),
            ("unknown", &["mia-user=a"], "mia-allowed, mia-userid, mia-groups"),
            ("empty", &["mia-userid="], "is not a header name"),
            ("space", &["mia-userid=a b"], "is not a header name"),
            ("line break", &["mia-userid=a\r\nb"], r"a\r\nb"),
            ("colon", &["mia-userid=a:"], "is not a header name"),
            ("second =", &["mia-userid=a=b"], "is not a header name"),
            ("not ASCII", &["mia-userid=\u{e9}"], "is not a header name"),
            ("long", &[&long], "is not a header name"),
            ("taken", &["mia-userid=Content-Length"], "`content-length` means something else"),
            ("twice", &["mia-userid=a", "Mia-UserId=b"], "renamed twice"),
            ("doubled", &["mia-userid=a", "mia-groups=A"], "would be called `a`"),
            ("as another is called", &["x-client-id=x-scope"], "would be called `x-scope`"),
        ] {
            let error = named(pairs).unwrap_err().to_string();
            assert!(error.contains(said), "{why}: {error}");
        }
    }
}
