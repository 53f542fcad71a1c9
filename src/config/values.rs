//! Values of settings, each read and shown in one way.

use secrecy::SecretString;
use serde::Serializer;

use crate::domain::clock::Timestamp;

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn redacted<S: Serializer>(
    secret: &Option<SecretString>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => to.serialize_some("[redacted]"),
        None => to.serialize_none(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
pub(super) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.to_owned().into())
}

pub(super) fn not_empty(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}

pub(super) fn date(text: &str) -> Result<String, &'static str> {
    match Timestamp::from_rfc3339(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("must be a date such as 2027-01-31T00:00:00Z"),
    }
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
