//! `envoy.service.auth.v3.Authorization/Check`, asked as Envoy asks it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, OkHttpResponse,
};
use futures_util::future::join;
use latchkey::assembly::OpenStore;
use latchkey::config::{Config, Settings};
use latchkey::domain::clock::Clock;
use latchkey::policy::{Format, Outcome, Policy};
use latchkey::server;
use latchkey::server::connections::{Bounds, Counts, Places};
use latchkey::server::grpc::Rules;
use latchkey::store::MemoryStore;
use latchkey::web::Patience;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Barrier, Notify};
use tonic::service::Routes;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::command_line::Home;
use crate::gateway_decisions::{self as core, POLICY, TABLE};
use crate::harness::{Server, TestClock, claims_of, settings, signing_key};
use crate::program::free_address;

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// The headers that say who asks.
const IDENTITY: [&str; 5] = ["x-audience", "x-client-id", "x-permissions", "x-scope", "x-token-id"];
/// How long something may take that happens soon.
const SOON: Duration = Duration::from_secs(20);

/// What Envoy was told.
#[derive(Debug)]
struct Told {
    /// The status that a client is sent; 200 if its request may pass.
    status: i32,
    /// The code of the answer itself.
    code: Code,
    /// The headers for the request that passes, or for the client.
    headers: HashMap<String, String>,
    /// How they are put there.
    options: Vec<HeaderValueOption>,
    removed: Vec<String>,
    body: Value,
}

/// A client like Envoy.
#[derive(Clone)]
struct Envoy(Channel);

impl Envoy {
    fn at(address: SocketAddr) -> Self {
        Self(Endpoint::new(format!("http://{address}")).unwrap().connect_lazy())
    }

    fn of(server: &Server) -> Self {
        Self::at(server.grpc_address.unwrap())
    }

    async fn check(&self, http: Option<HttpRequest>) -> Result<Told, Status> {
        let request = Some(Request { http, ..Request::default() });
        let attributes = Some(AttributeContext { request, ..AttributeContext::default() });
        let client = AuthorizationClient::new(self.0.clone());
        let mut client = client.max_encoding_message_size(usize::MAX);
        let answer = client.check(CheckRequest { attributes }).await?.into_inner();
        let (status, options, removed, body) = match answer.http_response.unwrap() {
            HttpResponse::OkResponse(ok) => (200, ok.headers, ok.headers_to_remove, String::new()),
            HttpResponse::DeniedResponse(denied) => {
                (denied.status.unwrap().code, denied.headers, Vec::new(), denied.body)
            }
            HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
        };
        let pair = |option: &HeaderValueOption| {
            let header = option.header.clone().unwrap();
            (header.key, header.value)
        };
        Ok(Told {
            status,
            code: Code::from(answer.status.unwrap().code),
            headers: options.iter().map(pair).collect(),
            options,
            removed,
            body: serde_json::from_str(&body).unwrap_or_default(),
        })
    }

    /// Asks about a request with these headers.
    async fn ask(&self, method: &str, path: &str, headers: Headers<'_>) -> Told {
        self.check(Some(request(method, path, headers))).await.unwrap()
    }

    /// Asks about a request with this token, or with none.
    async fn ask_with(&self, method: &str, path: &str, token: Option<&str>) -> Told {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let header = authorization.as_ref().map(|value| ("authorization", value.as_str()));
        self.ask(method, path, header.as_slice()).await
    }

    async fn health(&self) -> Result<ServingStatus, Status> {
        let asked = HealthCheckRequest { service: "envoy.service.auth.v3.Authorization".into() };
        let answer = HealthClient::new(self.0.clone()).check(asked).await?;
        Ok(answer.into_inner().status())
    }

    async fn becomes(&self, status: ServingStatus) {
        let seen = async {
            while self.health().await.ok() != Some(status) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, seen).await.unwrap_or_else(|_| panic!("it is never {status:?}"));
    }
}

fn request(method: &str, path: &str, headers: Headers<'_>) -> HttpRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.collect(),
        ..HttpRequest::default()
    }
}

/// Headers one by one, as Envoy sends them where it is told to: text, or bytes.
fn single(headers: &[(&str, &str, &[u8])]) -> HttpRequest {
    let header = |(key, value, raw): &(&str, &str, &[u8])| HeaderValue {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        raw_value: raw.to_vec(),
    };
    let headers = headers.iter().map(header).collect();
    HttpRequest { header_map: Some(HeaderMap { headers }), ..request("GET", "/", &[]) }
}

/// Settings with the policy of the core's table.
fn with_policy(folder: &Path) -> impl FnOnce(&mut Settings) {
    let file = core::policy_in(folder);
    move |settings| {
        settings.gateways.policy_file = Some(file);
        settings.gateways.grpc_address = Some("127.0.0.1:0".parse().unwrap());
    }
}

async fn server() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Server::with(with_policy(folder.path())).await, folder)
}

#[actix_web::test]
async fn the_table_of_the_core() {
    let (server, _policy) = server().await;
    let envoy = Envoy::of(&server);
    let policy = Policy::read(POLICY, Format::Json).unwrap();
    for (why, words, _, _, _) in TABLE {
        let mut asked = core::Asked::of(words);
        let token = (!asked.anonymous).then(|| server.minted(&asked.claims()));
        let authorization = token.map(|token| format!("Bearer {token}"));
        // What a client says of itself changes nothing.
        let kind = asked.client_type.take().unwrap_or_default();
        let mut headers = vec![("client-type", kind.as_str()), ("isbackoffice", "1")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let told = envoy.ask(asked.method(), &asked.path, &headers).await;
        asked.backoffice = false;

        let (status, code) = match policy.decide(&asked.request()).outcome() {
            Outcome::Allowed => (200, Code::Ok),
            Outcome::NotLoggedIn | Outcome::UnknownRoute => (401, Code::Unauthenticated),
            Outcome::Forbidden => (403, Code::PermissionDenied),
        };
        assert_eq!((told.status, told.code), (status, code), "{why}: {told:?}");
        if status == 200 {
            let mut names: Vec<&String> = told.headers.keys().collect();
            names.sort();
            assert_eq!(names, IDENTITY, "{why}");
            continue;
        }
        assert_eq!(told.headers["cache-control"], "no-store", "{why}");
        assert_eq!(told.headers["content-type"], "application/json", "{why}");
        assert_eq!(told.headers.contains_key("www-authenticate"), status == 401, "{why}");
        assert_eq!(told.body["statusCode"], status, "{why}");
        assert!(told.body["error"].is_string() && told.body["message"].is_string(), "{why}");
        assert!(IDENTITY.iter().all(|name| !told.headers.contains_key(*name)), "{why}");
    }
}

#[actix_web::test]
async fn credentials() {
    let (server, _policy) = server().await;
    let envoy = Envoy::of(&server);
    let token = server.minted(&json!({}));
    let good = format!("Bearer {token}");
    let late = server.minted(&json!({ "exp": server.clock.now().0 }));
    let late = format!("Bearer {late}");
    let client = server.client_with_secret().await;
    let revoked = server.token_of(&client).await;
    let called_back =
        server.admin_post("/revocations", &json!({ "jti": claims_of(&revoked)["jti"] })).await;
    assert_eq!(called_back.status, 200, "{called_back:?}");
    let revoked = format!("Bearer {revoked}");
    let two = format!("{good},{good}");
    let beside = format!("Basic YTpi,{good}");
    let before = format!("{good}, Basic YTpi");

    // `/items` is for everybody who has a good token; `/` for anybody.
    #[rustfmt::skip]
    let cases: [(&str, Headers<'_>, i32, i32); 13] = [
        // why                        headers                                       /items  /
        ("none",                      &[],                                          401,    200),
        ("good",                      &[("authorization", &good)],                  200,    200),
        ("the name in capitals",      &[("Authorization", &good)],                  200,    200),
        ("expired",                   &[("authorization", &late)],                  401,    200),
        ("revoked",                   &[("authorization", &revoked)],               401,    200),
        ("garbage",                   &[("authorization", "Bearer x")],             401,    200),
        ("another scheme",            &[("authorization", "Basic YTpi")],           401,    200),
        ("another, with commas",      &[("authorization", "Digest realm=\"a\", nonce=\"b\"")], 401, 200),
        ("two, joined",               &[("authorization", &two)],                   401,    401),
        ("beside another, joined",    &[("authorization", &beside)],                401,    401),
        ("before another, joined",    &[("authorization", &before)],                401,    401),
        ("two spellings",             &[("authorization", &good), ("AUTHORIZATION", &good)], 401, 401),
        ("a cookie is none",          &[("authorization", &good), ("cookie", "a=b")], 200,  200),
    ];
    for (why, headers, items, root) in cases {
        assert_eq!(envoy.ask("GET", "/items", headers).await.status, items, "{why}");
        assert_eq!(envoy.ask("GET", "/", headers).await.status, root, "{why}, of what is public");
    }

    let raw = good.as_bytes();
    #[rustfmt::skip]
    let singles: [(&str, HttpRequest, i32); 5] = [
        ("text",             single(&[("authorization", &good, b"")]),                                  200),
        ("bytes",            single(&[("authorization", "", raw)]),                                     200),
        ("no text at all",   single(&[("authorization", "", b"Bearer \xff\xfe")]),                      200),
        ("two",              single(&[("authorization", &good, b""), ("authorization", "", raw)]),      401),
        ("in both forms",    HttpRequest { headers: request("", "", &[("authorization", &good)]).headers,
                                           ..single(&[("authorization", &good, b"")]) },                401),
    ];
    for (why, http, status) in singles {
        let told = envoy.check(Some(http)).await.unwrap();
        assert_eq!(told.status, status, "{why}");
        let known = ["text", "bytes"].contains(&why);
        assert_eq!(told.headers.get("x-client-id").is_some_and(|id| id == "svc"), known, "{why}");
    }
}

/// RFC 9728 §5.1: as over HTTP.
#[actix_web::test]
async fn the_challenge_names_the_metadata_of_the_resource() {
    let folder = tempfile::tempdir().unwrap();
    let policy = with_policy(folder.path());
    let server = Server::with(|settings| {
        policy(settings);
        settings.gateways.resources = vec!["https://shop.test/items".parse().unwrap()];
    })
    .await;
    let envoy = Envoy::of(&server);
    let named =
        r#", resource_metadata="https://shop.test/.well-known/oauth-protected-resource/items""#;
    for (path, is_named) in [("/items", true), ("/items?x=1", true), ("/orders", false)] {
        for token in [None, Some("bad")] {
            let told = envoy.ask_with("GET", path, token).await;
            assert_eq!(told.status, 401, "{path}: {told:?}");
            let challenge = &told.headers["www-authenticate"];
            assert!(challenge.starts_with(r#"Bearer realm="latchkey""#), "{path}: {challenge}");
            assert_eq!(challenge.ends_with(named), is_named, "{path}: {challenge}");
            assert_eq!(challenge.contains("resource_metadata"), is_named, "{path}: {challenge}");
        }
    }
    let good = server.token_of(&server.client_with_secret().await).await;
    let told = envoy.ask_with("GET", "/items", Some(&good)).await;
    assert_ne!(told.status, 401, "{told:?}");
}

#[actix_web::test]
async fn identity_headers_replace_what_the_client_sent() {
    let (server, _policy) = server().await;
    let envoy = Envoy::of(&server);
    let everything = server.minted(&json!({
        "permissions": ["a,b", "c"], "aud": ["api", "web"], "scope": "read write", "jti": "j1",
    }));
    let spoofed = [("x-client-id", "admin"), ("x_client_id", "admin")];
    let told = envoy.ask_with("GET", "/", Some(&everything)).await;
    let nobody = envoy.ask("GET", "/", &spoofed).await;
    for (name, value) in [
        ("x-client-id", "svc"),
        ("x-permissions", "a%2Cb,c"),
        ("x-scope", "read write"),
        ("x-audience", "api,web"),
        ("x-token-id", "j1"),
    ] {
        assert_eq!(told.headers[name], value);
        assert_eq!(nobody.headers[name], "", "{name}: of nobody");
    }
    for told in [&told, &nobody] {
        assert_eq!(told.options.len(), IDENTITY.len());
        for option in &told.options {
            assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
            assert!(option.keep_empty_value, "{option:?}");
        }
        let mut removed = told.removed.clone();
        removed.sort();
        #[rustfmt::skip]
        let lookalikes = [
            "x-client_id", "x-token_id", "x_audience", "x_client-id", "x_client_id",
            "x_permissions", "x_scope", "x_token-id", "x_token_id",
        ];
        assert_eq!(removed, lookalikes);
    }
}

#[actix_web::test]
async fn identity_headers_have_the_names_that_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let policy = with_policy(folder.path());
    let server = Server::with(|settings| {
        policy(settings);
        let names = ["x-client-id=consumer", "x-scope=a-b-c-d-e-f-g", "x-audience=For-Whom"];
        settings.gateways.answer_headers = names.iter().map(|name| name.parse().unwrap()).collect();
    })
    .await;
    let token = server.minted(&json!({}));
    let told = Envoy::of(&server).ask_with("GET", "/", Some(&token)).await;
    assert_eq!(told.headers["consumer"], "svc");
    let mut names: Vec<&str> = told.headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["a-b-c-d-e-f-g", "consumer", "for-whom", "x-permissions", "x-token-id"]);
    let mut removed = told.removed.clone();
    removed.sort();
    let lookalikes =
        ["a_b_c_d_e_f_g", "for_whom", "x-token_id", "x_permissions", "x_token-id", "x_token_id"];
    assert_eq!(removed, lookalikes);
}

#[actix_web::test]
async fn what_is_not_clear_or_too_large_is_refused() {
    let (server, _policy) = server().await;
    let envoy = Envoy::of(&server);
    let long = "x".repeat(40 * 1024);
    let huge = "x".repeat(2 * 1024 * 1024);
    #[rustfmt::skip]
    let cases = [
        // why               request                                                status
        ("no request",       None,                                                  403),
        ("nothing in it",    Some(HttpRequest::default()),                          403),
        ("no path",          Some(request("GET", "", &[])),                         403),
        ("large header",     Some(request("GET", "/", &[("x", &long)])),            431),
        ("one by one",       Some(single(&[("x", "", long.as_bytes())])),           431),
        ("large path",       Some(request("GET", &format!("/{long}"), &[])),        431),
        ("body is ignored",  Some(HttpRequest { body: long.clone(), ..request("GET", "/", &[]) }), 200),
    ];
    for (why, http, status) in cases {
        assert_eq!(envoy.check(http).await.unwrap().status, status, "{why}");
    }
    // Too large to be read at all; the connection lives on.
    let refused = envoy.check(Some(request("GET", "/", &[("x", &huge)]))).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    assert_eq!(envoy.ask("GET", "/", &[]).await.status, 200);
}

#[actix_web::test]
async fn a_denial_is_in_the_log_under_the_id_that_envoy_gave_the_request() {
    let home = Home::new();
    let address = free_address();
    let server = home.serve(&[&format!("--grpc-listen={address}")]);
    let large = "x".repeat(70_000);
    for (id, status, headers) in [("plain", 403, &[][..]), ("too-large", 431, &[("x", &*large)])] {
        let headers = [&[("x-request-id", id)], headers].concat();
        let told = Envoy::at(address).ask("GET", "/orders", &headers).await;
        assert_eq!(told.status, status, "{id}");
        server.logged(|entry| entry["request_id"] == id);
    }
}

#[actix_web::test]
async fn without_a_policy_nothing_passes() {
    let server = Server::with(|settings| {
        settings.gateways.grpc_address = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let token = server.minted(&json!({}));
    let told = Envoy::of(&server).ask_with("GET", "/", Some(&token)).await;
    assert_eq!((told.status, told.code), (403, Code::PermissionDenied));
    assert_eq!(told.body["error"], "access_denied");
}

#[actix_web::test]
async fn it_is_measured_like_other_routes() {
    let (server, _policy) = server().await;
    let envoy = Envoy::of(&server);
    for (path, times) in [("/", 2), ("/items", 1)] {
        for _ in 0..times {
            envoy.ask("GET", path, &[]).await;
        }
    }
    let metrics = server.get("/-/metrics").await.text;
    for (status, times) in [(200, 2), (401, 1)] {
        let line = format!(
            "latchkey_request_duration_seconds_count{{route=\"envoy.service.auth.v3.Authorization/Check\",status=\"{status}\"}} {times}\n"
        );
        assert!(metrics.contains(&line), "{status}: {metrics}");
    }
    for (answer, reason, times) in [("yes", "permitted", 2), ("unauthorized", "login_required", 1)]
    {
        let line = format!(
            "latchkey_gateway_decisions_total{{answer=\"{answer}\",reason=\"{reason}\"}} {times}\n"
        );
        assert!(metrics.contains(&line), "{answer}: {metrics}");
    }
}

#[actix_web::test]
async fn it_refuses_until_all_is_there_and_ends_with_the_server() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings = settings();
    with_policy(folder.path())(&mut settings);
    settings.signing_keys.folder = keys.path().to_owned();
    let pem = signing_key().to_pem().unwrap();
    std::fs::write(keys.path().join("RS256-test.pem"), pem.as_bytes()).unwrap();
    let bound = server::bind(&settings).unwrap();
    let envoy = Envoy::at(bound.grpc_address().unwrap().unwrap());
    let config = Config::of(settings, bound.address().unwrap().port()).unwrap();

    let mut running = server::serve(bound, &config).unwrap();
    let told = envoy.ask("GET", "/", &[]).await;
    assert_eq!((told.status, told.code), (503, Code::Unavailable), "no error that could pass");
    assert_eq!(told.headers["retry-after"], "1");
    assert_eq!(envoy.health().await.unwrap(), ServingStatus::NotServing);

    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let clock = Arc::new(TestClock::default());
    Box::pin(running.start(config, &store, clock)).await.unwrap();
    envoy.becomes(ServingStatus::Serving).await;
    assert_eq!(envoy.ask("GET", "/", &[]).await.status, 200);

    // Who watches is told, and holds nothing up.
    let asked = HealthCheckRequest { service: String::new() };
    let watch = HealthClient::new(envoy.0.clone()).watch(asked).await.unwrap();
    let mut watch = watch.into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    tokio::time::timeout(SOON, running.stop()).await.unwrap();
    while let Ok(Some(told)) = watch.message().await {
        assert_ne!(told.status(), ServingStatus::Serving);
    }
    assert_eq!(envoy.health().await.unwrap_err().code(), Code::Unavailable);
}

/// As when the folder of keys was lost: a new key is published for a minute before it signs.
#[actix_web::test]
async fn calls_come_here_while_no_key_signs() {
    let (folder, lost) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keys = tempfile::tempdir().unwrap();
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let start = async |keys: &Path| {
        let change = |settings: &mut Settings| {
            with_policy(folder.path())(settings);
            settings.signing_keys.folder = keys.to_owned();
        };
        Server::on(store.clone(), change).await
    };
    start(lost.path()).await.stop().await;

    let server = start(keys.path()).await;
    assert_eq!(server.get("/-/ready").await.status, 503, "it cannot issue tokens");
    let envoy = Envoy::of(&server);
    envoy.becomes(ServingStatus::Serving).await;
    assert_eq!(envoy.ask("GET", "/", &[]).await.status, 200);
}

#[actix_web::test]
async fn with_a_certificate_it_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [chain, key] = ["tls.pem", "tls.key"].map(|name| folder.path().join(name));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let policy = with_policy(folder.path());
    let server = Server::with(|settings| {
        policy(settings);
        settings.listen.tls_certificate = Some(chain);
        settings.listen.tls_key = Some(key);
    })
    .await;
    let address = server.grpc_address.unwrap();

    let trusted = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(made.cert.pem()));
    let endpoint = Endpoint::new(format!("https://localhost:{}", address.port())).unwrap();
    let envoy = Envoy(endpoint.tls_config(trusted).unwrap().connect_lazy());
    assert_eq!(envoy.ask("GET", "/", &[]).await.status, 200);

    let clear = Envoy::at(address).check(Some(request("GET", "/", &[]))).await;
    assert!(clear.is_err(), "{clear:?}");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let distrusting =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(other.cert.pem()));
    let endpoint = Endpoint::new(format!("https://localhost:{}", address.port())).unwrap();
    let distrusting = Envoy(endpoint.tls_config(distrusting).unwrap().connect_lazy());
    assert!(distrusting.check(None).await.is_err());
}

/// A service that lets a call pass when it is told to.
struct Slow {
    asked: Notify,
    may_pass: Notify,
    both: Barrier,
}

#[async_trait]
impl Authorization for Slow {
    async fn check(
        &self,
        request: tonic::Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner().attributes.unwrap().request.unwrap();
        if request.http.unwrap().path == "/both" {
            self.both.wait().await;
        } else {
            self.asked.notify_one();
            self.may_pass.notified().await;
        }
        Ok(Response::new(CheckResponse {
            status: Some(envoy_types::pb::google::rpc::Status::default()),
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse::default())),
            ..CheckResponse::default()
        }))
    }
}

/// A listener of such a service.
struct Listening {
    service: Arc<Slow>,
    is_ready: Arc<AtomicBool>,
    listener: server::grpc::Listener,
    stop: server::grpc::Stop,
    envoy: Envoy,
}

fn slow(shutdown_timeout: Duration) -> Listening {
    let service =
        Arc::new(Slow { asked: Notify::new(), may_pass: Notify::new(), both: Barrier::new(2) });
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let envoy = Envoy::at(socket.local_addr().unwrap());
    let rules = Rules { workers: 1, shutdown_timeout, patience: Patience::default() };
    let bounds = Bounds { overall: 100, per_address: None, proxies: Vec::new() };
    let places = Places::new(bounds, Counts::default());
    let routes = Routes::new(AuthorizationServer::from_arc(service.clone()));
    let is_ready = Arc::new(AtomicBool::new(true));
    let ready = is_ready.clone();
    let ready = move || ready.load(Ordering::Relaxed);
    let (listener, stop) = server::grpc::serve(socket, None, places, routes, ready, rules).unwrap();
    Listening { service, is_ready, listener, stop, envoy }
}

#[actix_web::test]
async fn calls_do_not_wait_for_each_other() {
    let Listening { is_ready, listener: _listener, stop: _stop, envoy, .. } = slow(SOON);
    // Each of the two is answered when both are there, on one connection and on two.
    for other in [envoy.clone(), Envoy(envoy.0.clone())] {
        let both = join(envoy.ask("GET", "/both", &[]), other.ask("GET", "/both", &[]));
        let (one, other) = tokio::time::timeout(SOON, both).await.unwrap();
        assert_eq!((one.status, other.status), (200, 200));
    }
    is_ready.store(false, Ordering::Relaxed);
    envoy.becomes(ServingStatus::NotServing).await;
    is_ready.store(true, Ordering::Relaxed);
    envoy.becomes(ServingStatus::Serving).await;
}

#[actix_web::test]
async fn calls_under_way_are_let_end_for_a_while() {
    let Listening { service, listener, stop, envoy, .. } = slow(SOON);
    let call = tokio::spawn({
        let envoy = envoy.clone();
        async move { envoy.ask("GET", "/", &[]).await.status }
    });
    service.asked.notified().await;
    drop(stop);
    // Nobody else is let in; the first is answered all the same.
    let closed = async { while envoy.health().await.is_ok() {} };
    tokio::time::timeout(SOON, closed).await.unwrap();
    assert!(!call.is_finished());
    service.may_pass.notify_one();
    assert_eq!(call.await.unwrap(), 200);
    tokio::time::timeout(SOON, listener.ended()).await.unwrap().unwrap();

    let Listening { service, listener, stop, envoy, .. } = slow(Duration::from_millis(100));
    let call = tokio::spawn(async move { envoy.check(Some(request("GET", "/", &[]))).await });
    service.asked.notified().await;
    drop(stop);
    tokio::time::timeout(SOON, listener.ended()).await.unwrap().unwrap();
    assert!(call.await.unwrap().is_err(), "it did not wait for ever");
}
