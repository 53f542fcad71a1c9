//! RFC 9701: the answer of introspection as a signed JWT.

use latchkey::domain::clock::Clock;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::StrictReader;
use latchkey::oauth::ClientJwtReader;
use serde_json::json;

use crate::harness::{
    FORM, Reply, Server, basic, claims_of, client_key, jose_header_of, signing_key,
};

const TYPE: &str = "application/token-introspection+jwt";

async fn ask(server: &Server, caller: &(String, String), token: &str, accept: &[&str]) -> Reply {
    let mut request = server.http.post(format!("{}/oauth/introspect", server.url));
    request = request.header("authorization", basic(&caller.0, &caller.1));
    for line in accept {
        request = request.header("accept", *line);
    }
    server.send(request.header("content-type", FORM).body(format!("token={token}"))).await
}

async fn gateway(server: &Server) -> (String, String) {
    server.granted(json!({ "permissions": ["latchkey:introspect"] })).await
}

#[actix_web::test]
async fn s4_when_it_is_signed() {
    let server = Server::start().await;
    let gateway = gateway(&server).await;
    let token = server.token_of(&gateway).await;
    #[rustfmt::skip]
    let cases: [(&str, &[&str], bool); 14] = [
        ("nothing said",            &[],                                                            false),
        ("anything",                &["*/*"],                                                       false),
        ("JSON",                    &["application/json"],                                          false),
        ("signed",                  &[TYPE],                                                        true),
        ("in another case",         &["Application/Token-Introspection+JWT"],                       true),
        ("either",                  &["application/json, application/token-introspection+jwt"],     true),
        ("either, on two lines",    &["application/json", TYPE],                                    true),
        ("rather JSON",             &["application/token-introspection+jwt;q=0.5, application/json"], false),
        ("rather signed",           &["application/token-introspection+jwt, application/json;q=0.9"], true),
        ("signed, else anything",   &["application/token-introspection+jwt;q=0.9, */*;q=0.8"],      true),
        ("rather anything",         &["application/token-introspection+jwt;q=0.1, */*;q=0.8"],      false),
        ("JSON least of all",       &["application/token-introspection+jwt;q=0.5, */*, application/json;q=0.1"], true),
        ("signed never",            &["application/token-introspection+jwt;q=0"],                   false),
        ("neither",                 &["text/html"],                                                 false),
    ];
    for (why, accept, is_signed) in cases {
        let reply = ask(&server, &gateway, &token, accept).await;
        let expected = if is_signed { TYPE } else { "application/json" };
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(expected)), "{why}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    }
}

#[actix_web::test]
async fn s5_what_it_says() {
    let server = Server::start().await;
    let gateway = gateway(&server).await;
    let token = server.token_of(&server.client_with_secret().await).await;
    for (why, token, active) in [("good", &*token, true), ("garbage", "x", false)] {
        let plain = ask(&server, &gateway, token, &[]).await;
        assert_eq!(plain.body["active"], active, "{why}");
        let reply = ask(&server, &gateway, token, &[TYPE]).await;
        let header = jose_header_of(&reply.text);
        let public = signing_key().public();
        assert_eq!(header["typ"], "token-introspection+jwt", "{why}");
        assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!(public.kid)));
        assert!(StrictReader.verify(&reply.text, public).is_some(), "{why}: signed by us");
        let expected = json!({
            "iss": "http://issuer.test", "aud": gateway.0, "iat": server.clock.now(),
            "token_introspection": plain.body,
        });
        assert_eq!(claims_of(&reply.text), expected, "{why}: no sub and no exp: section 5");
    }
    let denied = server.client_with_secret().await;
    let denied = ask(&server, &denied, &token, &[TYPE]).await;
    assert_eq!(denied.header("content-type"), Some("application/json"), "a refusal is plain");
    assert_eq!((denied.status, denied.error()), (403, Some("insufficient_scope")));
}

/// RFC 9701 §8.1: it must not be taken for an access token, nor for anything else.
#[actix_web::test]
async fn s8_1_it_is_good_for_nothing_else() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let grants = json!({ "permissions": ["latchkey:introspect"] });
    let id = server.granted_with_key(key, grants).await;
    let gateway = gateway(&server).await;
    let token = server.token_of(&gateway).await;
    let answer = ask(&server, &gateway, &token, &[TYPE]).await.text;

    let reply = server.tokeninfo(&answer).await;
    assert_eq!((reply.status, reply.error()), (401, Some("invalid_token")));
    assert_eq!(ask(&server, &gateway, &answer, &[]).await.body, json!({ "active": false }));
    let request = server.http.post(format!("{}/oauth/introspect", server.url));
    let request = request.bearer_auth(&answer).header("content-type", FORM);
    assert_eq!(server.send(request.body(format!("token={token}"))).await.status, 401);
    assert_eq!(server.token_by(&answer, &format!("&client_id={id}")).await.status, 401);
    let caller = Some((gateway.0.as_str(), gateway.1.as_str()));
    let revoke = server.form("/oauth/revoke", caller, &format!("token={answer}")).await;
    assert_eq!(revoke.status, 200);
    assert!(server.app.health.revocations.is_empty());
    assert_eq!(server.tokeninfo(&token).await.status, 200);
}
