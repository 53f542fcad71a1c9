//! Protected resources, by the URIs that name them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use url::Url;

use super::audience::Audience;

/// Where the metadata of a protected resource is:
/// [RFC 9728 §3](https://www.rfc-editor.org/rfc/rfc9728#section-3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The `resource` of a token request: an absolute URI without a fragment,
/// [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Resource(Audience);

/// The text is not the URI of a resource.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a resource is an absolute URI without a fragment, of at most 512 characters")]
pub struct MalformedResource;

impl FromStr for Resource {
    type Err = MalformedResource;

    fn from_str(text: &str) -> Result<Self, MalformedResource> {
        // The parser would mend what is not a URI.
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b));
        match text.parse() {
            Ok(audience) if is_plain && Url::parse(text).is_ok() => Ok(Self(audience)),
            _ => Err(MalformedResource),
        }
    }
}

impl From<Resource> for Audience {
    fn from(resource: Resource) -> Self {
        resource.0
    }
}

/// The resource identifier of what a gateway protects: an http(s) URL of a host, without query,
/// fragment and user information, [RFC 9728 §1.2](https://www.rfc-editor.org/rfc/rfc9728#section-1.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProtectedResource {
    identifier: Box<str>,
    url: Url,
}

/// The text is not the identifier of a protected resource.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a protected resource is an https URL without a query, a fragment and user information")]
pub struct MalformedProtectedResource;

impl ProtectedResource {
    /// The identifier as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.identifier
    }

    /// The path of its URL; empty for that of a whole host.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.url.path() {
            "/" => "",
            path => path,
        }
    }

    /// Where its metadata is: behind the name of the host and before the path.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        format!("{}{WELL_KNOWN}{}", self.url.origin().ascii_serialization(), self.path())
    }

    /// Whether a request for this path is one of its own.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path().ends_with('/')
        })
    }
}

impl FromStr for ProtectedResource {
    type Err = MalformedProtectedResource;

    fn from_str(text: &str) -> Result<Self, MalformedProtectedResource> {
        let url = Url::parse(text).ok().filter(|url| {
            text.parse::<Resource>().is_ok()
                && matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let url = url.ok_or(MalformedProtectedResource)?;
        Ok(Self { identifier: text.into(), url })
    }
}

impl fmt::Display for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identifier)
    }
}

impl Serialize for ProtectedResource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8707_s2_an_absolute_uri_without_a_fragment() {
        for good in ["https://a.test", "https://a.test/b?c=d", "urn:orders", "api://orders/1"] {
            assert_eq!(good.parse::<Resource>().unwrap().0.as_str(), good);
        }
        let long = format!("urn:{}", "a".repeat(509));
        #[rustfmt::skip]
        let bad = [
            "", "orders", "/orders", "//a.test", "https://a.test/#b", "https://a.test#", "https://",
            "https://a.test/b c", " https://a.test", "https://a.test/\u{e9}", "https:\\\\a.test",
            "https://a.test/{b}", "https://[1", &long,
        ];
        for bad in bad {
            assert!(bad.parse::<Resource>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rfc9728_s3_1_where_the_metadata_is() {
        for (identifier, at) in [
            ("https://a.test", "https://a.test/.well-known/oauth-protected-resource"),
            ("https://a.test/", "https://a.test/.well-known/oauth-protected-resource"),
            ("https://a.test:8443/b", "https://a.test:8443/.well-known/oauth-protected-resource/b"),
            ("https://a.test/b/", "https://a.test/.well-known/oauth-protected-resource/b/"),
        ] {
            let resource: ProtectedResource = identifier.parse().unwrap();
            assert_eq!((resource.as_str(), &*resource.metadata_url()), (identifier, at));
        }
        for bad in ["urn:a", "https://a.test/?b", "https://u@a.test", "https://a.test/#b", "a.test"]
        {
            assert!(bad.parse::<ProtectedResource>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_resource_covers_the_paths_below_its_own() {
        for (identifier, path, covered) in [
            ("https://a.test", "/anything", true),
            ("https://a.test/b", "/b", true),
            ("https://a.test/b", "/b/c", true),
            ("https://a.test/b", "/bc", false),
            ("https://a.test/b", "/", false),
            ("https://a.test/b/", "/b/c", true),
            ("https://a.test/b/", "/b", false),
        ] {
            let resource: ProtectedResource = identifier.parse().unwrap();
            assert_eq!(resource.covers(path), covered, "{identifier} {path}");
        }
    }
}
