//! A whole server, on a free port, with a clock that the test holds. It returns facts and asserts
//! nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::{Args, Command};
use latchkey::assembly::{App, Chores, OpenStore, StartError, open_store};
use latchkey::config::{self, Config, Settings, StoreUrl, Switch};
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use latchkey::server;
use latchkey::store::{Document, MemoryStore};
use latchkey::web::Patience;
use reqwest::Method;
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

    pub(crate) fn set(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A value of so many levels.
pub(crate) fn nested(levels: usize) -> Value {
    (0..levels).fold(
        json!(7),
        |inner, level| {
            if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) }
        },
    )
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) admin_url: Option<String>,
    pub(crate) gateway_url: Option<String>,
    pub(crate) grpc_address: Option<SocketAddr>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) app: Arc<App>,
    pub(crate) chores: Arc<Chores>,
    pub(crate) http: reqwest::Client,
    pub(crate) store: OpenStore,
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
/// and without a limit on registrations, revocations and failures.
pub(crate) fn settings() -> Settings {
    let command = Settings::augment_args(Command::new("test"));
    let flags = command.get_matches_from(["test"]);
    let mut settings = config::load(&flags, |_| None, None).unwrap().settings;
    settings.listen.address = "127.0.0.1:0".parse().unwrap();
    settings.identity.issuer = Some("http://issuer.test".to_owned());
    settings.listen.workers = Some(1);
    settings.clients.registration_rate = 0;
    settings.clients.revocation_rate = 0;
    settings.clients.throttle = Switch::Off;
    settings.admin.client_id = Some(ADMIN.0.to_owned());
    settings.admin.secret = Some(ADMIN.1.to_owned().into());
    settings
}

/// The embedded store in this folder, as soon as the server that had it before has let it go.
pub(crate) async fn store_in(folder: &Path) -> OpenStore {
    let url: StoreUrl = format!("file:{}", folder.display()).parse().unwrap();
    for _ in 0..250 {
        if let Ok(store) = open_store(&url) {
            return store;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open_store(&url).unwrap()
}

impl Server {
    /// With everything as it is by default, in memory.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With settings changed, in memory.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Box::pin(Self::on(OpenStore::Memory(Arc::new(MemoryStore::default())), change)).await
    }

    /// With these client documents in its memory, as another tool wrote them.
    pub(crate) async fn holding(documents: Vec<Document>) -> Self {
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        store.store().import(documents).await.unwrap();
        Self::on(store, |_| ()).await
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
        Self::try_at(clock, store, Patience::default(), change).await.unwrap()
    }

    /// With settings changed, on this store, where it may refuse to start.
    pub(crate) async fn attempt(
        store: OpenStore,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Self, StartError> {
        let clock = Arc::new(TestClock::default());
        Self::try_at(clock, store, Patience::default(), change).await
    }

    /// With settings changed, in memory, with as much patience as this.
    pub(crate) async fn waiting(patience: Patience, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(TestClock::default());
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        Self::try_at(clock, store, patience, change).await.unwrap()
    }

    async fn try_at(
        clock: Arc<TestClock>,
        store: OpenStore,
        patience: Patience,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Self, StartError> {
        let keys = tempfile::tempdir().unwrap();
        let mut settings = settings();
        settings.signing_keys.folder = keys.path().to_owned();
        change(&mut settings);
        if settings.signing_keys.folder == keys.path()
            && settings.signing_keys.algorithm == Algorithm::RS256
        {
            // Making an RSA key takes long; one does for all tests that do not care.
            let pem = signing_key().to_pem().unwrap();
            std::fs::write(keys.path().join("RS256-test.pem"), pem.as_bytes()).unwrap();
        }
        let mut bound = server::bind(&settings).unwrap();
        bound.patience = patience;
        let url = format!("http://{}", bound.address().unwrap());
        let url_of = |address: SocketAddr| format!("http://{address}");
        let admin_url = bound.admin_address().unwrap().map(url_of);
        let gateway_url = bound.gateway_address().unwrap().map(url_of);
        let grpc_address = bound.grpc_address().unwrap();
        let config = Config::of(settings, bound.address().unwrap().port()).unwrap();
        let mut running = server::serve(bound, &config).unwrap();
        let app = Box::pin(running.start(config, &store, clock.clone())).await?;
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let chores = running.chores().unwrap().clone();
        let running = Some(running);
        Ok(Self {
            url,
            admin_url,
            gateway_url,
            grpc_address,
            clock,
            app,
            chores,
            http,
            store,
            running,
            _keys: keys,
        })
    }

    /// What it counts, without a request.
    pub(crate) fn metrics(&self) -> String {
        self.running.as_ref().unwrap().metrics().render()
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

    /// Posts this body, of this type, to a path.
    pub(crate) async fn post(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let request = self.http.post(format!("{}{path}", self.url));
        self.send(request.header("content-type", media_type).body(body.into())).await
    }

    /// Registers a client as an administrator, who grants it more: its id and its secret.
    pub(crate) async fn granted(&self, mut grants: Value) -> (String, String) {
        grants["client_name"] = "svc".into();
        let reply = self.create_client(grants).await;
        (reply.text_of("client_id"), reply.text_of("client_secret"))
    }

    /// Registers a client with this key as an administrator, who grants it more: its id.
    pub(crate) async fn granted_with_key(&self, key: &PrivateKey, mut grants: Value) -> String {
        grants["token_endpoint_auth_method"] = "private_key_jwt".into();
        grants["public_key"] = key.public().to_json();
        self.granted(grants).await.0
    }

    /// Asks for a token with whatever is in this `Authorization` header.
    pub(crate) async fn token_as(&self, authorization: &[u8], form: &str) -> Reply {
        let value = reqwest::header::HeaderValue::from_bytes(authorization).unwrap();
        let request = self.http.post(format!("{}/oauth/token", self.url));
        let request = request.header("authorization", value).body(form.to_owned());
        self.send(request.header("content-type", FORM)).await
    }

    /// The client's document, as the store keeps it.
    pub(crate) async fn document(&self, id: &str) -> Document {
        let all = self.store.store().export(None).await.unwrap().documents;
        all.into_iter()
            .find(|document| document.get_str("clientId").is_ok_and(|held| held == id))
            .unwrap()
    }

    /// Asks for a token: credentials for the header, and the form as it is.
    pub(crate) async fn token(&self, basic: Option<(&str, &str)>, form: &str) -> Reply {
        self.form("/oauth/token", basic, form).await
    }

    /// Posts a form, with credentials in the header.
    pub(crate) async fn form(&self, path: &str, basic: Option<(&str, &str)>, form: &str) -> Reply {
        let mut request = self.http.post(format!("{}{path}", self.url));
        if let Some((id, secret)) = basic {
            // RFC 6749 §2.3.1: both halves are form-encoded first.
            let encode = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.basic_auth(encode(id), Some(encode(secret)));
        }
        self.send(request.header("content-type", FORM).body(form.to_owned())).await
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
        self.admin_post("/clients", &body).await
    }

    /// What the administrator asks for; without a body if that is null.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: &Value) -> Reply {
        let base = self.admin_url.as_ref().unwrap_or(&self.url);
        let mut request = self.http.request(method, format!("{base}{path}"));
        if !body.is_null() {
            request = request.json(body);
        }
        self.send(request.bearer_auth(self.admin_token().await)).await
    }

    /// What the administrator posts to a path.
    pub(crate) async fn admin_post(&self, path: &str, body: &Value) -> Reply {
        self.admin(Method::POST, path, body).await
    }

    /// A token of this client.
    pub(crate) async fn token_of(&self, (id, secret): &(String, String)) -> String {
        self.token(Some((id, secret)), GRANT).await.text_of("access_token")
    }

    /// What the administrator gets from a path.
    pub(crate) async fn admin_get(&self, path: &str) -> Reply {
        self.admin(Method::GET, path, &Value::Null).await
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

    /// A token with these claims and what else a token has, as this server signs them.
    pub(crate) fn minted(&self, claims: &Value) -> String {
        let now = self.clock.now().0;
        let mut all = json!({
            "iss": self.app.config.issuer,
            "sub": "svc",
            "client_id": "svc",
            "exp": now + 300,
            "iat": now,
            "jti": "minted",
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let kid = &signing_key().public().kid;
        signed(&json!({ "typ": "at+jwt", "alg": "RS256", "kid": kid }), &all, signing_key())
    }

    /// A good assertion of this client.
    pub(crate) fn assertion(&self, client_id: &str, key: &PrivateKey) -> String {
        signed(&header_of(key), &self.assertion_claims(client_id), key)
    }
}

/// The header that a client with this key gives its assertions.
pub(crate) fn header_of(key: &PrivateKey) -> Value {
    let public = key.public();
    json!({ "alg": public.algorithm.as_str(), "kid": public.kid, "typ": "JWT" })
}

/// A JWT of whatever header and claims, signed by this key with its own algorithm.
pub(crate) fn signed(header: &Value, claims: &Value, key: &PrivateKey) -> String {
    signed_text(&header.to_string(), &claims.to_string(), key)
}

/// The same of texts that need not even be JSON.
pub(crate) fn signed_text(header: &str, claims: &str, key: &PrivateKey) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = signature(signed.as_bytes(), key);
    format!("{signed}.{}", base64url(signature))
}

/// Base64url without padding.
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a JWT, without a look at its signature.
pub(crate) fn claims_of(token: &str) -> Value {
    part(token, 1)
}

/// The header of a JWT.
pub(crate) fn jose_header_of(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap_or_default();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).unwrap_or_default()
}

/// `Basic` credentials of two halves as they are, not encoded.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn signature(message: &[u8], key: &PrivateKey) -> Vec<u8> {
    let pem = key.to_pem().unwrap();
    let der = pem::parse(pem.as_bytes()).unwrap().into_contents();
    let rsa = |padding: &'static dyn RsaEncoding| {
        let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    let ec = |curve: &'static EcdsaSigningAlgorithm| {
        let pair = EcdsaKeyPair::from_pkcs8(curve, &der).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    };
    match key.public().algorithm {
        Algorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
        Algorithm::RS384 => rsa(&RSA_PKCS1_SHA384),
        Algorithm::RS512 => rsa(&RSA_PKCS1_SHA512),
        Algorithm::PS256 => rsa(&RSA_PSS_SHA256),
        Algorithm::PS384 => rsa(&RSA_PSS_SHA384),
        Algorithm::PS512 => rsa(&RSA_PSS_SHA512),
        Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
            pair.sign(message).as_ref().to_vec()
        }
    }
}

/// The media type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The shortest good form.
pub(crate) const GRANT: &str = "grant_type=client_credentials";

/// The servers' signing key.
pub(crate) fn signing_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(Algorithm::RS256).unwrap())
}

/// A client's key, one per algorithm. RS384, RS512, PS384 and PS512 share theirs with RS256.
pub(crate) fn client_key(algorithm: Algorithm) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; Algorithm::ALL.len()] =
        [const { OnceLock::new() }; Algorithm::ALL.len()];
    let place = Algorithm::ALL.iter().position(|known| *known == algorithm).unwrap();
    KEYS[place].get_or_init(|| match algorithm {
        Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS384 | Algorithm::PS512 => {
            let pem = client_key(Algorithm::RS256).to_pem().unwrap();
            let key = PrivateKey::from_pem(&pem, None).unwrap();
            key.with_algorithm(algorithm).unwrap()
        }
        _ => PrivateKey::generate(algorithm).unwrap(),
    })
}
