//! How much a caller may ask for, and an administrator grant, at once.

use std::collections::HashSet;

use latchkey::config::Switch;
use latchkey::domain::jwk::Algorithm;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ADMIN, GRANT, Server, basic, claims_of, client_key, header_of, signed};

fn words(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

fn joined(prefix: &str, count: usize) -> String {
    words(prefix, count).join("+")
}

#[actix_web::test]
async fn what_may_be_asked_for_at_once() {
    let server = Server::start().await;
    let grants = json!({ "audience": words("a", 64), "scope": words("s", 256).join(" ") });
    let (id, secret) = server.granted(grants).await;
    let repeated = |count| words("audience=a", count).join("&");
    let others = |count| words("x", count).join("=&");
    #[rustfmt::skip]
    let cases = [
        // why                              form                                          status  error
        ("64 audiences",                    format!("audience={}", joined("a", 64)),      200, None),
        ("65 audiences",                    format!("audience={}", joined("a", 65)),      400, Some("invalid_target")),
        ("65 times the same",               format!("audience={}", ["a0"; 65].join("+")), 400, Some("invalid_target")),
        ("64, each by itself",              repeated(64),                                 200, None),
        ("65, each by itself",              repeated(65),                                 400, Some("invalid_target")),
        ("thousands",                       repeated(4_000),                              400, Some("invalid_request")),
        ("256 scopes",                      format!("scope={}", joined("s", 256)),        200, None),
        ("257 scopes",                      format!("scope={}", joined("s", 257)),        400, Some("invalid_scope")),
        ("thousands of scopes",             format!("scope={}", joined("s", 9_000)),      400, Some("invalid_scope")),
        ("spaces are none",                 format!("scope=s0{}", "+".repeat(300)),       200, None),
        ("unknown parameters",              others(60),                                   200, None),
        ("as many as a form may have",      others(64 + 2 * 64 - 1),                      200, None),
        ("one more",                        others(64 + 2 * 64),                          400, Some("invalid_request")),
        ("thousands of unknown parameters", others(9_000),                                400, Some("invalid_request")),
    ];
    for (why, asked, status, error) in cases {
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}&{asked}")).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}: {}", reply.text);
    }
    let refused = server.token(Some((&id, &secret)), &format!("{GRANT}&{}", repeated(65))).await;
    assert_eq!(refused.text_of("error_description"), "at most 64 audiences may be asked for");
}

/// There is room for as many audiences and resources as may be asked for, beside the others.
#[actix_web::test]
async fn a_form_has_room_for_what_is_repeated() {
    for audiences in [1, 64, 100] {
        let server = Server::with(|settings| settings.clients.max_audiences = audiences).await;
        let granted = words("https://a.test/", audiences);
        let (id, secret) = server.granted(json!({ "audience": granted })).await;
        let named = |name: &str| format!("&{name}={}", granted.join(&format!("&{name}=")));
        // One of the others says which grant it is.
        let full = format!("{GRANT}{}{}", named("audience"), named("resource"));
        let full = format!("{full}&{}", words("x", 63).join("=&"));
        for (form, status) in [(full.clone(), 200), (format!("{full}&y"), 400)] {
            let reply = server.token(Some((&id, &secret)), &form).await;
            assert_eq!(reply.status, status, "{audiences}: {}", reply.text);
            let most = format!("a form may have at most {} parameters", 64 + 2 * audiences);
            assert_eq!(reply.text.contains(&most), status == 400, "{audiences}: {}", reply.text);
        }
    }
}

#[actix_web::test]
async fn an_assertion_may_ask_for_as_much_as_a_form() {
    let server = Server::start().await;
    let key = client_key(Algorithm::EdDSA);
    let id = server.granted_with_key(key, json!({ "audience": words("a", 64) })).await;
    for (count, status, error) in [(64, 200, None), (65, 400, Some("invalid_target"))] {
        let mut claims = server.assertion_claims(&id);
        claims["requested_audiences"] = json!(words("a", count));
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!((reply.status, reply.error()), (status, error), "{count}");
    }
}

#[actix_web::test]
async fn the_limits_can_be_set() {
    let server = Server::with(|settings| {
        (settings.clients.max_audiences, settings.clients.max_scopes) = (1, 2);
        (settings.clients.max_permissions, settings.clients.max_groups) = (300, 0);
    })
    .await;
    let grants = json!({ "permissions": words("p", 300), "scope": "a b", "audience": ["x"] });
    let (id, secret) = server.granted(grants).await;
    for (asked, error) in [
        ("scope=a+b", None),
        ("scope=a+b+c", Some("invalid_scope")),
        ("audience=x", None),
        ("audience=x+y", Some("invalid_target")),
    ] {
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}&{asked}")).await;
        assert_eq!(reply.error(), error, "{asked}");
    }
    let reply = server.create_client(json!({ "client_name": "svc", "groups": ["g"] })).await;
    assert_eq!(reply.error(), Some("invalid_client_metadata"));
}

/// The throttle first, then the proof, and what is asked for last.
#[actix_web::test]
async fn nothing_is_looked_into_before_the_caller_has_proved_itself() {
    let server = Server::with(|settings| settings.clients.throttle = Switch::On).await;
    let mut bodies = HashSet::new();
    let asked = [
        String::new(),
        format!("&scope={}", joined("s", 9_000)),
        format!("&audience={}", joined("a", 9_000)),
        "&scope=%22".to_owned(),
        "&audience=%00".to_owned(),
    ];
    for asked in &asked {
        let form = format!("{GRANT}{asked}");
        let reply = server.token_as(basic("nobody", "wrong").as_bytes(), &form).await;
        assert_eq!(reply.status, 401, "{asked}");
        bodies.insert(reply.text);
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    for _ in 0..10 {
        server.token_as(basic("nobody", "wrong").as_bytes(), GRANT).await;
    }
    for asked in &asked {
        let form = format!("{GRANT}{asked}");
        let reply = server.token_as(basic("nobody", "wrong").as_bytes(), &form).await;
        assert_eq!(reply.status, 429, "{asked}");
    }
}

#[actix_web::test]
async fn what_may_be_granted() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    let path = format!("/clients/{id}");
    #[rustfmt::skip]
    let cases = [
        // member                most  items
        ("permissions",          256,  "p"),
        ("audience",             64,   "a"),
        ("groups",               64,   "g"),
        ("allowedCustomClaims",  64,   "c"),
        ("scope",                256,  "s"),
    ];
    for (member, most, prefix) in cases {
        for (count, good) in [(most, true), (most + 1, false), (8_000, false)] {
            let list = words(prefix, count);
            let list = if member == "scope" { json!(list.join(" ")) } else { json!(list) };
            let patched = server.admin(Method::PATCH, &path, &json!({ member: list })).await;
            let mut document = json!({ "client_name": "svc", member: list });
            let created = server.create_client(document.clone()).await;
            document = json!({ "clientId": format!("{member}{count}"), member: list });
            let body = json!({ "clients": [document], "dry_run": true });
            let imported = server.admin_post("/clients/import", &body).await;
            let result = &imported.body["results"][0];

            let why = format!("{count} {member}");
            assert_eq!((patched.status == 200, created.status == 201), (good, good), "{why}");
            assert_eq!(result["outcome"] != "refused", good, "{why}: {result}");
            if !good {
                let said = format!("`{member}` may hold at most {most} items");
                for reply in [&patched, &created] {
                    assert_eq!(reply.error(), Some("invalid_client_metadata"), "{why}");
                    assert!(reply.text.contains(&said), "{why}: {}", reply.text);
                }
                assert!(result["reason"].as_str().unwrap().contains(&said), "{why}: {result}");
            }
        }
    }
}

/// Each key is judged, which takes a while.
#[actix_web::test]
async fn how_many_keys_are_judged_at_once() {
    let server = Server::start().await;
    let jwk = client_key(Algorithm::ES256).public().to_json();
    let keys: Vec<Value> = (0..65)
        .map(|n| {
            let mut key = jwk.clone();
            key["kid"] = format!("k{n}").into();
            key
        })
        .collect();
    for count in [65, 11] {
        let jwks = json!({ "keys": keys[..count] });
        let registered = server
            .register(json!({
                "client_name": "svc",
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": jwks,
            }))
            .await;
        assert_eq!(registered.error(), Some("invalid_client_metadata"), "{count}");
        assert!(registered.text.contains("at most"), "{}", registered.text);
    }
    let listed: Vec<Value> =
        keys.iter().map(|jwk| json!({ "jwk": jwk, "expiresAt": "2020-01-01T00:00:00Z" })).collect();
    for (count, outcome) in [(65, "refused"), (64, "imported_with_new_secret")] {
        let document = json!({ "clientId": "svc", "keys": listed[..count] });
        let body = json!({ "clients": [document], "dry_run": true });
        let imported = server.admin_post("/clients/import", &body).await;
        assert_eq!(imported.body["results"][0]["outcome"], outcome, "{count}");
    }
}

/// Another tool may have stored more than could be granted today.
#[actix_web::test]
async fn a_client_that_holds_more_goes_on_working() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let server = Server::holding(vec![doc! {
        "clientId": "svc",
        "name": "svc",
        "__STATE__": "PUBLIC",
        "permissions": words("p", 300),
        "audience": words("a", 70),
        "scope": words("s", 300).join(" "),
        "groups": words("g", 70),
        "secrets": [{ "id": "s1", "hash": hash, "createdAt": "2026-01-01T00:00:00Z" }],
    }])
    .await;
    for asked in ["", "&scope=s299&audience=a69"] {
        let reply = server.token(Some(("svc", "secret")), &format!("{GRANT}{asked}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let claims = claims_of(&reply.text_of("access_token"));
        assert_eq!(claims["permissions"].as_array().unwrap().len(), 300);
        assert_eq!(claims["groups"].as_array().unwrap().len(), 70);
    }
    let renamed = json!({ "client_name": "other" });
    let reply = server.admin(Method::PATCH, "/clients/svc", &renamed).await;
    assert_eq!((reply.status, reply.text_of("client_name")), (200, "other".to_owned()));
    assert_eq!(server.token(Some(ADMIN), GRANT).await.status, 200);
}
