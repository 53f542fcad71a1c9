//! Values of settings, each read and shown in one way.

use serde::{Serialize, Serializer};

use crate::domain::clock::Timestamp;

pub(super) fn not_empty(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}

pub(super) fn date(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::from_rfc3339(text).ok_or("must be a date such as 2027-01-31T00:00:00Z")
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn as_date<S: Serializer>(date: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    date.and_then(Timestamp::to_rfc3339).serialize(to)
}

/// One way to write a prefix: a slash before each segment and none behind.
pub(super) fn prefix(text: &str) -> Result<String, &'static str> {
    let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
    let plain = |segment: &&str| {
        segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
            && **segment != *"."
            && **segment != *".."
    };
    if !segments.iter().all(plain) {
        return Err("a prefix is made of letters, digits, - . _ ~ and /");
    }
    Ok(segments.iter().flat_map(|segment| ["/", segment]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_one_form() {
        for (text, form) in
            [("", ""), ("/", ""), ("auth", "/auth"), ("/a/b/", "/a/b"), ("//a", "/a")]
        {
            assert_eq!(prefix(text).unwrap(), form);
        }
        for bad in ["/a b", "/{x}", "/..", "/a?b"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
