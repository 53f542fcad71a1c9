//! `/auth`: the contract of Mia-Platform's gateway and of Envoy's HTTP `ext_authz`, clause by clause.

use std::fs;
use std::time::{Duration, Instant};

use latchkey::config::{AuthSource, Config};
use latchkey::server;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::command_line::{Home, PATIENCE, register, token};
use crate::gatehouse::{Gatehouse, Header, POLICY};
use crate::harness::{Reply, Server, claims_of, settings};

const IDENTITY: [&str; 4] = ["mia-allowed", "mia-userid", "mia-groups", "mia-userproperties"];

/// What the answer says of who asks.
fn identity(reply: &Reply) -> [Option<&str>; 4] {
    IDENTITY.map(|name| reply.header(name))
}

const NOBODY: [Option<&str>; 4] = [Some("0"), Some(""), Some(""), Some("")];

/// Whether it is a yes or a no as every gateway reads it, with all that each has.
fn is_answer(reply: &Reply, status: u16, why: &str) {
    assert_eq!(reply.status, status, "{why}: {reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    if status == 200 {
        assert_eq!((reply.header("mia-allowed"), &*reply.text), (Some("1"), ""), "{why}");
        assert!(IDENTITY.iter().all(|name| reply.headers.contains_key(*name)), "{why}");
    } else {
        assert_eq!(identity(reply), NOBODY, "{why}");
        assert_eq!(reply.body["statusCode"], status, "{why}");
    }
    let challenge = reply.header("www-authenticate");
    assert_eq!(challenge.is_some_and(|it| it.starts_with("Bearer ")), status == 401, "{why}");
}

/// The headers of Mia-Platform's gateway.
fn mia<'a>(method: &'a str, uri: &'a str, more: &[Header<'a>]) -> Vec<Header<'a>> {
    let mut headers = vec![("original-request-method", method), ("original-request-uri", uri)];
    headers.extend(more);
    headers
}

const TOKEN: Header<'_> = ("authorization", "token");

#[actix_web::test]
async fn m_13_permission() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    #[rustfmt::skip]
    let cases = [
        // why                          path       original request                         status
        ("permission",                  "/auth/x", mia("GET", "/orders?x=1", &[TOKEN]),     200),
        ("the path itself",             "/auth",   mia("GET", "/orders?x=1", &[TOKEN]),     200),
        ("below the path",              "/auth",   mia("GET", "/orders/7/lines", &[TOKEN]), 200),
        ("another permission",          "/auth",   mia("PUT", "/orders", &[TOKEN]),         403),
        ("no token",                    "/auth",   mia("GET", "/orders", &[]),              401),
        ("begins alike",                "/auth",   mia("GET", "/orders-x", &[TOKEN]),       401),
        ("no rule for the path",        "/auth",   mia("GET", "/other", &[TOKEN]),          401),
        ("no rule for the method",      "/auth",   mia("DELETE", "/orders", &[TOKEN]),      401),
        ("method in small letters",     "/auth",   mia("get", "/orders", &[TOKEN]),         401),
        ("public",                      "/auth",   mia("GET", "/open", &[]),                200),
        ("public, false for anybody",   "/auth",   mia("GET", "/key", &[]),                 401),
        ("public, false for a client",  "/auth",   mia("GET", "/key", &[TOKEN]),            403),
        ("path that is refused",        "/auth",   mia("GET", "/orders/..;/", &[TOKEN]),    403),
        ("the query is no path",        "/auth?Original-Request-Uri=/open", mia("GET", "/orders", &[]), 401),
        ("the query is no policy",      "/auth?public=true&expression=true", mia("GET", "/orders", &[]), 401),
        ("a call is not its path",      "/auth/open", mia("GET", "/orders", &[]),           401),
    ];
    for (why, path, headers, status) in cases {
        is_answer(&gatehouse.ask("GET", path, &headers).await, status, why);
    }
    let yes = gatehouse.ask("GET", "/auth", &mia("GET", "/orders", &[TOKEN])).await;
    let groups = Some("admin,a%2Cb");
    assert_eq!(identity(&yes), [Some("1"), Some(&*gatehouse.client_id), groups, Some("")]);
    let anybody = gatehouse.ask("GET", "/auth", &mia("GET", "/open", &[])).await;
    assert_eq!(identity(&anybody), [Some("1"), Some(""), Some(""), Some("")]);
    for path in ["/authx", "/auth-x", "/au", "/Auth"] {
        let reply = gatehouse.ask("GET", path, &mia("GET", "/open", &[])).await;
        assert_eq!(reply.status, 404, "{path}");
    }
}

/// Always 200, and `mia-allowed` says it; but for trouble on our side.
#[actix_web::test]
async fn m_13_not_strict() {
    let gatehouse = Gatehouse::open(|settings| {
        Gatehouse::apart(settings);
        settings.gateways.auth_strict = false;
    })
    .await;
    for (why, headers, allowed) in [
        ("permission", mia("GET", "/orders", &[TOKEN]), "1"),
        ("another permission", mia("PUT", "/orders", &[TOKEN]), "0"),
        ("no token", mia("GET", "/orders", &[]), "0"),
        ("no rule", mia("GET", "/other", &[TOKEN]), "0"),
        ("two credentials", mia("GET", "/open", &[TOKEN, TOKEN]), "0"),
        ("nothing to ask about", vec![TOKEN], "0"),
    ] {
        let reply = gatehouse.ask("GET", "/auth", &headers).await;
        assert_eq!((reply.status, reply.header("mia-allowed")), (200, Some(allowed)), "{why}");
        assert_eq!(reply.header("mia-userid").unwrap().is_empty(), allowed == "0", "{why}");
        assert_eq!((&*reply.text, reply.header("cache-control")), ("", Some("no-store")), "{why}");
    }
    // The other route is strict all the same.
    let headers = [("x-original-uri", "/orders"), ("x-original-method", "GET")];
    assert_eq!(gatehouse.ask("GET", "/forward-auth", &headers).await.status, 401);
}

#[actix_web::test]
async fn the_gateway_is_believed_about_its_clients_on_a_listener_of_its_own_alone() {
    #[rustfmt::skip]
    let cases = [
        // why                     headers                                                            apart  shared
        ("kind of client",         mia("GET", "/key", &[("client-type", "bar")]),                     200,   401),
        ("another kind",           mia("GET", "/key", &[("client-type", "ba")]),                      401,   401),
        ("no kind",                mia("GET", "/key", &[("client-type", "")]),                        401,   401),
        ("two kinds",              mia("GET", "/key", &[("client-type", "bar"), ("client-type", "x")]), 403, 401),
        ("back office",            mia("GET", "/office", &[("isbackoffice", "1")]),                   200,   401),
        ("back office, in words",  mia("GET", "/office", &[("isbackoffice", "true")]),                200,   401),
        ("not back office",        mia("GET", "/office", &[("isbackoffice", "0")]),                   401,   401),
        ("nor so",                 mia("GET", "/office", &[("isbackoffice", "false")]),               401,   401),
        ("nor so, empty",          mia("GET", "/office", &[("isbackoffice", "")]),                    401,   401),
        ("neither",                mia("GET", "/office", &[("isbackoffice", "perhaps")]),             403,   401),
    ];
    let apart = Gatehouse::open(Gatehouse::apart).await;
    let shared = Gatehouse::open(|_| ()).await;
    let by_path = Gatehouse::open(|settings| {
        Gatehouse::apart(settings);
        settings.gateways.auth_source = AuthSource::Path;
    })
    .await;
    for (why, headers, status, status_shared) in cases {
        is_answer(&apart.ask("GET", "/auth", &headers).await, status, why);
        is_answer(&shared.ask("GET", "/auth", &headers).await, status_shared, why);
        let path = headers.iter().find(|(name, _)| *name == "original-request-uri").unwrap().1;
        let reply = by_path.ask("GET", &format!("/auth{path}"), &headers).await;
        is_answer(&reply, 401, why);
    }
    let renamed = Gatehouse::open(|settings| {
        Gatehouse::apart(settings);
        settings.gateways.client_type_header = "X-Kind".parse().unwrap();
        settings.gateways.backoffice_header = "X-Office".parse().unwrap();
    })
    .await;
    for (headers, status) in [
        (mia("GET", "/key", &[("x-kind", "bar")]), 200),
        (mia("GET", "/key", &[("client-type", "bar")]), 401),
        (mia("GET", "/office", &[("x-office", "1")]), 200),
        (mia("GET", "/office", &[("isbackoffice", "1")]), 401),
    ] {
        is_answer(&renamed.ask("GET", "/auth", &headers).await, status, "renamed");
    }
}

/// Envoy sends the method of its client, and what its client asked for behind its prefix.
#[actix_web::test]
async fn envoy_the_call_itself_is_the_original_request() {
    let gatehouse =
        Gatehouse::open(|settings| settings.gateways.auth_source = AuthSource::Path).await;
    #[rustfmt::skip]
    let cases = [
        // why                                    line                                 more                                    status
        ("permission",                            "GET /auth/orders?x=1",              "",                                     200),
        ("another permission",                    "PUT /auth/orders",                  "",                                     403),
        ("HEAD is not GET",                       "HEAD /auth/orders",                 "",                                     401),
        ("OPTIONS",                               "OPTIONS /auth/open",                "",                                     200),
        ("a method that no rule can name",        "PROPFIND /auth/open",               "",                                     401),
        ("TRACE",                                 "TRACE /auth/open",                  "",                                     401),
        ("the prefix alone is the root",          "GET /auth",                         "",                                     401),
        ("a path like the prefix",                "GET /auth/auth/orders",             "",                                     401),
        ("a path of ours is asked about",         "GET /auth/.well-known/jwks.json",   "",                                     401),
        ("another one",                           "GET /auth/-/healthz",               "",                                     401),
        ("not decoded",                           "GET /auth/orders%2F7",              "",                                     401),
        ("decoded once, by the policy",           "GET /auth/%6frders",                "",                                     200),
        ("encoded twice",                         "GET /auth/%256frders",              "",                                     403),
        ("dots",                                  "GET /auth/open/../orders",          "",                                     200),
        ("dots do not leave the prefix",          "GET /auth/../open",                 "",                                     200),
        ("encoded dots",                          "GET /auth/%2e%2e/open",             "",                                     200),
        ("duplicate slashes",                     "GET /auth//orders",                 "",                                     200),
        ("encoded line break",                    "GET /auth/orders%0a",               "",                                     403),
        ("encoded NUL",                           "GET /auth/orders%00",               "",                                     403),
        ("not UTF-8",                             "GET /auth/orders/%ff",              "",                                     403),
        ("backslash",                             "GET /auth/orders%5c",               "",                                     403),
        ("encoded space",                         "GET /auth/a%20b",                   "",                                     200),
        ("the prefix, encoded",                   "GET /%61uth/orders",                "",                                     403),
        ("absolute form",                         "GET http://any/auth/orders",        "",                                     200),
        ("headers that agree",                    "GET /auth/orders?a",                "x-forwarded-uri: /orders?b\r\nx-forwarded-method: GET\r\n", 200),
        ("another path",                          "GET /auth/orders",                  "x-forwarded-uri: /open\r\n",           403),
        ("another method",                        "GET /auth/orders",                  "original-request-method: POST\r\n",    403),
        ("a preflight is a request as any",       "OPTIONS /auth/orders",              "origin: https://app.example\r\naccess-control-request-method: GET\r\n", 401),
    ];
    for (why, line, more, status) in cases {
        let mut connection = gatehouse.connect().await;
        let bearer = &gatehouse.bearer;
        let call = format!("{line} HTTP/1.1\r\nhost: any\r\nauthorization: {bearer}\r\n{more}\r\n");
        connection.send(&call).await;
        let answer = connection.answer().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{why}: {answer}");
        let allowed = format!("mia-allowed: {}\r\n", u8::from(status == 200));
        assert!(answer.contains(&allowed), "{why}: {answer}");
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_by_the_policy_and_not_by_cors() {
    let gatehouse = Gatehouse::open(|settings| {
        settings.gateways.auth_source = AuthSource::Path;
        settings.listen.cors_origins = vec!["*".to_owned()];
    })
    .await;
    let headers = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    for (path, status) in [("/auth/orders", 401), ("/auth/open", 200)] {
        let reply = gatehouse.ask("OPTIONS", path, &headers).await;
        is_answer(&reply, status, path);
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[actix_web::test]
async fn one_source_and_the_others_agree() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    #[rustfmt::skip]
    let cases = [
        // why                              headers                                                                    status
        ("no URI",                          vec![("original-request-method", "GET"), TOKEN],                           403),
        ("no method",                       vec![("original-request-uri", "/orders"), TOKEN],                          403),
        ("nothing",                         vec![TOKEN],                                                               403),
        ("another family is no source",     vec![("x-original-uri", "/open"), ("x-original-method", "GET"), TOKEN],    403),
        ("nor is this",                     vec![("x-forwarded-uri", "/open"), ("x-forwarded-method", "GET"), TOKEN],  403),
        ("empty URI",                       mia("GET", "", &[TOKEN]),                                                  403),
        ("empty method",                    mia("", "/orders", &[TOKEN]),                                              403),
        ("absolute URI",                    mia("GET", "http://any/orders", &[TOKEN]),                                 403),
        ("asterisk",                        mia("OPTIONS", "*", &[TOKEN]),                                             403),
        ("fragment",                        mia("GET", "/orders#a", &[TOKEN]),                                         403),
        ("not ASCII",                       mia("GET", "/orders/\u{e9}", &[TOKEN]),                                    200),
        ("two URIs",                        mia("GET", "/orders", &[("original-request-uri", "/orders"), TOKEN]),      403),
        ("two methods",                     mia("GET", "/orders", &[("original-request-method", "GET"), TOKEN]),       403),
        ("another family agrees",           mia("GET", "/orders?a", &[("x-original-uri", "/orders?b"), ("x-original-method", "GET"), TOKEN]), 200),
        ("half of one agrees",              mia("GET", "/orders", &[("x-forwarded-uri", "/orders"), TOKEN]),           200),
        ("another path",                    mia("GET", "/orders", &[("x-original-uri", "/open"), TOKEN]),              403),
        ("another path, forwarded",         mia("GET", "/open", &[("x-forwarded-uri", "/orders"), TOKEN]),             403),
        ("another method",                  mia("GET", "/orders", &[("x-forwarded-method", "PUT"), TOKEN]),            403),
        ("methods are compared exactly",    mia("GET", "/orders", &[("x-forwarded-method", "get"), TOKEN]),            403),
        ("paths are compared as sent",      mia("GET", "/orders", &[("x-original-uri", "/%6frders"), TOKEN]),          403),
        ("a slash at the end differs",      mia("GET", "/orders", &[("x-original-uri", "/orders/"), TOKEN]),           403),
        ("an empty one says nothing else",  mia("GET", "/orders", &[("x-original-uri", ""), TOKEN]),                   403),
        ("two of another family",           mia("GET", "/orders", &[("x-original-uri", "/orders"), ("x-original-uri", "/orders"), TOKEN]), 403),
        ("other headers of proxies",        mia("GET", "/orders", &[("x-forwarded-for", "::1"), ("x-forwarded-host", "a"), ("x-forwarded-proto", "https"), TOKEN]), 200),
    ];
    for (why, headers, status) in cases {
        is_answer(&gatehouse.ask("GET", "/auth", &headers).await, status, why);
    }
    let mut not_utf8 = gatehouse.server.http.get(format!("{}/auth", gatehouse.url));
    not_utf8 = not_utf8.header("original-request-method", "GET");
    let value = HeaderValue::from_bytes(b"/open/\xff").unwrap();
    let reply = gatehouse.server.send(not_utf8.header("original-request-uri", value)).await;
    is_answer(&reply, 403, "not UTF-8");
}

#[actix_web::test]
async fn two_credentials_are_refused_and_a_cookie_is_none() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    let expired = gatehouse.bearer.replace("Bearer ", "Bearer x");
    #[rustfmt::skip]
    let cases = [
        // why                                  URI                      headers                                               status
        ("a cookie beside it",                  "/orders",               &[TOKEN, ("cookie", "session=1; access_token=x")][..], 200),
        ("a cookie alone",                      "/orders",               &[("cookie", "Authorization=token")],                 401),
        ("two headers",                         "/orders",               &[TOKEN, TOKEN],                                      401),
        ("two headers on a public rule",        "/open",                 &[TOKEN, TOKEN],                                      401),
        ("Basic and Bearer",                    "/open",                 &[("authorization", "Basic YTpi"), TOKEN],            401),
        ("joined",                              "/orders",               &[("authorization", "token,token")],                  401),
        ("joined with a space",                 "/open",                 &[("authorization", "token, Basic YTpi")],            401),
        ("joined, other order",                 "/open",                 &[("authorization", "Basic YTpi,token")],             401),
        ("bad token",                           "/orders",               &[("authorization", &*expired)],                      401),
        ("bad token on a public rule is none",  "/open",                 &[("authorization", &*expired)],                      200),
        ("Basic is none",                       "/open",                 &[("authorization", "Basic YTpi")],                   200),
        ("in the original query",               "/orders?access_token=", &[],                                                  401),
        ("the original query says nothing",     "/orders?access_token=x", &[TOKEN],                                            200),
        ("another header of credentials",       "/orders",               &[("proxy-authorization", "token")],                  401),
    ];
    for (why, uri, headers, status) in cases {
        let token = gatehouse.bearer.strip_prefix("Bearer ").unwrap();
        let uri = uri.replace("access_token=", &format!("access_token={token}"));
        let reply = gatehouse.ask("GET", "/auth", &mia("GET", &uri, headers)).await;
        is_answer(&reply, status, why);
        assert!(!reply.text.contains(token), "{why}");
    }
    let in_query = format!("/auth?access_token={}", gatehouse.bearer.replace("Bearer ", ""));
    is_answer(&gatehouse.ask("GET", &in_query, &mia("GET", "/orders", &[])).await, 401, "query");

    let challenges = [
        ("no token", mia("GET", "/orders", &[]), false),
        ("a bad one", mia("GET", "/orders", &[("authorization", "Bearer x")]), true),
        ("two", mia("GET", "/orders", &[TOKEN, TOKEN]), true),
        ("a good one, without a rule", mia("GET", "/other", &[TOKEN]), false),
    ];
    for (why, headers, is_named) in challenges {
        let reply = gatehouse.ask("GET", "/auth", &headers).await;
        let challenge = reply.header("www-authenticate").unwrap();
        assert_eq!(challenge.contains(r#"error="invalid_token""#), is_named, "{why}: {challenge}");
    }
}

/// Any method, any body, and the next call on the same connection is answered.
#[actix_web::test]
async fn every_call_is_answered_alike_and_its_body_is_not_looked_at() {
    let gatehouse = Gatehouse::open(|settings| settings.listen.body_limit = 1024).await;
    let long = "x".repeat(100_000);
    let sized = format!("content-length: {}\r\n\r\n{long}", long.len());
    let chunked =
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    #[rustfmt::skip]
    let cases = [
        ("GET",      "\r\n"),
        ("HEAD",     "\r\n"),
        ("POST",     "content-length: 5\r\n\r\nhello"),
        ("PUT",      "content-type: application/json\r\ncontent-length: 1\r\n\r\n{"),
        ("PATCH",    "expect: 100-continue\r\ncontent-length: 2\r\n\r\nab"),
        ("DELETE",   "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        ("POST",     &*sized),
        ("GET",      &*sized),
        ("POST",     &*chunked),
        ("OPTIONS",  "\r\n"),
        ("PROPFIND", "\r\n"),
        ("TRACE",    "\r\n"),
        ("X-ANY",    "\r\n"),
    ];
    for (method, rest) in cases {
        let why = format!("{method} {}", &rest[..rest.len().min(40)]);
        let mut connection = gatehouse.connect().await;
        let head = format!(
            "{method} /auth HTTP/1.1\r\nhost: any\r\noriginal-request-uri: /orders\r\n\
             original-request-method: GET\r\nauthorization: {}\r\n",
            gatehouse.bearer
        );
        for _ in 0..2 {
            connection.send(&format!("{head}{rest}")).await;
            let mut answer = connection.answer().await;
            if let Some((interim, rest)) = answer.split_once("\r\n\r\n")
                && interim == "HTTP/1.1 100 Continue"
            {
                answer = rest.to_owned();
                if answer.is_empty() {
                    answer = connection.answer().await;
                }
            }
            assert!(answer.starts_with("HTTP/1.1 200 "), "{why}: {answer}");
            assert!(answer.contains("mia-allowed: 1\r\n"), "{why}: {answer}");
        }
    }
}

/// A gateway may leave a body out and its length in; a connection that was to be switched is not.
#[actix_web::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    for (method, more) in [
        ("POST", "content-length: 5\r\n"),
        ("POST", "transfer-encoding: chunked\r\n"),
        ("GET", "connection: upgrade\r\nupgrade: websocket\r\n"),
        ("GET", "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 5\r\n"),
        ("CONNECT", ""),
    ] {
        let mut connection = gatehouse.connect().await;
        let started = Instant::now();
        let call = format!(
            "{method} /auth HTTP/1.1\r\nhost: any\r\noriginal-request-uri: /open\r\n\
             original-request-method: GET\r\n{more}\r\n"
        );
        connection.send(&call).await;
        let answer = connection.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{method} {more}: {answer}");
        assert!(started.elapsed() < Duration::from_secs(10), "{more}");
    }
}

#[actix_web::test]
async fn a_new_policy_is_in_force_at_once() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    let (old, new) = (mia("GET", "/orders", &[TOKEN]), mia("GET", "/new", &[]));
    let ask = async |headers: &[Header<'_>]| gatehouse.ask("GET", "/auth", headers).await.status;
    assert_eq!((ask(&old).await, ask(&new).await), (200, 401));
    let reload = |text: &str| {
        fs::write(gatehouse.policy_file(), text).unwrap();
        let file = gatehouse.server.app.gatekeeper.policy.as_ref().unwrap();
        file.look();
        file.look();
    };
    reload(&POLICY.replace("/orders", "/new").replace("\"public\": false", "\"public\": true"));
    assert_eq!((ask(&old).await, ask(&new).await), (401, 401));
    reload(&POLICY.replace("/open", "/new"));
    assert_eq!((ask(&old).await, ask(&new).await), (200, 200));
    reload("{");
    assert_eq!((ask(&old).await, ask(&new).await), (200, 200), "a bad one changes nothing");
}

#[actix_web::test]
async fn without_a_policy_nothing_passes() {
    let server = Server::start().await;
    let bearer = server.admin_token().await;
    for (why, request, status) in [
        ("a good token", server.http.get(format!("{}/auth", server.url)).bearer_auth(&bearer), 403),
        ("none", server.http.get(format!("{}/auth", server.url)), 403),
    ] {
        let request = request.header("original-request-uri", "/open");
        let reply = server.send(request.header("original-request-method", "GET")).await;
        is_answer(&reply, status, why);
        assert_eq!(reply.error(), Some("access_denied"), "{why}");
    }
}

#[actix_web::test]
async fn while_the_server_starts_nothing_passes() {
    let settings = settings();
    let bound = server::bind(&settings).unwrap();
    let address = bound.address().unwrap();
    let config = Config::of(settings, address.port()).unwrap();
    let _listening = server::serve(bound, &config).unwrap(); // and not put together
    let http = reqwest::Client::new();
    for path in ["/auth", "/auth/open", "/forward-auth"] {
        let request = http.get(format!("http://{address}{path}"));
        let reply = request.header("original-request-uri", "/open").send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 503, "{path}");
        let said = |name: &str| reply.headers().get(name).and_then(|it| it.to_str().ok());
        assert_eq!(said("cache-control"), Some("no-store"), "{path}");
        assert_eq!(said("retry-after"), Some("1"), "{path}");
        assert_eq!(said("mia-allowed"), path.starts_with("/auth").then_some("0"), "{path}");
    }
}

/// A no is a line in the log: why, by which rule, of whom. No token, and nothing of the query.
#[actix_web::test]
async fn a_denial_is_in_the_log_with_its_reason() {
    let home = Home::new();
    fs::write(home.path("policy.json"), POLICY).unwrap();
    let server = home.serve(&["--algorithm=EdDSA", "--policy-file=policy.json"]);
    let (id, secret) = register(&server).await;
    let token = token(&home, &server, (&id, &secret)).text().to_owned();
    let http = reqwest::Client::new();
    let ask = async |headers: &[Header<'_>], status: u16| {
        let mut request = http.get(format!("{}/auth?sent=tothecall", server.url));
        request = request.header("x-request-id", "of-the-gateway");
        for (name, value) in headers {
            request = request.header(*name, value.replace("token", &format!("Bearer {token}")));
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    };
    ask(&mia("GET", "/orders/7?sent=totheprogram", &[TOKEN]), 403).await;
    ask(&mia("GET", "/orders", &[("authorization", "token.x")]), 401).await;
    ask(&mia("GET", "/orders", &[("x-original-uri", "/open"), TOKEN]), 403).await;
    ask(&mia("GET", "/open", &[]), 200).await;

    let began = Instant::now();
    let mut lines: Vec<String> = Vec::new();
    let denied = |lines: &[String]| -> Vec<Value> {
        let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["message"] == "denied").collect()
    };
    while denied(&lines).len() < 3 {
        assert!(began.elapsed() < PATIENCE, "{lines:?}");
        lines.extend(server.log.try_iter());
    }
    let expected = [
        json!({ "reason": "the expression is false", "rule": "/orders", "method": "GET", "client_id": id }),
        json!({ "rule": "/orders", "method": "GET", "client_id": null }),
        json!({ "header": "x-original-uri", "client_id": null, "rule": null }),
    ]
    .map(|mut expected| {
        expected["address"] = "127.0.0.1".into();
        expected["request_id"] = "of-the-gateway".into();
        expected
    });
    for (event, expected) in denied(&lines).iter().zip(expected) {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(event.get(name).unwrap_or(&Value::Null), value, "{name}: {event}");
        }
    }
    let log = lines.concat();
    assert!(!log.contains(&token) && !log.contains("tothe"), "{log}");
}

#[actix_web::test]
async fn a_token_that_ended_is_refused() {
    let gatehouse =
        Gatehouse::open(|settings| settings.tokens.lifetime = Duration::from_secs(60)).await;
    let orders = mia("GET", "/orders", &[TOKEN]);
    is_answer(&gatehouse.ask("GET", "/auth", &orders).await, 200, "alive");
    let token = gatehouse.bearer.strip_prefix("Bearer ").unwrap();
    let revoke = json!({ "jti": claims_of(token)["jti"] });
    let (path, server) = ("/revocations", &gatehouse.server);
    assert_eq!(server.admin_post(path, &revoke).await.status, 200);
    is_answer(&gatehouse.ask("GET", "/auth", &orders).await, 401, "revoked");

    let gatehouse =
        Gatehouse::open(|settings| settings.tokens.lifetime = Duration::from_secs(60)).await;
    gatehouse.server.clock.advance(Duration::from_mins(1));
    is_answer(&gatehouse.ask("GET", "/auth", &orders).await, 401, "expired");
}

#[actix_web::test]
async fn headers_have_the_names_and_properties_that_are_configured() {
    let gatehouse = Gatehouse::open(|settings| {
        settings.gateways.answer_headers =
            ["mia-userid=MiaUserId", "mia-allowed=x-ok"].map(|pair| pair.parse().unwrap()).into();
        settings.gateways.user_properties =
            ["permissions", "tenant", "epoch"].map(str::to_owned).into();
    })
    .await;
    let reply = gatehouse.ask("GET", "/auth", &mia("GET", "/orders", &[TOKEN])).await;
    assert_eq!(reply.header("miauserid"), Some(&*gatehouse.client_id));
    assert_eq!(
        (reply.header("x-ok"), reply.header("mia-groups")),
        (Some("1"), Some("admin,a%2Cb"))
    );
    assert!(
        !reply.headers.contains_key("mia-userid") && !reply.headers.contains_key("mia-allowed")
    );
    let properties = reply.header("mia-userproperties").unwrap();
    assert!(properties.is_ascii());
    let properties: Value = serde_json::from_str(properties).unwrap();
    assert_eq!(properties["permissions"], json!(["read:x", "a,b", "caf\u{e9} 100%"]));
    assert_eq!(properties.as_object().unwrap().len(), 2, "what the token has of them");
    let no = gatehouse.ask("GET", "/auth", &mia("PUT", "/orders", &[TOKEN])).await;
    let said =
        ["x-ok", "miauserid", "mia-groups", "mia-userproperties"].map(|name| no.header(name));
    assert_eq!(said, NOBODY);
}

#[actix_web::test]
async fn a_listener_of_their_own_and_a_prefix() {
    let gatehouse = Gatehouse::open(|settings| {
        Gatehouse::apart(settings);
        settings.listen.service_prefix = "/cc".to_owned();
        settings.gateways.auth_source = AuthSource::Path;
    })
    .await;
    let server = &gatehouse.server;
    for (why, url, path, status) in [
        ("under the prefix", &gatehouse.url, "/cc/auth/open", 200),
        ("the other route", &gatehouse.url, "/cc/forward-auth", 403),
        ("not at the root", &gatehouse.url, "/auth/open", 404),
        ("status there too", &gatehouse.url, "/-/healthz", 200),
        ("nothing else there", &gatehouse.url, "/cc/tokeninfo", 404),
        ("no administrators there", &gatehouse.url, "/cc/clients", 404),
        ("no metrics there", &gatehouse.url, "/-/metrics", 404),
        ("no key set there", &gatehouse.url, "/.well-known/jwks.json", 404),
        ("not on the main listener", &server.url, "/cc/auth/open", 404),
        ("nor the other", &server.url, "/cc/forward-auth", 404),
        ("which has the rest", &server.url, "/cc/tokeninfo", 401),
        ("and the documentation", &server.url, "/documentation/", 200),
    ] {
        let reply = server.send(server.http.get(format!("{url}{path}"))).await;
        assert_eq!(reply.status, status, "{why}");
    }
}

/// What answers below `/auth` is the policy, whatever the issuer's path is.
#[actix_web::test]
async fn no_other_route_answers_below_it() {
    let gatehouse = Gatehouse::open(|settings| {
        settings.gateways.auth_source = AuthSource::Path;
        settings.identity.issuer = Some("http://issuer.test/auth".to_owned());
    })
    .await;
    for path in ["/auth/.well-known/jwks.json", "/auth/.well-known/openid-configuration"] {
        is_answer(&gatehouse.ask("GET", path, &[]).await, 401, path);
    }
}

#[actix_web::test]
async fn answers_are_counted_by_reason() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    for headers in [
        mia("GET", "/orders", &[TOKEN]),
        mia("GET", "/orders", &[TOKEN]),
        mia("PUT", "/orders", &[TOKEN]),
        mia("GET", "/orders", &[]),
        mia("GET", "/orders", &[TOKEN, TOKEN]),
        vec![TOKEN],
    ] {
        gatehouse.ask("GET", "/auth", &headers).await;
    }
    let metrics = gatehouse.server.get("/-/metrics").await.text;
    for (answer, reason, count) in [
        ("yes", "permitted", 2),
        ("forbidden", "not_permitted", 1),
        ("unauthorized", "login_required", 1),
        ("unauthorized", "two_credentials", 1),
        ("forbidden", "unclear_request", 1),
    ] {
        let labels = format!("answer=\"{answer}\",reason=\"{reason}\"");
        let line = format!("latchkey_gateway_decisions_total{{{labels}}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}
