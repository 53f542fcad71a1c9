//! Latchkey behind a gateway, as it is run, with tokens of all sorts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use ::latchkey::domain::clock::{Clock, SystemClock};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATIENCE, POLICY};
use crate::harness::{GRANT, claims_of};
use crate::program::{Program, free_address, share_key};

pub(super) struct Latchkey {
    /// Where the gateway asks it.
    pub(super) asked: SocketAddr,
    pub(super) tokens: Tokens,
    address: SocketAddr,
    arguments: Vec<String>,
    folder: TempDir,
    program: Option<Program>,
    friends: Friends,
}

pub(super) struct Tokens {
    /// May read and write orders.
    pub(super) good: String,
    /// May do nothing.
    pub(super) other: String,
    pub(super) expired: String,
    /// As the good one, until [`Latchkey::revoke`].
    pub(super) revoked: String,
    /// Almost 8 KB each: of 200 permissions, and of text that percent-encoding makes larger.
    pub(super) large: [String; 2],
    owner: (String, String),
    /// An id and a secret that may introspect tokens.
    pub(super) introspector: (String, String),
}

impl Latchkey {
    /// With the policy, and with more flags.
    pub(super) async fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        share_key(folder.path());
        let policy = folder.path().join("policy.json");
        fs::write(&policy, POLICY).unwrap();

        let address = free_address();
        let arguments: Vec<_> = ["--policy-file", policy.to_str().unwrap()]
            .iter()
            .chain(more)
            .map(|argument| (*argument).to_owned())
            .collect();
        let program = Some(run(folder.path(), address, &arguments));
        let scheme = if more.contains(&"--tls-certificate") { "https" } else { "http" };
        let friends = Friends::of(folder.path(), format!("{scheme}://{address}"));
        let tokens = friends.tokens().await;
        Self { asked: address, tokens, address, arguments, folder, program, friends }
    }

    /// Has the owner of the token revoke it. When this returns, it is.
    pub(super) async fn revoke(&self) {
        let (id, secret) = &self.tokens.owner;
        let request = self.friends.post("/oauth/revoke").basic_auth(id, Some(secret));
        self.friends.ask(request.form(&[("token", &self.tokens.revoked)])).await;
    }

    /// Ends it as a crash would.
    pub(super) fn stop(&mut self) {
        self.program = None;
    }

    pub(super) fn start_again(&mut self) {
        self.program = Some(run(self.folder.path(), self.address, &self.arguments));
    }

    /// What is sent with the good token.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.tokens.good)
    }

    /// What the good token says under this name, items joined by commas.
    pub(super) fn claim(&self, name: &str) -> String {
        match &claims_of(&self.tokens.good)[name] {
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            value => value.as_str().unwrap().to_owned(),
        }
    }
}

fn run(folder: &Path, address: SocketAddr, arguments: &[String]) -> Program {
    Program::start(folder, address, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Those who ask it directly.
struct Friends {
    http: reqwest::Client,
    url: String,
    admin: (String, String),
}

impl Friends {
    fn of(folder: &Path, url: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
        let admin = fs::read(folder.join("data/admin.json")).unwrap();
        let admin = credentials(&serde_json::from_slice(&admin).unwrap());
        Self { http: http.build().unwrap(), url, admin }
    }

    async fn tokens(&self) -> Tokens {
        let brief = self
            .client(json!({ "permissions": ["read:orders"], "access_token_lifetime": 1 }))
            .await;
        let expired = self.token(&brief).await;
        let owner = self
            .client(json!({
                "permissions": ["read:orders", "write:orders"], "groups": ["clerk", "buyer"],
                "scope": "shop", "audience": ["orders", "stock"],
            }))
            .await;
        let good = self.token(&owner).await;
        let revoked = self.token(&owner).await;
        let other = self.token(&self.client(json!({})).await).await;
        let permissions = |of: &dyn Fn(usize) -> String, count| {
            let more = (0..count).map(of).chain(["read:orders".to_owned()]);
            json!({ "permissions": more.collect::<Vec<_>>() })
        };
        let many = permissions(&|n| format!("orders:shop{n:03}:rewrite"), 199);
        let wide = permissions(&|n| format!("{n:02}{}", "\u{e9}".repeat(24)), 97);
        let large = [
            self.token(&self.client(many).await).await,
            self.token(&self.client(wide).await).await,
        ];
        for token in &large {
            assert!((7_200..=8_192).contains(&token.len()), "{}", token.len());
        }
        let introspector = self.client(json!({ "permissions": ["latchkey:introspect"] })).await;

        // A second more, for those who think that a token is good in the very second of its end.
        let end = claims_of(&expired)["exp"].as_u64().unwrap() + 1;
        let began = Instant::now();
        while SystemClock.now().0 <= end {
            assert!(began.elapsed() < PATIENCE, "the clock stands still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Tokens { good, other, expired, revoked, large, owner, introspector }
    }

    /// Registers a client with what it is granted: its id and its secret.
    async fn client(&self, mut grants: Value) -> (String, String) {
        grants["client_name"] = "svc".into();
        let admin = self.token(&self.admin).await;
        credentials(&self.ask(self.post("/clients").bearer_auth(admin).json(&grants)).await)
    }

    async fn token(&self, (id, secret): &(String, String)) -> String {
        let form = GRANT.split_once('=').unwrap();
        let reply = self.ask(self.post("/oauth/token").basic_auth(id, Some(secret)).form(&[form]));
        reply.await["access_token"].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    async fn ask(&self, request: RequestBuilder) -> Value {
        let reply = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default()
    }
}

fn credentials(document: &Value) -> (String, String) {
    let text = |member: &str| document[member].as_str().unwrap().to_owned();
    (text("client_id"), text("client_secret"))
}
