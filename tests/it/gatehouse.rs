//! A server with a policy, as gateways find it, and clients with tokens.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use latchkey::config::Settings;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Reply, Server};

/// What may pass.
pub(crate) const POLICY: &str = r#"{
  "/orders": { "GET": { "authorization": { "expression": "permissions[\"read:x\"]", "public": false } },
               "PUT": { "authorization": { "expression": "permissions[\"write:x\"]", "public": false } } },
  "/open":   { "ALL": { "authorization": { "expression": "true", "public": true } } },
  "/key":    { "GET": { "authorization": { "expression": "groups.foo || clientType==\"bar\"", "public": true } } },
  "/office": { "GET": { "authorization": { "expression": "isBackoffice", "public": true } } },
  "/a b":    { "GET": { "authorization": { "expression": "true", "public": true } } }
}"#;

/// A header of a call.
pub(crate) type Header<'a> = (&'static str, &'a str);

/// A server that gateways ask.
pub(crate) struct Gatehouse {
    pub(crate) server: Server,
    /// Where gateways ask.
    pub(crate) url: String,
    /// A client that may read orders, and has something in each of its lists.
    pub(crate) client_id: String,
    /// `Bearer` and a token of that client.
    pub(crate) bearer: String,
    folder: TempDir,
}

impl Gatehouse {
    pub(crate) async fn open(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        fs::write(&file, POLICY).unwrap();
        let server = Server::with(|settings| {
            settings.gateways.policy_file = Some(file);
            change(settings);
        })
        .await;
        let client = server
            .granted(json!({
                "permissions": ["read:x", "a,b", "caf\u{e9} 100%"], "groups": ["admin", "a,b"],
                "audience": ["api", "w,b"], "scope": "read wr,te",
            }))
            .await;
        let bearer = format!("Bearer {}", server.token_of(&client).await);
        let url = server.gateway_url.clone().unwrap_or_else(|| server.url.clone());
        Self { server, url, client_id: client.0, bearer, folder }
    }

    /// A listener of its own for gateways, on a free port.
    pub(crate) fn apart(settings: &mut Settings) {
        settings.gateways.address = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.json")
    }

    /// What is answered to this call. `token` in the value of a header is the token.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[Header<'_>]) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.server.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            let value = value.replace("token", &self.bearer);
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        self.server.send(request).await
    }

    /// A connection, on which anything may be sent.
    pub(crate) async fn connect(&self) -> Connection {
        let address = self.url.strip_prefix("http://").unwrap();
        Connection { stream: TcpStream::connect(address).await.unwrap(), is_head: false }
    }
}

/// A connection on which calls are sent as they are.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Whether the last call was a HEAD, whose answer has no body.
    is_head: bool,
}

impl Connection {
    /// Sends these bytes.
    pub(crate) async fn send(&mut self, bytes: &str) {
        self.is_head = bytes.starts_with("HEAD ");
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The header of the next answer and what follows it there; what came, if the connection ends.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let length = self.stream.read(&mut piece).await.unwrap();
            answer.extend_from_slice(&piece[..length]);
            let text = String::from_utf8(answer.clone()).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert_ne!(length, 0, "no answer: {text}");
                continue;
            };
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let announced = announced.filter(|_| !self.is_head);
            let expected = announced.map_or(0, |length| length.parse().unwrap());
            if body.len() >= expected || length == 0 {
                return text;
            }
        }
    }
}
