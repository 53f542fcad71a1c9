//! One GET of a URL that a stranger gave.
//!
//! The name is resolved once, every address that it has is looked at, and the connection may go to
//! these and no others: what another look at the DNS would say later does not matter.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use url::Host;

use crate::domain::jwks_uri::JwksUri;

use super::address::is_public;
use super::key_set;

/// The largest key set, in bytes; ten RSA keys of 8192 bits take a fifth of it.
const LARGEST: usize = 64 * 1024;
/// How long all of it may take, from the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(3);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing was downloaded. For the log alone: it tells of our network.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error("the host has an address that is not public")]
    NotPublic,
    #[error("the host has no address")]
    NoAddress,
    #[error("the name cannot be resolved")]
    Name(#[source] std::io::Error),
    #[error("the request failed")]
    Request(#[source] Failure),
    #[error("the answer is {0}, and not 200")]
    Status(StatusCode),
    #[error("no answer in time")]
    Slow,
    #[error("the answer is too large")]
    TooLarge,
}

impl From<reqwest::Error> for DownloadError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url().into())
    }
}

/// Whether every address will do, or public ones only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    Anywhere,
    PublicOnly,
}

/// What was downloaded, and for how long it is good.
pub(super) struct Download {
    pub(super) body: Vec<u8>,
    pub(super) freshness: Duration,
}

/// Downloads it. The permit is given back when nothing is under way any more.
pub(super) async fn download(
    uri: &JwksUri,
    reach: Reach,
    permit: OwnedSemaphorePermit,
) -> Result<Download, DownloadError> {
    let work = async {
        let (addresses, _permit) = addresses(uri, permit).await?;
        if reach == Reach::PublicOnly && !addresses.iter().all(|found| is_public(found.ip())) {
            return Err(DownloadError::NotPublic);
        }
        let http = client(uri, addresses).await?;
        let request = http.get(uri.url().clone());
        let accept = "application/jwk-set+json, application/json";
        read(request.header(ACCEPT, accept).send().await?).await
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| DownloadError::Slow)?
}

/// Every address of the host. A look at the DNS cannot be called off, so that it keeps the permit
/// until it ends.
async fn addresses(
    uri: &JwksUri,
    permit: OwnedSemaphorePermit,
) -> Result<(Vec<SocketAddr>, OwnedSemaphorePermit), DownloadError> {
    let port = uri.url().port_or_known_default().ok_or(DownloadError::NoAddress)?;
    let name = match uri.url().host().ok_or(DownloadError::NoAddress)? {
        Host::Ipv4(address) => return Ok((vec![(address, port).into()], permit)),
        Host::Ipv6(address) => return Ok((vec![(address, port).into()], permit)),
        Host::Domain(name) => name.to_owned(),
    };
    let lookup = tokio::spawn(async move {
        let found = tokio::net::lookup_host((name, port)).await;
        (found.map(Iterator::collect::<Vec<_>>), permit)
    });
    let (found, permit) = lookup.await.map_err(|error| DownloadError::Request(error.into()))?;
    let found = found.map_err(DownloadError::Name)?;
    if found.is_empty() { Err(DownloadError::NoAddress) } else { Ok((found, permit)) }
}

/// Knows these addresses, whatever name it is asked for.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// No redirect, which would lead to an address that nobody looked at, and no proxy, which would
/// look at the DNS by itself.
async fn client(uri: &JwksUri, addresses: Vec<SocketAddr>) -> Result<Client, DownloadError> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .dns_resolver(Arc::new(Pinned(addresses)))
        .pool_max_idle_per_host(0)
        .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")));
    let builder =
        if uri.is_https() { builder.https_only(true) } else { builder.tls_certs_only([]) };
    // Reads the system's certificates from the disk.
    let built = tokio::task::spawn_blocking(|| builder.build()).await;
    Ok(built.map_err(|error| DownloadError::Request(error.into()))??)
}

async fn read(mut response: Response) -> Result<Download, DownloadError> {
    if response.status() != StatusCode::OK {
        return Err(DownloadError::Status(response.status()));
    }
    let lines = response.headers().get_all(CACHE_CONTROL);
    let freshness = key_set::freshness(lines.iter().filter_map(|line| line.to_str().ok()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST {
            return Err(DownloadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Download { body, freshness })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_connection_goes_to_the_addresses_that_were_looked_at() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        // No DNS knows this name: whoever asked one would fail.
        let uri = format!("http://nowhere.invalid:{}/", address.port());
        let uri: JwksUri = uri.parse().unwrap();
        let http = client(&uri, vec![address]).await.unwrap();
        let response = http.get(uri.url().clone()).send().await.unwrap();
        assert_eq!(read(response).await.unwrap().body, b"{}");
        assert!(serve.await.unwrap().contains("host: nowhere.invalid"));
    }
}
