//! The server at the other end of a command.

use std::time::Duration;

use clap::Args;
use reqwest::header::{ETAG, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::variable;
use crate::domain::printable::escaped;

/// The issuer of a server that nobody configured.
const DEFAULT_ISSUER: &str = "http://localhost:8080";
/// How long a connection may take, and a request altogether.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// What every command that speaks to a server says at the end of its help.
pub(super) const NOTE: &str =
    "A certificate authority of your own is trusted with SSL_CERT_FILE=ca.pem in the environment.";

/// Which server a command speaks to.
#[derive(Args, Debug)]
pub(super) struct Server {
    /// The URL of the server: its issuer [default: http://localhost:8080] [env: LATCHKEY_ISSUER]
    ///
    /// The server's metadata is looked up below it, and must name the same issuer; a slash at the
    /// end makes no difference. An issuer that is a plain name and no URL is taken as it is.
    #[arg(long = "issuer", value_name = "URL")]
    issuer: Option<String>,
}

/// What a server says of itself: RFC 8414 §2.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    /// The name under which it issues; the `aud` of an assertion.
    pub(super) issuer: String,
    /// Where tokens are issued.
    pub(super) token_endpoint: Url,
}

/// Why the other end gave no useful answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error(
        "{0} speaks TLS, and its token endpoint {1} does not: refusing to send credentials there"
    )]
    Downgrade(String, Url),
    #[error("`{0}` is not an http(s) URL; give the URL of the server with --issuer")]
    NotAUrl(String),
    #[error(
        "found no authorization server below {0}: neither .well-known/oauth-authorization-server \
         nor .well-known/openid-configuration is there; is it the issuer's URL?"
    )]
    NoMetadata(String),
    #[error(
        "the server at {given} calls itself {found}: if you mean that one, use --issuer {found}"
    )]
    OtherIssuer { given: String, found: String },
    #[error("{status} from {url}: {details}")]
    Refused { status: StatusCode, url: Url, details: String },
    #[error("{0} did not answer like an authorization server")]
    Strange(Url),
    #[error("cannot reach {url}")]
    Unreachable { url: Url, source: reqwest::Error },
}

impl Server {
    /// Asks the server who it is: at the place that OpenID Connect Discovery §4 gives an issuer
    /// with a path, at the one of RFC 8414 §3.1, then for OpenID's document.
    pub(super) async fn discover(&self) -> Result<Metadata, RemoteError> {
        let given = self.issuer.clone().or_else(|| variable("LATCHKEY_ISSUER"));
        let given = given.unwrap_or_else(|| DEFAULT_ISSUER.to_owned());
        let base = Url::parse(&given).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| RemoteError::NotAUrl(given.clone()))?;
        for url in metadata_urls(&base) {
            let answer = match send(&url, |http| http.get(url.clone())).await {
                // A server that fails is another matter than a document that is not there.
                Err(RemoteError::Refused { status, .. }) if !status.is_server_error() => continue,
                answer => answer?,
            };
            if let Ok(metadata) = serde_json::from_value(answer) {
                return checked(metadata, &given, &base);
            }
        }
        Err(RemoteError::NoMetadata(given))
    }
}

fn metadata_urls(base: &Url) -> Vec<Url> {
    let path = base.path().trim_end_matches('/');
    let document = "/.well-known/oauth-authorization-server";
    let at = |path: String| {
        let mut url = base.clone();
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    let mut urls = vec![
        at(format!("{path}{document}")),
        at(format!("{document}{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ];
    urls.dedup();
    urls
}

/// A server may speak for its own name only: RFC 8414 §3.3.
fn checked(metadata: Metadata, given: &str, base: &Url) -> Result<Metadata, RemoteError> {
    let found = &metadata.issuer;
    let is_url = Url::parse(found).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_url && found.trim_end_matches('/') != given.trim_end_matches('/') {
        let found = escaped(found).into_owned();
        return Err(RemoteError::OtherIssuer { given: given.to_owned(), found });
    }
    if base.scheme() == "https" && metadata.token_endpoint.scheme() != "https" {
        return Err(RemoteError::Downgrade(given.to_owned(), metadata.token_endpoint));
    }
    Ok(metadata)
}

impl Metadata {
    /// The URL of another route of a Latchkey server: they stand beside the token endpoint.
    pub(super) fn beside_token_endpoint(&self, path: &str) -> Result<Url, RemoteError> {
        let endpoint = &self.token_endpoint;
        let strange = || RemoteError::Strange(endpoint.clone());
        let base = endpoint.as_str().strip_suffix("/oauth/token").ok_or_else(strange)?;
        Url::parse(&format!("{base}{path}")).map_err(|_| strange())
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Which state of a thing it shows: RFC 9110 §8.8.3.
    pub(super) etag: Option<String>,
    /// `None` if it is empty.
    pub(super) body: Option<Value>,
}

/// Sends a request and reads the JSON of a good answer.
pub(super) async fn send(
    url: &Url,
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Value, RemoteError> {
    exchange(url, request).await?.body.ok_or_else(|| RemoteError::Strange(shown(url)))
}

/// Sends a request and reads a good answer, which may be empty.
pub(super) async fn exchange(
    url: &Url,
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<Answer, RemoteError> {
    let unreachable = |source: reqwest::Error| RemoteError::Unreachable {
        url: shown(url),
        source: source.without_url(),
    };
    let http = client(url).build().map_err(RemoteError::Client)?;
    let response = request(&http).send().await.map_err(unreachable)?;
    let status = response.status();
    let header = |name| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let (later, etag) = (header(RETRY_AFTER), header(ETAG));
    let later = later.map(|seconds| format!(" (try again in {seconds} s)")).unwrap_or_default();
    let text = response.bytes().await.map_err(unreachable)?;
    let body: Option<Value> = serde_json::from_slice(&text).ok();
    if status.is_success() && (body.is_some() || text.is_empty()) {
        return Ok(Answer { etag, body });
    }
    if status.is_success() {
        return Err(RemoteError::Strange(shown(url)));
    }
    let details = body.as_ref().and_then(explained);
    let details = format!("{}{later}", details.as_deref().unwrap_or("it says no more"));
    Err(RemoteError::Refused { status, url: shown(url), details })
}

/// How requests to this URL are sent. No redirect is followed: a credential may be in them.
pub(super) fn client(url: &Url) -> reqwest::ClientBuilder {
    let (connect, altogether) = PATIENCE;
    let builder = Client::builder()
        .connect_timeout(connect)
        .timeout(altogether)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    // Where no certificate will be looked at, it is no matter if the system has none to trust.
    if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}

/// Whether the URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL without what may be secret in it.
fn shown(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url
}

/// The error of RFC 6749 §5.2, and what to do about it.
fn explained(body: &Value) -> Option<String> {
    let error = body.get("error")?.as_str()?;
    let description = body.get("error_description").and_then(Value::as_str).unwrap_or_default();
    let advice = match error {
        "invalid_client" => {
            "check the client id, its credential and that its state is PUBLIC; \
             with a key, that this key is registered and its --kid is right"
        }
        "insufficient_scope" => "use the credentials of a client that holds the permission",
        "invalid_scope" | "invalid_target" => "ask only for what the client was granted",
        _ => "",
    };
    let mut text = error.to_owned();
    for more in [description, advice].into_iter().filter(|more| !more.is_empty()) {
        let separator = if text.len() == error.len() { ": " } else { "; " };
        text = format!("{text}{separator}{more}");
    }
    Some(escaped(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_s3_1_places_of_the_metadata() {
        let urls = |issuer: &str| -> Vec<String> {
            let urls = metadata_urls(&Url::parse(issuer).unwrap());
            urls.into_iter().map(String::from).collect()
        };
        let plain = ["oauth-authorization-server", "openid-configuration"]
            .map(|name| format!("https://as.test/.well-known/{name}"));
        assert_eq!(urls("https://as.test"), plain);
        assert_eq!(urls("https://as.test/"), plain);
        let below = [
            "https://as.test/a/.well-known/oauth-authorization-server",
            "https://as.test/.well-known/oauth-authorization-server/a",
            "https://as.test/a/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://as.test/a/"), below);
    }

    #[test]
    fn rfc8414_s3_3_only_its_own_name() {
        let endpoint = "https://as.test/oauth/token";
        for (why, given, found, endpoint, good) in [
            ("the same", "https://as.test", "https://as.test", endpoint, true),
            ("slash there", "https://as.test", "https://as.test/", endpoint, true),
            ("slash here", "https://as.test/", "https://as.test", endpoint, true),
            ("a plain name", "https://as.test", "my platform", endpoint, true),
            ("another host", "https://as.test", "https://other.test", endpoint, false),
            ("another scheme", "https://as.test", "http://as.test", endpoint, false),
            ("no TLS", "https://as.test", "https://as.test", "http://as.test/oauth/token", false),
        ] {
            let metadata = Metadata {
                issuer: found.to_owned(),
                token_endpoint: Url::parse(endpoint).unwrap(),
            };
            let base = Url::parse(given).unwrap();
            assert_eq!(checked(metadata, given, &base).is_ok(), good, "{why}");
        }
    }
}
