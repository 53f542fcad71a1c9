//! `/forward-auth`: the contract of nginx, Traefik, Caddy and HAProxy, clause by clause.

use latchkey::config::ForwardAuthSource;

use crate::gatehouse::{Gatehouse, Header};
use crate::harness::Reply;

const IDENTITY: [&str; 5] = ["x-client-id", "x-permissions", "x-scope", "x-audience", "x-token-id"];

const TOKEN: Header<'_> = ("authorization", "token");

/// Whether it is a yes or a no as every gateway reads it, with all that each has.
fn is_answer(reply: &Reply, status: u16, why: &str) {
    assert_eq!(reply.status, status, "{why}: {reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    let is_said = |name: &&str| reply.headers.contains_key(*name);
    if status == 200 {
        assert!(reply.text.is_empty() && IDENTITY.iter().all(is_said), "{why}: {reply:?}");
    } else {
        assert_eq!(reply.body["statusCode"], status, "{why}");
        assert!(!IDENTITY.iter().any(is_said), "{why}: {reply:?}");
    }
    assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{why}");
}

fn original<'a>(method: &'a str, uri: &'a str, more: &[Header<'a>]) -> Vec<Header<'a>> {
    let mut headers = vec![("x-original-method", method), ("x-original-uri", uri)];
    headers.extend(more);
    headers
}

fn forwarded<'a>(method: &'a str, uri: &'a str, more: &[Header<'a>]) -> Vec<Header<'a>> {
    let mut headers = vec![("x-forwarded-method", method), ("x-forwarded-uri", uri)];
    headers.extend(more);
    headers
}

#[actix_web::test]
async fn nginx_asks_with_x_original() {
    let gatehouse = Gatehouse::open(|_| ()).await;
    let expired = gatehouse.bearer.replace("Bearer ", "Bearer x");
    #[rustfmt::skip]
    let cases = [
        // why                            path                    headers                                                        status
        ("permission",                    "/forward-auth",        original("GET", "/orders?x=1", &[TOKEN]),                      200),
        ("any path below",                "/forward-auth/a/b",    original("GET", "/orders", &[TOKEN]),                          200),
        ("another permission",            "/forward-auth",        original("PUT", "/orders", &[TOKEN]),                          403),
        ("no token",                      "/forward-auth",        original("GET", "/orders", &[]),                               401),
        ("bad token",                     "/forward-auth",        original("GET", "/orders", &[("authorization", &expired)]),    401),
        ("public",                        "/forward-auth",        original("GET", "/open", &[]),                                 200),
        ("public, bad token",             "/forward-auth",        original("GET", "/open", &[("authorization", &expired)]),      200),
        ("public, false",                 "/forward-auth",        original("GET", "/key", &[]),                                  401),
        ("no rule for the path",          "/forward-auth",        original("GET", "/other", &[TOKEN]),                           401),
        ("no rule for the method",        "/forward-auth",        original("POST", "/orders", &[TOKEN]),                         401),
        ("path that is refused",          "/forward-auth",        original("GET", "/orders/%2e%2e%2f", &[TOKEN]),                403),
        ("two credentials",               "/forward-auth",        original("GET", "/open", &[TOKEN, TOKEN]),                     401),
        ("joined",                        "/forward-auth",        original("GET", "/open", &[("authorization", "token,token")]), 401),
        ("no URI",                        "/forward-auth/open",   vec![("x-original-method", "GET"), TOKEN],                     403),
        ("no method",                     "/forward-auth",        vec![("x-original-uri", "/open"), TOKEN],                      403),
        ("another family is no source",   "/forward-auth",        forwarded("GET", "/open", &[TOKEN]),                           403),
        ("another family agrees",         "/forward-auth",        original("GET", "/orders", &[("x-forwarded-uri", "/orders?a"), ("x-forwarded-method", "GET"), TOKEN]), 200),
        ("another family disagrees",      "/forward-auth",        original("GET", "/open", &[("x-forwarded-uri", "/orders"), TOKEN]), 403),
        ("Mia's disagrees",               "/forward-auth",        original("GET", "/open", &[("original-request-method", "PUT"), TOKEN]), 403),
        ("two URIs",                      "/forward-auth",        original("GET", "/open", &[("x-original-uri", "/open"), TOKEN]), 403),
        ("no policy from the query",      "/forward-auth?uri=/open&public=true", original("GET", "/orders", &[]),                401),
        ("the gateway is not believed",   "/forward-auth",        original("GET", "/key", &[("client-type", "bar")]),            401),
        ("nor about the back office",     "/forward-auth",        original("GET", "/office", &[("isbackoffice", "1")]),          401),
    ];
    let apart = Gatehouse::open(Gatehouse::apart).await;
    for (why, path, headers, status) in cases {
        is_answer(&gatehouse.ask("GET", path, &headers).await, status, why);
        is_answer(&apart.ask("POST", path, &headers).await, status, why);
    }
}

#[actix_web::test]
async fn traefik_and_caddy_ask_with_x_forwarded() {
    let gatehouse = Gatehouse::open(|settings| {
        settings.gateways.forward_auth_source = ForwardAuthSource::Forwarded;
    })
    .await;
    let by =
        [("x-forwarded-host", "a"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "::1")];
    let with = |more: &[Header<'static>]| [&by[..], more].concat();
    #[rustfmt::skip]
    let cases = [
        // why                                      path                          headers                                          status
        ("permission",                              "/forward-auth",              forwarded("GET", "/orders?x=1", &with(&[TOKEN])), 200),
        ("another permission",                      "/forward-auth",              forwarded("PUT", "/orders", &with(&[TOKEN])),    403),
        ("no token",                                "/forward-auth",              forwarded("GET", "/orders", &with(&[])),         401),
        ("Caddy: the query of its client is here",  "/forward-auth?uri=/open&x-forwarded-uri=/open", forwarded("GET", "/orders?uri=/open", &with(&[])), 401),
        ("no URI",                                  "/forward-auth",              vec![("x-forwarded-method", "GET"), TOKEN],      403),
        ("no method",                               "/forward-auth",              vec![("x-forwarded-uri", "/open"), TOKEN],       403),
        ("another family is no source",             "/forward-auth",              original("GET", "/open", &[TOKEN]),              403),
        ("another family disagrees",                "/forward-auth",              forwarded("GET", "/open", &[("x-original-uri", "/orders"), TOKEN]), 403),
        ("another method",                          "/forward-auth",              forwarded("GET", "/open", &[("x-original-method", "PUT"), TOKEN]), 403),
    ];
    for (why, path, headers, status) in cases {
        is_answer(&gatehouse.ask("GET", path, &headers).await, status, why);
    }
}

#[actix_web::test]
async fn who_asks_is_in_headers_that_are_safe_and_always_there() {
    let gatehouse = Gatehouse::open(|settings| {
        settings.gateways.answer_headers = vec!["X-Client-Id=X-Consumer".parse().unwrap()];
    })
    .await;
    let reply = gatehouse.ask("GET", "/forward-auth", &original("GET", "/orders", &[TOKEN])).await;
    let token = gatehouse.bearer.strip_prefix("Bearer ").unwrap();
    let jti = crate::harness::claims_of(token)["jti"].as_str().unwrap().to_owned();
    for (name, value) in [
        ("x-consumer", &*gatehouse.client_id),
        ("x-permissions", "read:x,a%2Cb,caf%C3%A9%20100%25"),
        ("x-scope", "read wr%2Cte"),
        ("x-audience", "api,w%2Cb"),
        ("x-token-id", &jti),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert!(!reply.headers.contains_key("x-client-id"), "it has another name");

    let anybody = gatehouse.ask("GET", "/forward-auth", &original("GET", "/open", &[])).await;
    for name in ["x-consumer", "x-permissions", "x-scope", "x-audience", "x-token-id"] {
        assert_eq!(anybody.header(name), Some(""), "{name}");
    }
}
