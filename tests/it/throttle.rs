//! Failing authentication is slowed down, and nobody is locked out from elsewhere: RFC 6749 §2.3.1.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use latchkey::config::{RegistrationSetting, Switch};
use latchkey::domain::client::{Client, StoredSecret};
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::error_code::ErrorCode;
use latchkey::domain::id::ClientId;
use latchkey::domain::jwk::Algorithm;
use latchkey::domain::secret::{ClientSecret, Pepper};
use latchkey::domain::store_error::StoreError;
use latchkey::hashing::SlowHashes;
use latchkey::jose::StrictReader;
use latchkey::oauth::authenticate::{
    AssertionRules, Authenticator, CallerAddress, FailureLimits, FailureThrottle, Presented,
    SecretChecks,
};
use latchkey::oauth::{AssertionStore, ClientStore, HashUpgrade, News};
use latchkey::outbound::RemoteKeySets;
use latchkey::revocation::list::Revocations;
use serde_json::json;

use crate::harness::{ADMIN, FORM, GRANT, Reply, Server, basic, client_key};

/// With the throttle on, behind a proxy that it trusts.
async fn server() -> Server {
    Server::with(|settings| {
        settings.clients.throttle = Switch::On;
        settings.listen.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

impl Server {
    /// Asks for a token from an address.
    async fn token_from(&self, from: &str, authorization: &str, form: &str) -> Reply {
        let request = self.http.post(format!("{}/oauth/token", self.url));
        let request = request.header("x-forwarded-for", from).header("content-type", FORM);
        let request = match authorization {
            "" => request,
            authorization => request.header("authorization", authorization),
        };
        self.send(request.body(form.to_owned())).await
    }

    /// Fails so often, in the name of so many clients; the answers.
    async fn fail(&self, from: &str, names: &[&str], times: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..times {
            for name in names {
                statuses.push(self.token_from(from, &basic(name, "no"), GRANT).await.status);
            }
        }
        statuses
    }
}

#[actix_web::test]
async fn by_client_and_address_together() {
    let server = server().await;
    let (id, secret) = server.client_with_secret().await;
    let (other, other_secret) = server.client_with_secret().await;
    let (right, wrong) = (basic(&id, &secret), basic(&id, "wrong"));
    let another = basic(&other, &other_secret);
    for _ in 0..30 {
        assert_eq!(
            server.token_from("192.0.2.1", &right, GRANT).await.status,
            200,
            "costs nothing"
        );
    }
    assert_eq!(server.fail("192.0.2.1", &[&id], 10).await, [401; 10]);
    #[rustfmt::skip]
    let cases = [
        // why                                     after  from            credentials  status  retry
        ("one too many",                           0,     "192.0.2.1",    &wrong,      429,    Some("6")),
        ("the right one, where it failed",         0,     "192.0.2.1",    &right,      429,    Some("6")),
        ("from elsewhere",                         0,     "192.0.2.2",    &right,      200,    None),
        ("another client from there",              0,     "192.0.2.1",    &another,    200,    None),
        ("a second before it is over",             5,     "192.0.2.1",    &right,      429,    Some("1")),
        ("when it is over",                        1,     "192.0.2.1",    &right,      200,    None),
        ("that took nothing away",                 0,     "192.0.2.1",    &wrong,      401,    None),
        ("but this did",                           0,     "192.0.2.1",    &right,      429,    Some("6")),
        ("after a minute",                         60,    "192.0.2.1",    &wrong,      401,    None),
    ];
    for (why, after, from, credentials, status, retry) in cases {
        server.clock.advance(Duration::from_secs(after));
        let reply = server.token_from(from, credentials, GRANT).await;
        assert_eq!((reply.status, reply.header("retry-after")), (status, retry), "{why}");
        let error = (status == 429).then_some("temporarily_unavailable");
        assert_eq!(reply.error().filter(|_| status != 401), error, "{why}");
    }
}

#[actix_web::test]
async fn what_counts() {
    let server = server().await;
    let (id, secret) = server.client_with_secret().await;
    let key = client_key(Algorithm::ES256);
    let by_key = server.client_with_key(key).await;
    let draft = server.create_client(json!({ "client_name": "d", "__STATE__": "DRAFT" })).await;
    let (right, disabled) =
        (basic(&id, &secret), basic(&draft.text_of("client_id"), &draft.text_of("client_secret")));
    let assertion = |assertion: String| {
        format!(
            "{GRANT}&client_assertion={assertion}&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        )
    };
    let used = assertion(server.assertion(&by_key, key));
    assert_eq!(server.token_from("192.0.2.99", "", &used).await.status, 200);
    let mut claims = server.assertion_claims(&by_key);
    claims["exp"] = (server.app.clock.now().0 - 1).into();
    let expired = assertion(crate::harness::signed(&crate::harness::header_of(key), &claims, key));
    let forged = assertion(server.assertion(&by_key, client_key(Algorithm::EdDSA)));
    #[rustfmt::skip]
    let cases = [
        // why                      credentials                        form                                 status  counts
        ("a wrong secret",          basic(&id, "wrong"),               GRANT.to_owned(),                    401,    true),
        ("an unknown client",       basic("nobody", "wrong"),          GRANT.to_owned(),                    401,    true),
        ("no client id",            basic("\u{7}", "wrong"),           GRANT.to_owned(),                    401,    true),
        ("a disabled client",       disabled,                          GRANT.to_owned(),                    401,    true),
        ("another method",          basic(&by_key, "wrong"),           GRANT.to_owned(),                    401,    true),
        ("no assertion",            String::new(),                     assertion("x".to_owned()),           401,    true),
        ("a forged assertion",      String::new(),                     forged,                              401,    true),
        ("a replayed assertion",    String::new(),                     used,                                401,    true),
        ("an expired assertion",    String::new(),                     expired,                             401,    true),
        ("a scope not granted",     right.clone(),                     format!("{GRANT}&scope=root"),       400,    false),
        ("an audience not granted", right.clone(),                     format!("{GRANT}&audience=x"),       400,    false),
        ("another grant",           right.clone(),                     "grant_type=password".to_owned(),    400,    false),
        ("no credentials",          String::new(),                     GRANT.to_owned(),                    401,    false),
        ("two proofs",              right,                             format!("{GRANT}&client_secret=x"),  400,    false),
    ];
    for (number, (why, authorization, form, status, counts)) in cases.into_iter().enumerate() {
        let from = format!("192.0.2.{number}");
        for _ in 0..10 {
            assert_eq!(
                server.token_from(&from, &authorization, &form).await.status,
                status,
                "{why}"
            );
        }
        let next = server.token_from(&from, &authorization, &form).await.status;
        assert_eq!(next, if counts { 429 } else { status }, "{why}");
    }
}

#[actix_web::test]
async fn by_address() {
    let server = server().await;
    let (id, secret) = server.client_with_secret().await;
    let right = basic(&id, &secret);
    let names: Vec<String> = (0..100).map(|n| format!("nobody{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (from, neighbour, elsewhere) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
    ] {
        assert_eq!(server.fail(from, &names, 1).await, [401; 100]);
        let refused = server.token_from(neighbour, &basic("new", "no"), GRANT).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{from}");
        assert_eq!(server.token_from(neighbour, &right, GRANT).await.status, 429, "{from}");
        assert_eq!(server.token_from(elsewhere, &right, GRANT).await.status, 200, "{elsewhere}");
    }
    let metrics = server.get("/-/metrics").await.text;
    let counted = "latchkey_authentication_throttled_total{limit=\"address\"} 4";
    assert!(metrics.contains(counted), "{metrics}");
}

/// Wrong initial access tokens are counted by address, and for nothing else than registrations.
#[actix_web::test]
async fn initial_access_tokens() {
    let server = Server::with(|settings| {
        settings.clients.throttle = Switch::On;
        settings.listen.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        settings.registration.mode = Some(RegistrationSetting::Token);
        settings.registration.initial_access_token = Some("right".to_owned().into());
    })
    .await;
    let ask = async |from: &str, token: &str| {
        let request = server.http.post(format!("{}/register", server.url)).bearer_auth(token);
        let request = request.header("x-forwarded-for", from);
        server.send(request.json(&json!({ "client_name": "svc" }))).await
    };
    for _ in 0..30 {
        assert_eq!(ask("192.0.2.1", "right").await.status, 201, "costs nothing");
    }
    let at_once = join_all((0..50).map(|n| ask("192.0.2.1", if n < 40 { "wrong" } else { "x" })));
    let statuses: Vec<u16> = at_once.await.iter().map(|reply| reply.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 40), "{statuses:?}");
    #[rustfmt::skip]
    let cases = [
        // why                            after  from           token    status  retry
        ("one too many",                  0,     "192.0.2.1",   "wrong", 429,    Some("6")),
        ("the right one from there",      0,     "192.0.2.1",   "right", 429,    Some("6")),
        ("the right one from elsewhere",  0,     "192.0.2.2",   "right", 201,    None),
        ("a wrong one from elsewhere",    0,     "192.0.2.3",   "wrong", 401,    None),
        ("a second before it is over",    5,     "192.0.2.1",   "right", 429,    Some("1")),
        ("when it is over",               1,     "192.0.2.1",   "right", 201,    None),
        ("that took nothing away",        0,     "192.0.2.1",   "wrong", 401,    None),
        ("but this did",                  0,     "192.0.2.1",   "right", 429,    Some("6")),
    ];
    for (why, after, from, token, status, retry) in cases {
        server.clock.advance(Duration::from_secs(after));
        let reply = ask(from, token).await;
        assert_eq!((reply.status, reply.header("retry-after")), (status, retry), "{why}");
        let error = (status == 429).then_some("temporarily_unavailable");
        assert_eq!(reply.error().filter(|_| status != 401), error, "{why}");
    }
    let (id, secret) = server.granted(json!({})).await;
    let right = basic(&id, &secret);
    assert_eq!(server.token_from("192.0.2.1", &right, GRANT).await.status, 200, "its own bucket");
}

#[actix_web::test]
async fn overall_concerns_only_addresses_that_failed() {
    let server = server().await;
    let (id, secret) = server.client_with_secret().await;
    let right = basic(&id, &secret);
    for address in 0..20 {
        let from = format!("198.51.100.{address}");
        let names = ["a", "b", "c", "d", "e"];
        assert_eq!(server.fail(&from, &names, 10).await, [401; 50], "{from}");
    }
    #[rustfmt::skip]
    let cases = [
        ("failed, and as a client that did not",   0,   "198.51.100.3", 429),
        ("has not failed",                         0,   "192.0.2.1",    200),
        ("failed, and one may fail again",         1,   "198.51.100.3", 200),
    ];
    for (why, after, from, status) in cases {
        server.clock.advance(Duration::from_secs(after));
        assert_eq!(server.token_from(from, &right, GRANT).await.status, status, "{why}");
    }
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("throttled_total{limit=\"overall\"} 1"), "{metrics}");
}

#[actix_web::test]
async fn a_header_alone_says_nothing_of_addresses() {
    let server = Server::with(|settings| settings.clients.throttle = Switch::On).await;
    let (id, secret) = server.client_with_secret().await;
    let right = basic(&id, &secret);
    let names: Vec<String> = (0..150).map(|n| format!("nobody{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let failed = server.fail("198.51.100.1", &names, 1).await;
    assert_eq!(failed, [401; 150], "who is behind it must not suffer for the others");
    assert_eq!(server.fail("198.51.100.2", &["svc"], 10).await, [401; 10]);
    for from in ["198.51.100.2", "198.51.100.3"] {
        let reply = server.token_from(from, &basic("svc", "no"), GRANT).await;
        assert_eq!(reply.status, 429, "an invented address is none: {from}");
        assert_eq!(server.token_from(from, &right, GRANT).await.status, 200);
    }
    let direct = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(direct.status, 200, "and the peer itself has not failed");
}

#[actix_web::test]
async fn one_body_for_all_of_them() {
    let server = server().await;
    let (id, _) = server.client_with_secret().await;
    server.fail("192.0.2.1", &[&id, "nobody"], 10).await;
    let known = server.token_from("192.0.2.1", &basic(&id, "no"), GRANT).await;
    let unknown = server.token_from("192.0.2.1", &basic("nobody", "no"), GRANT).await;
    assert_eq!((known.status, unknown.status), (429, 429));
    assert_eq!(known.text, unknown.text);
    assert_eq!(known.header("retry-after"), unknown.header("retry-after"));
    assert_eq!(known.header("cache-control"), Some("no-store"));
    assert_eq!(known.header("www-authenticate"), None);
}

#[actix_web::test]
async fn those_who_come_at_once_fail_no_oftener() {
    let server = server().await;
    let (id, secret) = server.client_with_secret().await;
    let wrong = format!("{secret}x");
    #[rustfmt::skip]
    let cases = [
        // why                                   from         credentials            200  401  429
        ("the right secret, never used before",  "192.0.2.1", basic(&id, &secret),   40,  0,   0),
        ("a wrong one",                          "192.0.2.2", basic(&id, &wrong),    0,   10,  30),
        ("a wrong one that needs a slow hash",   "192.0.2.3", basic(ADMIN.0, "no"),  0,   10,  30),
    ];
    for (why, from, credentials, good, failed, throttled) in cases {
        let attempts = (0..40).map(|_| server.token_from(from, &credentials, GRANT));
        let replies = join_all(attempts).await;
        let count = |status| replies.iter().filter(|reply| reply.status == status).count();
        assert_eq!((count(200), count(401), count(429)), (good, failed, throttled), "{why}");
    }
}

#[actix_web::test]
async fn it_can_be_switched_off() {
    let server = Server::with(|settings| settings.clients.throttle = Switch::Off).await;
    assert_eq!(server.fail("192.0.2.1", &["nobody"], 30).await, [401; 30]);
}

/// A store that is down.
struct Down;

#[async_trait]
impl ClientStore for Down {
    async fn find(&self, _: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Err(StoreError::new("refused"))
    }
}

#[async_trait]
impl AssertionStore for Down {
    async fn use_once(&self, _: &ClientId, _: [u8; 32], _: Timestamp) -> Result<bool, StoreError> {
        Err(StoreError::new("refused"))
    }
}

impl HashUpgrade for Down {
    fn upgrade(&self, _: &ClientId, _: &Credential<StoredSecret>, _: &ClientSecret) {}
}

#[async_trait]
impl News for Down {
    async fn next(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn staleness(&self) -> Duration {
        Duration::ZERO
    }
}

#[actix_web::test]
async fn what_goes_wrong_here_is_nobodys_failure() {
    let down = Arc::new(Down);
    let authenticator = Authenticator {
        clients: down.clone(),
        assertions: down.clone(),
        reader: Arc::new(StrictReader),
        remote_keys: Arc::new(RemoteKeySets::new(Vec::new())),
        news: down.clone(),
        upgrade: down,
        secrets: SecretChecks::new(SlowHashes::for_this_machine()).unwrap(),
        throttle: FailureThrottle::new(Some(FailureLimits::default())),
        revocations: Arc::new(Revocations::new(Duration::ZERO, Duration::ZERO)),
        pepper: Pepper::from([7; 32]),
        rules: AssertionRules {
            issuer: "i".to_owned(),
            token_endpoint: "t".to_owned(),
            legacy_audience_until: None,
            longest_life: Duration::from_secs(3600),
            skew: Duration::ZERO,
        },
    };
    let presented =
        Presented::Secret { client_id: "svc".to_owned(), secret: "x".to_owned().into() };
    let caller = CallerAddress { address: IpAddr::V4(Ipv4Addr::LOCALHOST), is_shared: false };
    for _ in 0..200 {
        let outcome = authenticator.authenticate(&presented, caller, Timestamp(1)).await;
        assert_eq!(outcome.unwrap_err().code(), ErrorCode::TemporarilyUnavailable);
    }
}
