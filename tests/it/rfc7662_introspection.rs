//! RFC 7662: what a token is worth, asked by those who may know it of others.

use std::time::Duration;

use latchkey::domain::jwk::Algorithm;
use serde_json::{Value, json};

use crate::harness::{ADMIN, FORM, GRANT, Reply, Server, client_key, header_of, signed};

const INTROSPECT: &str = "/oauth/introspect";

fn dead() -> Value {
    json!({ "active": false })
}

async fn ask(server: &Server, (id, secret): &(String, String), token: &str) -> Reply {
    server.form(INTROSPECT, Some((id, secret)), &format!("token={token}")).await
}

async fn ask_as_bearer(server: &Server, bearer: &str, form: &str) -> Reply {
    let request = server.http.post(format!("{}{INTROSPECT}", server.url)).bearer_auth(bearer);
    server.send(request.header("content-type", FORM).body(form.to_owned())).await
}

async fn gateway(server: &Server) -> (String, String) {
    server.granted(json!({ "permissions": ["latchkey:introspect"] })).await
}

#[actix_web::test]
async fn s2_2_a_good_token() {
    let server = Server::start().await;
    let gateway = gateway(&server).await;
    let key = client_key(Algorithm::ES256);
    let grants = json!({
        "permissions": ["read:orders"], "scope": "orders", "audience": ["orders"],
        "allowedCustomClaims": ["tenant"],
    });
    let id = server.granted_with_key(key, grants).await;
    let mut claims = server.assertion_claims(&id);
    claims["tenant"] = "acme".into();
    let assertion = signed(&header_of(key), &claims, key);
    let token = server.token_by(&assertion, "").await.text_of("access_token");
    let told = server.tokeninfo(&token).await.body;

    let reply = ask(&server, &gateway, &token).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let expected = json!({
        "active": true, "client_id": id, "sub": id, "iss": "http://issuer.test",
        "aud": ["orders"], "scope": "orders", "permissions": ["read:orders"],
        "exp": told["exp"], "iat": told["iat"], "jti": told["jti"],
        "token_type": "Bearer", "tenant": "acme",
    });
    assert_eq!(reply.body, expected, "these and no others");

    for hint in ["access_token", "refresh_token", "bogus", ""] {
        let form = format!("token={token}&token_type_hint={hint}");
        let hinted = server.form(INTROSPECT, Some((&gateway.0, &gateway.1)), &form).await;
        assert_eq!(hinted.body, expected, "the hint `{hint}` changes nothing");
    }
    let plain = server.client_with_secret().await;
    let plain = ask(&server, &gateway, &server.token_of(&plain).await).await.body;
    assert_eq!(plain["permissions"], json!([]));
    assert!(plain.get("scope").is_none() && plain.get("aud").is_none(), "{plain}");
}

#[actix_web::test]
async fn s2_2_anything_else_is_not_active() {
    let server = Server::start().await;
    let gateway = gateway(&server).await;
    let client = server.client_with_secret().await;
    let expired = server.token_of(&client).await;
    server.clock.advance(Duration::from_secs(36_000));
    server.app.feed.look().await.unwrap(); // its key is promised anew
    let revoked = server.token_of(&client).await;
    let caller = Some((client.0.as_str(), client.1.as_str()));
    server.form("/oauth/revoke", caller, &format!("token={revoked}")).await;
    let good = server.token_of(&client).await;
    let cut = &good[..good.len() - 4];
    let assertion = server.assertion(&client.0, client_key(Algorithm::ES256));
    for (why, token) in [
        ("garbage", "x"),
        ("cut off", cut),
        ("expired", &expired),
        ("revoked", &revoked),
        ("an assertion", &assertion),
        ("another server's", "eyJhbGciOiJSUzI1NiIsImtpZCI6IngiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA"),
    ] {
        let reply = ask(&server, &gateway, token).await;
        assert_eq!((reply.status, reply.body), (200, dead()), "{why}");
    }
    assert_eq!(ask(&server, &gateway, &good).await.body["active"], true);
}

#[actix_web::test]
async fn s2_1_who_may_ask() {
    let server = Server::start().await;
    let (admin, gateway) = ((ADMIN.0.to_owned(), ADMIN.1.to_owned()), gateway(&server).await);
    let (client, other) = (server.client_with_secret().await, server.client_with_secret().await);
    let off = server
        .granted(json!({ "permissions": ["latchkey:introspect"], "__STATE__": "DRAFT" }))
        .await;
    let token = server.token_of(&client).await;
    let wrong = (gateway.0.clone(), "wrong".to_owned());
    let not_permitted = Some("insufficient_scope");
    #[rustfmt::skip]
    let cases = [
        // why                             caller    token    status  error
        ("the permission",                 &gateway, &*token, 200, None),
        ("an administrator",               &admin,   &*token, 200, None),
        ("its own token",                  &client,  &*token, 200, None),
        ("without the permission",         &other,   &*token, 403, not_permitted),
        ("without, and garbage",           &other,   "x",     403, not_permitted),
        ("wrong secret",                   &wrong,   &*token, 401, Some("invalid_client")),
        ("unpublished",                    &off,     &*token, 401, Some("invalid_client")),
    ];
    for (why, caller, token, status, error) in cases {
        let reply = ask(&server, caller, token).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}");
        assert_eq!(reply.body["active"] == true, status == 200, "{why}");
        assert_eq!(reply.header("www-authenticate").is_some(), status != 200, "{why}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    }
    let caller = Some((client.0.as_str(), client.1.as_str()));
    server.form("/oauth/revoke", caller, &format!("token={token}")).await;
    let own = ask(&server, &client, &token).await;
    assert_eq!((own.status, own.body), (200, dead()), "its own token, revoked");
}

#[actix_web::test]
async fn s2_1_by_a_bearer_token() {
    let server = Server::start().await;
    let bearer = server.token_of(&gateway(&server).await).await;
    let client = server.client_with_secret().await;
    let token = server.token_of(&client).await;
    let it = format!("token={token}");
    let secret = format!("{it}&client_id={}&client_secret={}", client.0, client.1);
    #[rustfmt::skip]
    let cases = [
        // why                            bearer      form      status  error
        ("the permission",                &*bearer,   &*it,     200, None),
        ("an administrator",              &*server.admin_token().await, &*it, 200, None),
        ("without the permission",        &*token,    &*it,     403, Some("insufficient_scope")),
        ("no token of ours",              "x",        &*it,     401, Some("invalid_token")),
        ("no token to ask about",         &*bearer,   "",       400, Some("invalid_request")),
        ("a secret beside it",            &*bearer,   &*secret, 400, Some("invalid_request")),
    ];
    for (why, bearer, form, status, error) in cases {
        let reply = ask_as_bearer(&server, bearer, form).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}: {reply:?}");
    }
    let itself = ask_as_bearer(&server, &bearer, &format!("token={bearer}")).await;
    assert_eq!(itself.body["active"], true);
}

#[actix_web::test]
async fn s2_1_the_form_is_strict() {
    let server = Server::start().await;
    let (id, secret) = gateway(&server).await;
    let caller = Some((id.as_str(), secret.as_str()));
    for (why, form) in [("none", ""), ("empty", "token="), ("repeated", "token=a&token=b")] {
        let reply = server.form(INTROSPECT, caller, form).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{why}");
    }
    assert_eq!(server.form(INTROSPECT, None, "token=x").await.status, 401);
    let json = server.post(INTROSPECT, "application/json", r#"{"token":"x"}"#).await;
    assert_eq!((json.status, json.error()), (415, Some("invalid_request")));
    let get = server.get(&format!("{INTROSPECT}?token=x")).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    let long = server.form(INTROSPECT, caller, &format!("token={}", "x".repeat(1 << 20))).await;
    assert_eq!(long.status, 413);
}

#[actix_web::test]
async fn s4_a_caller_may_be_kept_to_its_own_audiences() {
    for (why, restricted) in [("as it is by default", false), ("restricted", true)] {
        let server =
            Server::with(|settings| settings.tokens.introspection_own_audiences = restricted).await;
        let grants = |audience: &[&str], permission: &str| json!({ "audience": audience, "permissions": [permission] });
        let orders = server.granted(grants(&["orders", "x"], "latchkey:introspect")).await;
        let nobody = server.granted(grants(&[], "latchkey:introspect")).await;
        let admin = (ADMIN.0.to_owned(), ADMIN.1.to_owned());
        let mine = server.granted(grants(&["y", "orders"], "a")).await;
        let other = server.granted(grants(&["mail"], "a")).await;
        let open = server.granted(grants(&[], "a")).await;
        #[rustfmt::skip]
        let cases = [
            ("one in common",           &orders, &mine,   true),
            ("none in common",          &orders, &other,  !restricted),
            ("a token for anyone",      &orders, &open,   !restricted),
            ("a caller without any",    &nobody, &mine,   !restricted),
            ("its own token",           &nobody, &nobody, true),
            ("an administrator",        &admin,  &other,  true),
        ];
        for (case, caller, of, active) in cases {
            let token = server.token_of(of).await;
            let reply = ask(&server, caller, &token).await;
            assert_eq!(reply.body["active"], active, "{why}: {case}");
            assert_eq!(reply.body == dead(), !active, "{why}: {case}");
        }
        let bearer = server.token_of(&orders).await;
        let token = server.token_of(&other).await;
        let reply = ask_as_bearer(&server, &bearer, &format!("token={token}")).await;
        assert_eq!(reply.body["active"], !restricted, "{why}: by a bearer token");
    }
}

#[actix_web::test]
async fn a_key_proves_the_caller_too() {
    let server = Server::start().await;
    let key = client_key(Algorithm::EdDSA);
    let id = server.granted_with_key(key, json!({ "permissions": ["latchkey:introspect"] })).await;
    let token = server.token_of(&server.client_with_secret().await).await;
    let assertion = server.assertion(&id, key);
    let form = format!(
        "token={token}&client_assertion={assertion}\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    assert_eq!(server.form(INTROSPECT, None, &form).await.body["active"], true);
    let again = server.form(INTROSPECT, None, &form).await;
    assert_eq!((again.status, again.error()), (401, Some("invalid_client")), "used once");
    assert_eq!(server.token(None, GRANT).await.status, 401);
}
