//! Where a client publishes its keys, instead of registering them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use url::{Host, Url};

/// The `jwks_uri` of [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2): an http(s) URL of
/// a host, without user information and without a fragment, of at most 2048 characters.
///
/// Whether it may be fetched, and whether without TLS, is for who fetches to decide.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct JwksUri(Url);

/// The text is no `jwks_uri`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`jwks_uri` must be an https URL without user information and without a fragment")]
pub struct MalformedJwksUri;

/// Why there are no keys of a `jwks_uri` at hand.
#[derive(Debug, thiserror::Error)]
pub enum KeysUnavailable {
    /// The scheme is not https, and the host is not one that may do without.
    #[error("{MalformedJwksUri}")]
    NotHttps,
    /// They cannot be fetched. The cause tells of our network: it is for the log.
    #[error("the keys at `jwks_uri` cannot be fetched")]
    Unreachable,
    /// What was fetched is of no use.
    #[error(
        "`jwks_uri` does not lead to a JWK Set of 1 to 10 usable keys, each with a `kid` of its own"
    )]
    Unusable,
}

impl JwksUri {
    const LONGEST: usize = 2048;

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the connection is protected.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for JwksUri {
    type Err = MalformedJwksUri;

    fn from_str(text: &str) -> Result<Self, MalformedJwksUri> {
        // The parser forgives what RFC 3986 does not know: blanks at the ends, line breaks within.
        let plain = text.len() <= Self::LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        url.filter(|_| plain).map(Self).ok_or(MalformedJwksUri)
    }
}

/// A host that may be asked for keys at whatever address it has, also without TLS: `host` or
/// `host:port`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdmittedHost {
    host: Host,
    port: Option<u16>,
}

/// The text is no host.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be a host, or host:port, such as keys.internal:8443 or [::1]:8443")]
pub struct MalformedHost;

impl AdmittedHost {
    /// Whether the URL leads to this host, and to this port if one is named.
    #[must_use]
    pub fn admits(&self, uri: &JwksUri) -> bool {
        let host = uri.0.host().is_some_and(|host| host.to_owned() == self.host);
        host && (self.port.is_none() || self.port == uri.0.port_or_known_default())
    }
}

impl FromStr for AdmittedHost {
    type Err = MalformedHost;

    fn from_str(text: &str) -> Result<Self, MalformedHost> {
        let (host, port) = match text.rsplit_once(':') {
            // Of a bare IPv6 address the last group is no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = port.map(str::parse).transpose().map_err(|_| MalformedHost)?;
        // One with colons is written in brackets, as in a URL.
        Ok(Self { host: Host::parse(host).map_err(|_| MalformedHost)?, port })
    }
}

impl fmt::Display for AdmittedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl Serialize for AdmittedHost {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7591_s2_jwks_uri() {
        let long = format!("https://a.test/{}", "x".repeat(2048 - 15));
        for (why, text, good) in [
            ("https", "https://a.test/jwks", true),
            ("with a port and a query", "https://a.test:8443/jwks?of=me", true),
            ("http, for who fetches to decide", "http://a.test/jwks", true),
            ("2048 characters", &long, true),
            ("2049 characters", &format!("{long}x"), false),
            ("user", "https://me@a.test/", false),
            ("password", "https://:pw@a.test/", false),
            ("fragment", "https://a.test/#keys", false),
            ("another scheme", "ftp://a.test/", false),
            ("a file", "file:///etc/passwd", false),
            ("data", "data:application/json,{}", false),
            ("no host", "https:///jwks", true), // the first segment is taken for the host
            ("relative", "/jwks", false),
            ("empty", "", false),
            ("blank", "https://a.test/ ", false),
            ("line break", "https://a.test/\njwks", false),
        ] {
            assert_eq!(text.parse::<JwksUri>().is_ok(), good, "{why}");
        }
    }

    #[test]
    fn hosts_are_admitted_by_name_and_port() {
        for (admitted, uri, good) in [
            ("a.test", "https://a.test/jwks", true),
            ("A.test", "https://a.TEST:99/jwks", true),
            ("a.test", "https://b.a.test/jwks", false),
            ("a.test:443", "https://a.test/jwks", true),
            ("a.test:443", "http://a.test/jwks", false),
            ("a.test:8443", "https://a.test:8443/jwks", true),
            ("127.0.0.1:80", "http://0x7f.1/", true),
            ("127.0.0.1", "http://localhost/", false),
            ("[::1]:80", "http://[0:0::1]/", true),
            ("[::1]", "http://[::1]:81/", true),
        ] {
            let admitted: AdmittedHost = admitted.parse().unwrap();
            assert_eq!(admitted.admits(&uri.parse().unwrap()), good, "{admitted} {uri}");
            assert_eq!(admitted.to_string().parse::<AdmittedHost>().unwrap(), admitted);
        }
        for bad in ["", "a.test:", "a.test:x", "a.test:65536", "a b", "https://a.test", "::1"] {
            assert!(bad.parse::<AdmittedHost>().is_err(), "{bad}");
        }
    }
}
