//! RFC 7591 §2, `jwks_uri`: keys that a client publishes, fetched as carefully as what a stranger
//! names must be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{GRANT, Reply, Server, claims_of, client_key, header_of, signed};

/// What a host of keys does with a request.
#[derive(Clone)]
enum Manner {
    /// Answers with this status, these header fields and this body.
    Answer(&'static str, String, String),
    /// Answers a byte at a time, for ever.
    Drip,
    /// Says nothing.
    Silent,
}

/// A host of keys, over plain HTTP on this machine.
struct KeyHost {
    port: u16,
    manner: Arc<Mutex<Manner>>,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for KeyHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeyHost {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(Mutex::new(Manner::Silent));
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let (shown, noted, counted) = (manner.clone(), requests.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (manner, noted) = (shown.lock().unwrap().clone(), noted.clone());
                tokio::spawn(answer(stream, manner, noted));
            }
        });
        Self { port, manner, connections, requests, task }
    }

    fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/jwks", self.port)
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn does(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn says(&self, body: &str) {
        self.does(Manner::Answer("200 OK", String::new(), body.to_owned()));
    }

    fn has(&self, keys: &[&PrivateKey]) {
        self.says(&set(keys).to_string());
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn answer(mut stream: TcpStream, manner: Manner, requests: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    match manner {
        Manner::Answer(status, fields, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{fields}\r\n");
            // Who finds it too large hangs up.
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
        Manner::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Manner::Silent => {
            let _ = stream.read_u8().await;
        }
    }
}

fn set(keys: &[&PrivateKey]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.public().to_json()).collect();
    json!({ "keys": keys })
}

fn metadata(uri: &str) -> Value {
    json!({
        "client_name": "svc", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
    })
}

async fn admitting(hosts: &[String]) -> Server {
    Server::with(|settings| {
        settings.clients.jwks_uri_hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
    })
    .await
}

fn refused(reply: &Reply, why: &str) {
    let seen = (reply.status, reply.error());
    assert_eq!(seen, (400, Some("invalid_client_metadata")), "{why}: {reply:?}");
}

/// How a token request ends, with a new assertion. After a leap of the clock the server's own key
/// must be made known anew, which takes a moment.
async fn status(server: &Server, id: &str, key: &PrivateKey) -> u16 {
    for _ in 0..500 {
        let status = server.token_by(&server.assertion(id, key), "").await.status;
        if status != 503 {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    503
}

fn ec() -> &'static PrivateKey {
    client_key(Algorithm::ES256)
}

fn ed() -> &'static PrivateKey {
    client_key(Algorithm::EdDSA)
}

#[actix_web::test]
async fn a_published_key_is_as_good_as_a_registered_one() {
    let host = KeyHost::start().await;
    host.has(&[ec(), ed()]);
    let server = admitting(&[host.host()]).await;
    let reply = server.register(metadata(&host.uri())).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.body["jwks_uri"], host.uri());
    assert!(reply.body.get("jwks").is_none() && reply.body.get("client_secret").is_none());
    let request = host.requests.lock().unwrap().join("").to_lowercase();
    assert!(request.starts_with("get /jwks http/1.1"), "{request}");
    assert!(request.contains(&format!("host: {}", host.host())), "{request}");

    let id = reply.text_of("client_id");
    let document = server.document(&id).await;
    assert_eq!(document.get_str("jwksUri").unwrap(), host.uri());
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!(shown.body["jwks_uri"], host.uri());
    assert_eq!(shown.body["keys"], json!([]));

    for key in [ec(), ed()] {
        let reply = server.token_by(&server.assertion(&id, key), "").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let cred = claims_of(&reply.text_of("access_token"))["cred"].clone();
        assert_eq!(cred, key.public().credential_id().as_str());
    }
    let once = server.assertion(&id, ec());
    assert_eq!(server.token_by(&once, "").await.status, 200);
    assert_eq!(server.token_by(&once, "").await.status, 401, "used once");
    assert_eq!(host.asked(), 1, "fetched once, at the registration");

    let unnamed = json!({ "alg": "ES256", "typ": "JWT" });
    let two = signed(&unnamed, &server.assertion_claims(&id), ec());
    assert_eq!(server.token_by(&two, "").await.status, 200, "two keys, and no kid");
    let mut lying = header_of(ec());
    lying["kid"] = ed().public().kid.as_str().into();
    let lying = signed(&lying, &server.assertion_claims(&id), ec());
    assert_eq!(server.token_by(&lying, "").await.status, 401, "the algorithm of another key");

    let made = server.create_client(metadata(&host.uri())).await;
    assert_eq!((made.status, &made.body["jwks_uri"]), (201, &json!(host.uri())));
}

#[actix_web::test]
async fn what_is_refused_at_the_registration() {
    let host = KeyHost::start().await;
    host.has(&[ec()]);
    let server = admitting(&[host.host()]).await;
    let good = metadata(&host.uri());
    let with = |name: &str, value: Value| {
        let mut metadata = good.clone();
        metadata[name] = value;
        metadata
    };
    let required = Server::with(|settings| {
        settings.clients.require_key_proof = true;
        settings.clients.jwks_uri_hosts = vec![host.host().parse().unwrap()];
    })
    .await;
    assert_eq!(server.register(good.clone()).await.status, 201, "as it should be");
    assert_eq!(required.register(good.clone()).await.status, 201, "needs no proof");
    for (why, metadata) in [
        ("jwks beside it", with("jwks", set(&[ec()]))),
        ("public_key beside it", with("public_key", ec().public().to_json())),
        ("a secret method", with("token_endpoint_auth_method", json!("client_secret_basic"))),
        ("null", with("jwks_uri", Value::Null)),
        ("a list", with("jwks_uri", json!([host.uri()]))),
        ("empty", with("jwks_uri", json!(""))),
        ("no URL", with("jwks_uri", json!("/jwks"))),
        ("a password", with("jwks_uri", json!(format!("http://a:b@{}/", host.host())))),
        ("a fragment", with("jwks_uri", json!(format!("{}#", host.uri())))),
        ("a file", with("jwks_uri", json!("file:///etc/passwd"))),
        ("a proof of nothing", with("proof", json!("x"))),
    ] {
        refused(&server.register(metadata.clone()).await, why);
        refused(&server.create_client(metadata).await, why);
    }

    let mut private = set(&[ec()]);
    private["keys"][0]["d"] = "AAAA".into();
    let redirect =
        |status| Manner::Answer(status, format!("location: {}\r\n", host.uri()), String::new());
    let ok = |body: String| Manner::Answer("200 OK", String::new(), body);
    for (turn, (why, manner)) in [
        ("a redirect", redirect("302 Found")),
        ("a lasting redirect", redirect("308 Permanent Redirect")),
        ("not found", Manner::Answer("404 Not Found", String::new(), set(&[ec()]).to_string())),
        ("no content", Manner::Answer("204 No Content", String::new(), String::new())),
        ("a failure", Manner::Answer("500 Oh", String::new(), set(&[ec()]).to_string())),
        ("too large", ok(format!("{}{}", set(&[ec()]), " ".repeat(64 * 1024)))),
        ("no JSON", ok("<html>".to_owned())),
        ("a list", ok("[]".to_owned())),
        ("no keys", ok("{}".to_owned())),
        ("no key", ok(r#"{"keys":[]}"#.to_owned())),
        ("no public key", ok(private.to_string())),
        ("a symmetric key", ok(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned())),
    ]
    .into_iter()
    .enumerate()
    {
        host.does(manner);
        // Each at a place of its own: of a place that failed nothing is asked for a while.
        let before = host.asked();
        let reply = server.register(metadata(&format!("{}/{turn}", host.uri()))).await;
        refused(&reply, why);
        assert!(reply.text_of("error_description").contains("jwks_uri"), "{why}: {reply:?}");
        assert_eq!(host.asked(), before + 1, "{why}: asked once, and sent nowhere else");
    }
    let brim = format!("{}{}", set(&[ec()]), " ".repeat(64 * 1024));
    host.says(&brim[..64 * 1024]);
    assert_eq!(server.register(metadata(&format!("{}/brim", host.uri()))).await.status, 201);
    let mix = json!({ "keys": [{ "kty": "oct" }, 1, ec().public().to_json()] });
    host.says(&mix.to_string());
    assert_eq!(server.register(metadata(&format!("{}/mix", host.uri()))).await.status, 201);
}

#[actix_web::test]
async fn rfc7517_s4_5_the_first_ten_keys_and_of_one_name_the_one_that_fits() {
    let host = KeyHost::start().await;
    let server = admitting(&[host.host()]).await;
    let with = |key: &PrivateKey, changes: Value| {
        let mut jwk = key.public().to_json();
        jwk.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jwk
    };
    let registered = async |place: &str, keys: Vec<Value>| {
        host.says(&json!({ "keys": keys }).to_string());
        let reply = server.register(metadata(&format!("{}/{place}", host.uri()))).await;
        assert_eq!(reply.status, 201, "{place}: {reply:?}");
        reply.text_of("client_id")
    };
    let many: Vec<PrivateKey> =
        (0..11).map(|_| PrivateKey::generate(Algorithm::EdDSA).unwrap()).collect();
    let mut keys: Vec<Value> = many.iter().map(|key| key.public().to_json()).collect();
    keys.insert(3, json!({ "kty": "new" }));
    let id = registered("eleven", keys).await;
    for (place, key) in many.iter().enumerate() {
        let expected = if place < 10 { 200 } else { 401 };
        assert_eq!(status(&server, &id, key).await, expected, "{place}");
    }

    let named = |key: &PrivateKey| {
        PrivateKey::from_pem(&key.to_pem().unwrap(), None).unwrap().named("shared")
    };
    let shared = json!({ "kid": "shared" });
    let enc = with(ed(), json!({ "kid": "shared", "use": "enc" }));
    let id = registered("names", vec![enc, with(ed(), shared.clone()), with(ec(), shared.clone())])
        .await;
    assert_eq!(status(&server, &id, &named(ec())).await, 200, "ES256");
    assert_eq!(status(&server, &id, &named(ed())).await, 200, "EdDSA");
    assert_eq!(status(&server, &id, &named(client_key(Algorithm::RS256))).await, 401, "neither");
    let id =
        registered("twins", vec![with(&many[0], shared.clone()), with(&many[1], shared)]).await;
    for key in &many[..2] {
        assert_eq!(status(&server, &id, &named(key)).await, 200, "of one algorithm");
    }
}

#[actix_web::test]
async fn a_registered_algorithm_decides_for_published_keys() {
    let host = KeyHost::start().await;
    let server = admitting(&[host.host()]).await;
    let rsa = client_key(Algorithm::RS256);
    let signing = |algorithm| {
        let key = PrivateKey::from_pem(&rsa.to_pem().unwrap(), None).unwrap();
        key.with_algorithm(algorithm).unwrap().named(&rsa.public().kid)
    };
    let mut silent = rsa.public().to_json();
    silent.as_object_mut().unwrap().remove("alg");
    host.says(&json!({ "keys": [silent, ec().public().to_json()] }).to_string());
    let ask = async |algorithm: &str| {
        let mut metadata = metadata(&host.uri());
        metadata["token_endpoint_auth_signing_alg"] = algorithm.into();
        server.register(metadata).await
    };
    let reply = ask("PS256").await;
    assert_eq!(
        (reply.status, &reply.body["token_endpoint_auth_signing_alg"]),
        (201, &json!("PS256"))
    );
    let id = reply.text_of("client_id");
    assert_eq!(status(&server, &id, &signing(Algorithm::PS256)).await, 200);
    assert_eq!(status(&server, &id, &signing(Algorithm::RS256)).await, 401, "not the usual one");
    assert_eq!(status(&server, &id, ec()).await, 401, "nor a key of another algorithm");

    let usual = server.register(metadata(&host.uri())).await.text_of("client_id");
    assert_eq!(status(&server, &usual, rsa).await, 200, "another client of the same set");
    assert_eq!(status(&server, &usual, &signing(Algorithm::PS256)).await, 401);
    refused(&ask("EdDSA").await, "no key for it");
    refused(&ask("none").await, "no algorithm");
    assert_eq!(host.asked(), 1, "one set, whatever is registered");
}

#[actix_web::test]
async fn our_own_network_is_not_for_strangers() {
    let host = KeyHost::start().await;
    host.has(&[ec()]);
    let port = host.port;
    let server = Server::start().await;
    let others = admitting(&["keys.test".to_owned(), format!("127.0.0.1:{}", port ^ 1)]).await;
    for server in [&server, &others] {
        for (why, uri) in [
            ("http", host.uri()),
            ("http by name", format!("http://localhost:{port}/")),
            ("loopback", format!("https://127.0.0.1:{port}/")),
            ("loopback by name", format!("https://localhost:{port}/")),
            ("loopback by full name", format!("https://localhost.:{port}/")),
            ("a name below it", format!("https://a.localhost:{port}/")),
            ("decimal", format!("https://2130706433:{port}/")),
            ("hexadecimal", format!("https://0x7f000001:{port}/")),
            ("octal", format!("https://0177.0.0.1:{port}/")),
            ("short", format!("https://127.1:{port}/")),
            ("other loopback", format!("https://127.0.0.2:{port}/")),
            ("unspecified", format!("https://0.0.0.0:{port}/")),
            ("full-width digits", format!("https://\u{ff11}27.0.0.1:{port}/")),
            ("IPv6 loopback", format!("https://[::1]:{port}/")),
            ("IPv6 unspecified", format!("https://[::]:{port}/")),
            ("IPv4-mapped", format!("https://[::ffff:127.0.0.1]:{port}/")),
            ("IPv4-mapped, in hex", format!("https://[::ffff:7f00:1]:{port}/")),
            ("NAT64", format!("https://[64:ff9b::7f00:1]:{port}/")),
            ("private", "https://10.0.0.1/".to_owned()),
            ("private", "https://192.168.0.1/".to_owned()),
            ("link-local", "https://169.254.169.254/latest/meta-data".to_owned()),
            ("unique-local", "https://[fd00::1]/".to_owned()),
            ("link-local", "https://[fe80::1]/".to_owned()),
        ] {
            let begun = Instant::now();
            let reply = server.register(metadata(&uri)).await;
            refused(&reply, &format!("{why}: {uri}"));
            let told = reply.text_of("error_description");
            let of_the_url = told.contains("must be an https URL");
            let expected = uri.starts_with("http:") || !uri.is_ascii();
            assert_eq!(of_the_url, expected, "{why}: {told}");
            assert!(
                of_the_url || told == "the keys at `jwks_uri` cannot be fetched",
                "{why}: {told}"
            );
            assert!(begun.elapsed() < Duration::from_secs(5), "{why}");
        }
    }
    assert_eq!(host.connections.load(Ordering::SeqCst), 0, "not so much as a connection");

    // An admitted name may lead to wherever it leads.
    let by_name = admitting(&[format!("localhost:{port}")]).await;
    let uri = format!("http://localhost:{port}/jwks");
    assert_eq!(by_name.register(metadata(&uri)).await.status, 201);
    assert_eq!(by_name.register(metadata(&host.uri())).await.status, 400, "another name of it");
}

#[actix_web::test]
async fn who_is_slow_is_not_waited_for() {
    let host = KeyHost::start().await;
    let server = admitting(&[host.host()]).await;
    let ask = async |place: &str, manner: Manner| {
        host.does(manner);
        let begun = Instant::now();
        let reply = server.register(metadata(&format!("{}/{place}", host.uri()))).await;
        (reply, begun.elapsed())
    };
    // Others are not held up meanwhile.
    let (id, secret) = server.client_with_secret().await;
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
    let others = async {
        while host.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        let reply = server.token(Some((&id, &secret)), GRANT).await;
        (reply.status, begun.elapsed())
    };
    let ((reply, _), (status, took)) = join(ask("others", Manner::Silent), others).await;
    refused(&reply, "silent, beside others");
    assert!(status == 200 && took < Duration::from_secs(2), "{status} after {took:?}");

    for (why, manner) in [("silent", Manner::Silent), ("drip", Manner::Drip)] {
        let (reply, took) = ask(why, manner).await;
        refused(&reply, why);
        let seconds = Duration::from_secs(2)..Duration::from_secs(10);
        assert!(seconds.contains(&took), "{why}: {took:?}");
        // It is not asked again, and so nobody waits again, for a while.
        let before = host.asked();
        let (reply, took) = ask(why, Manner::Silent).await;
        refused(&reply, why);
        assert!(took < Duration::from_secs(2), "{why}: {took:?}");
        assert_eq!(host.asked(), before, "{why}");
    }
}

#[actix_web::test]
async fn a_new_key_is_found_by_its_name() {
    let host = KeyHost::start().await;
    host.has(&[ec()]);
    let server = admitting(&[host.host()]).await;
    let id = server.register(metadata(&host.uri())).await.text_of("client_id");
    assert_eq!(host.asked(), 1);

    host.has(&[ec(), ed()]);
    let assertions: Vec<String> = (0..20).map(|_| server.assertion(&id, ed())).collect();
    let replies = join_all(assertions.iter().map(|one| server.token_by(one, ""))).await;
    let seen: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(seen, [200; 20], "20 at once with a key that is not known yet");
    assert_eq!(host.asked(), 2, "one more look, for all of them");

    let unknown = client_key(Algorithm::RS256);
    let try_unknown = async || {
        let tries = join_all((0..5).map(|_| async {
            let assertion = server.assertion(&id, unknown);
            server.token_by(&assertion, "").await.status
        }));
        assert_eq!(tries.await, [401; 5]);
    };
    try_unknown().await;
    assert_eq!(host.asked(), 2, "a moment ago it was not there");
    server.clock.advance(Duration::from_secs(29));
    try_unknown().await;
    assert_eq!(host.asked(), 2, "nor half a minute later");
    server.clock.advance(Duration::from_secs(1));
    try_unknown().await;
    assert_eq!(host.asked(), 3, "then it is looked for once more");

    host.has(&[ed()]);
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(status(&server, &id, ec()).await, 200, "still fresh");
    server.clock.advance(Duration::from_secs(3600));
    assert_eq!(status(&server, &id, ec()).await, 401, "taken away");
    assert_eq!(status(&server, &id, ed()).await, 200);
}

#[actix_web::test]
async fn a_failing_host_is_asked_less_and_less_and_what_is_known_goes_on() {
    let host = KeyHost::start().await;
    let body = set(&[ec()]).to_string();
    let fields = "cache-control: max-age=120\r\n".to_owned();
    host.does(Manner::Answer("200 OK", fields.clone(), body.clone()));
    let server = admitting(&[host.host()]).await;
    let id = server.register(metadata(&host.uri())).await.text_of("client_id");
    let ask = async || status(&server, &id, ec()).await;

    host.does(Manner::Answer("500 Oh", String::new(), String::new()));
    #[rustfmt::skip]
    let cases = [
        // seconds later           asked  status
        (0,                        1,     200), // fresh
        (119,                      1,     200),
        (1,                        2,     200), // stale, asked, failed
        (4,                        2,     200),
        (1,                        3,     200), // five seconds after it
        (9,                        3,     200),
        (1,                        4,     200), // ten seconds after that
        (86_400 - 16,              5,     200), // a day of failures
        (1,                        5,     401), // too old to be believed
        (38,                       5,     401),
        (1,                        6,     401), // forty seconds after the last time
    ];
    for (step, (later, asked, status)) in cases.into_iter().enumerate() {
        server.clock.advance(Duration::from_secs(later));
        assert_eq!((ask().await, host.asked()), (status, asked), "step {step}");
    }
    host.does(Manner::Answer("200 OK", fields, body));
    assert_eq!(ask().await, 401, "not asked yet");
    server.clock.advance(Duration::from_secs(600));
    assert_eq!(ask().await, 200, "well again");
    assert_eq!(host.asked(), 7);
}

#[actix_web::test]
async fn nobody_is_asked_in_vain() {
    let host = KeyHost::start().await;
    host.has(&[ec()]);
    let server = admitting(&[host.host()]).await;
    let id = server.register(metadata(&host.uri())).await.text_of("client_id");
    let draft = {
        let mut metadata = metadata(&host.uri());
        metadata["__STATE__"] = "DRAFT".into();
        server.create_client(metadata).await.text_of("client_id")
    };
    server.clock.advance(Duration::from_secs(86_400));
    let mut proof = header_of(ec());
    proof["typ"] = "latchkey-key-proof+jwt".into();
    for (why, assertion) in [
        ("a client that gets no token", server.assertion(&draft, ec())),
        ("another type of JWT", signed(&proof, &server.assertion_claims(&id), ec())),
        ("no JWT", "x".to_owned()),
    ] {
        let reply = server.token_by(&assertion, "").await;
        assert_eq!((reply.status, reply.error()), (401, Some("invalid_client")), "{why}");
        assert_eq!(host.asked(), 1, "{why}");
    }
    host.does(Manner::Answer("500 Oh", String::new(), String::new()));
    server.clock.advance(Duration::from_secs(86_400));
    let reply = server.token_by(&server.assertion(&id, ec()), "").await;
    assert_eq!((reply.status, host.asked()), (401, 2));
    let told = reply.text_of("error_description");
    assert_eq!(told, "client authentication failed", "not that the host failed");
}
