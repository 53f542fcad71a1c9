//! A whole server, on a free port, with a clock that the test holds. It returns facts and asserts
//! nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{Args, Command};
use latchkey::app::{App, Environment, OpenStore};
use latchkey::config::{self, Resolved, Settings};
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::entropy::SystemEntropy;
use latchkey::domain::jwk::Algorithm;
use latchkey::http::server;
use latchkey::jwt::{Assertion, PrivateKey, sign_assertion};
use latchkey::store::MemoryStore;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The administrator of every test server. Its secret has everything in it that encodings change.
pub(crate) const ADMIN: (&str, &str) = ("admin", "a+b/c%d&e=f:g h\u{e9}");

/// When every test begins.
pub(crate) const START: u64 = 1_800_000_000;

/// A clock that goes only when told to.
pub(crate) struct TestClock(AtomicU64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicU64::new(START))
    }
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) admin_url: Option<String>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) app: Arc<App>,
    pub(crate) http: reqwest::Client,
    running: Option<server::Server>,
    _keys: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; `null` if it is none.
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `error` member.
    pub(crate) fn error(&self) -> Option<&str> {
        self.body["error"].as_str()
    }

    /// A member that is a string; empty if it is none.
    pub(crate) fn text_of(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }
}

/// The settings that a server has when nobody sets anything, on a free port, with an administrator
/// and without a limit on registrations.
pub(crate) fn settings() -> Settings {
    let command = Settings::augment_args(Command::new("test"));
    let flags = command.get_matches_from(["test"]);
    let mut settings = config::load(&flags, |_| None, None).unwrap().settings;
    settings.listen = "127.0.0.1:0".parse().unwrap();
    settings.issuer = Some("http://issuer.test".to_owned());
    settings.workers = Some(1);
    settings.registration_rate = 0;
    settings.admin_client_id = Some(ADMIN.0.to_owned());
    settings.admin_secret = Some(ADMIN.1.to_owned().into());
    settings
}

impl Server {
    /// With everything as it is by default, in memory.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With settings changed, in memory.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(OpenStore::Memory(Arc::new(MemoryStore::default())), change).await
    }

    /// With settings changed, on this store.
    pub(crate) async fn on(store: OpenStore, change: impl FnOnce(&mut Settings)) -> Self {
        Self::at(Arc::new(TestClock::default()), store, change).await
    }

    /// With settings changed, on this store, with the time of another server.
    pub(crate) async fn at(
        clock: Arc<TestClock>,
        store: OpenStore,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let mut settings = settings();
        settings.keys = keys.path().to_owned();
        change(&mut settings);
        if settings.keys == keys.path() && settings.algorithm == Algorithm::RS256 {
            // Making an RSA key takes long; one does for all tests that do not care.
            let pem = signing_key().to_pem().unwrap();
            std::fs::write(keys.path().join("RS256-test.pem"), pem.as_bytes()).unwrap();
        }
        let bound = server::bind(&settings).unwrap();
        let url = format!("http://{}", bound.address().unwrap());
        let admin_url = bound.admin_address().unwrap().map(|address| format!("http://{address}"));
        let config = Resolved::of(settings, bound.address().unwrap().port()).unwrap();
        let environment = Environment { clock: clock.clone(), entropy: Arc::new(SystemEntropy) };
        let mut running = server::serve(bound, &config).unwrap();
        let app = running.start(config, &store, environment).await.unwrap();
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, admin_url, clock, app, http, running: Some(running), _keys: keys }
    }

    /// Stops it as a signal would: gracefully.
    pub(crate) async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Sends a request as it is and reads the answer.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status, headers, text, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Reply {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub(crate) async fn register(&self, metadata: Value) -> Reply {
        self.post_json("/register", &metadata).await
    }

    /// Registers a client with a secret: its id and its secret.
    pub(crate) async fn client_with_secret(&self) -> (String, String) {
        let reply = self.register(json!({ "client_name": "svc" })).await;
        (reply.text_of("client_id"), reply.text_of("client_secret"))
    }

    /// Registers a client with this key: its id.
    pub(crate) async fn client_with_key(&self, key: &PrivateKey) -> String {
        let metadata = json!({
            "client_name": "svc",
            "token_endpoint_auth_method": "private_key_jwt",
            "public_key": key.public().to_json(),
        });
        self.register(metadata).await.text_of("client_id")
    }

    /// Asks for a token: credentials for the header, and the form as it is.
    pub(crate) async fn token(&self, basic: Option<(&str, &str)>, form: &str) -> Reply {
        let mut request = self.http.post(format!("{}/oauth/token", self.url));
        if let Some((id, secret)) = basic {
            // RFC 6749 §2.3.1: both halves are form-encoded first.
            let encode = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.basic_auth(encode(id), Some(encode(secret)));
        }
        let form_type = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", form_type).body(form.to_owned())).await
    }

    /// Asks for a token with an assertion.
    pub(crate) async fn token_by(&self, assertion: &str, more: &str) -> Reply {
        let form = format!(
            "grant_type=client_credentials&client_assertion={assertion}{more}\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        );
        self.token(None, &form).await
    }

    pub(crate) async fn tokeninfo(&self, token: &str) -> Reply {
        let request = self.http.get(format!("{}/tokeninfo", self.url));
        self.send(request.bearer_auth(token)).await
    }

    /// A token of the administrator.
    pub(crate) async fn admin_token(&self) -> String {
        self.token(Some(ADMIN), GRANT).await.text_of("access_token")
    }

    /// What the administrator posts to `/clients`.
    pub(crate) async fn create_client(&self, body: Value) -> Reply {
        let base = self.admin_url.as_ref().unwrap_or(&self.url);
        let request = self.http.post(format!("{base}/clients")).json(&body);
        self.send(request.bearer_auth(self.admin_token().await)).await
    }

    /// What the administrator gets from a path.
    pub(crate) async fn admin_get(&self, path: &str) -> Reply {
        let base = self.admin_url.as_ref().unwrap_or(&self.url);
        let request = self.http.get(format!("{base}{path}"));
        self.send(request.bearer_auth(self.admin_token().await)).await
    }

    /// The claims of a good assertion of this client, for a test to spoil.
    pub(crate) fn assertion_claims(&self, client_id: &str) -> Value {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let now = self.clock.now().0;
        json!({
            "iss": client_id,
            "sub": client_id,
            "aud": self.app.config.issuer,
            "jti": format!("jti-{}", COUNTER.fetch_add(1, Ordering::SeqCst)),
            "iat": now,
            "exp": now + 300,
        })
    }

    /// A good assertion of this client.
    pub(crate) fn assertion(&self, client_id: &str, key: &PrivateKey) -> String {
        let claims: AssertionClaims =
            serde_json::from_value(self.assertion_claims(client_id)).unwrap();
        let assertion = Assertion {
            iss: claims.iss,
            sub: claims.sub,
            aud: claims.aud,
            jti: claims.jti,
            iat: Timestamp(claims.iat),
            exp: Timestamp(claims.exp),
        };
        sign_assertion(&assertion, key, &key.public().kid).unwrap()
    }
}

#[derive(serde::Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: String,
    jti: String,
    iat: u64,
    exp: u64,
}

/// The shortest good form.
pub(crate) const GRANT: &str = "grant_type=client_credentials";

/// The servers' signing key.
pub(crate) fn signing_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(Algorithm::RS256).unwrap())
}

/// A client's key, one per algorithm.
pub(crate) fn client_key(algorithm: Algorithm) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; 4] = [const { OnceLock::new() }; 4];
    let place = Algorithm::ALL.iter().position(|known| *known == algorithm).unwrap();
    KEYS[place].get_or_init(|| PrivateKey::generate(algorithm).unwrap())
}
