//! How large a token may be: what is issued, every route takes.

use latchkey::config::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{GRANT, Server};

/// The secret of clients that are brought.
const SECRET: &str = "of a client";

fn permissions(count: usize, length: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:0length$}")).collect()
}

/// What the description of a refusal, or a warning, says of sizes.
fn numbers(text: &str) -> Vec<usize> {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    digits.filter_map(|number| number.parse().ok()).collect()
}

#[actix_web::test]
async fn what_is_issued_is_taken_by_every_route_and_the_rest_is_refused() {
    let no_change: fn(&mut Settings) = |_| ();
    for (why, change, most) in [
        ("as configured", no_change, 30_720),
        ("a small header", |settings| settings.header_limit = 8_192, 6_144),
        ("a large header", |settings| settings.header_limit = 100_000, 32_768),
        ("a small body", |settings| settings.body_limit = 9_000, 30_720),
    ] {
        let server = Server::with(change).await;
        // By an import, which may be larger than other bodies.
        let ask = async |count: usize| {
            let client = json!({
                "clientId": format!("svc{count}"), "__STATE__": "PUBLIC", "clientSecret": SECRET,
                "permissions": permissions(count, 110),
            });
            let body = json!({ "clients": [client] });
            assert_eq!(server.admin_post("/clients/import", &body).await.status, 200, "{why}");
            server.token(Some((&format!("svc{count}"), SECRET)), GRANT).await
        };
        // As many as there is room for, and one more: found by halving.
        let (mut issued, mut refused) = (0_usize, 256);
        while refused - issued > 1 {
            let count = issued.midpoint(refused);
            match ask(count).await.status {
                200 => issued = count,
                400 => refused = count,
                status => panic!("{why}: {status} with {count}"),
            }
        }
        let reply = ask(refused).await;
        assert_eq!(reply.error(), Some("invalid_request"), "{why}");
        let said = numbers(&reply.text_of("error_description"));
        assert!(matches!(said[..], [size, limit] if size > most && limit == most), "{said:?}");

        let token = ask(issued).await.text_of("access_token");
        assert!((most - 200..=most).contains(&token.len()), "{why}: {}", token.len());
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}");
        let id = format!("svc{issued}");
        let form = format!("token={token}");
        let told = server.form("/oauth/introspect", Some((&id, SECRET)), &form).await;
        assert_eq!(told.body["active"], true, "{why}: {}", told.text);
        let revoked = server.form("/oauth/revoke", Some((&id, SECRET)), &form).await;
        assert_eq!(revoked.status, 200, "{why}");
        assert_eq!(server.tokeninfo(&token).await.status, 401, "{why}: it is revoked");
    }
}

#[actix_web::test]
async fn a_refused_token_is_not_counted() {
    let server = Server::start().await;
    let grants = json!({ "permissions": permissions(256, 200), "quota_per_hour": 1 });
    let client = server.granted(grants).await;
    let (id, secret) = (&*client.0, &*client.1);
    for _ in 0..3 {
        assert_eq!(server.token(Some((id, secret)), GRANT).await.status, 400);
    }
    let patch = json!({ "permissions": ["one"] });
    server.admin(Method::PATCH, &format!("/clients/{id}"), &patch).await;
    assert_eq!(server.token(Some((id, secret)), GRANT).await.status, 200);
}

#[actix_web::test]
async fn an_administrator_is_warned_of_grants_that_make_tokens_large() {
    let server = Server::start().await;
    let plain = server.granted(json!({})).await.0;
    #[rustfmt::skip]
    let cases = [
        // why                          permissions           warned of
        ("nothing",                     permissions(0, 1),    None),
        ("200 of usual length",         permissions(200, 21), None),
        ("more than gateways take",     permissions(256, 30), Some("gateways may refuse one of more than 8192 bytes")),
        ("more than is issued",         permissions(256, 110), Some("none of more than 30720 bytes is issued")),
    ];
    for (why, permissions, warned) in cases {
        let grants = json!({ "client_name": "svc", "permissions": permissions });
        let created = server.create_client(grants.clone()).await;
        let id = created.text_of("client_id");
        let patch = json!({ "permissions": permissions });
        let patched = server.admin(Method::PATCH, &format!("/clients/{plain}"), &patch).await;
        let shown = server.admin_get(&format!("/clients/{id}")).await;
        let document = json!({ "clientId": format!("brought {why}"), "permissions": permissions });
        let body = json!({ "clients": [document], "dry_run": true });
        let imported = server.admin_post("/clients/import", &body).await.body["results"][0].clone();
        let regenerated =
            server.admin_post(&format!("/clients/{id}/regenerate"), &Value::Null).await.body;
        for (route, answer) in [
            ("POST", &created.body),
            ("PATCH", &patched.body),
            ("GET", &shown.body),
            ("import", &imported),
            ("regenerate", &regenerated),
        ] {
            assert!(answer["client_id"].is_string(), "{why}, {route}: {answer}");
            let warnings = answer["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert_eq!(warnings.len(), usize::from(warned.is_some()), "{why}, {route}: {answer}");
            let Some(warned) = warned else { continue };
            let warning = warnings[0].as_str().unwrap();
            assert!(warning.contains(warned), "{why}, {route}: {warning}");
        }
    }
}

/// The size in a warning is that of the token, more or less.
#[actix_web::test]
async fn the_size_is_right() {
    let server = Server::start().await;
    let grants = json!({
        "client_name": "svc", "permissions": permissions(200, 40), "groups": ["a", "b"],
        "scope": "read write", "audience": ["https://orders.test"],
    });
    let created = server.create_client(grants).await;
    let warning = created.body["warnings"][0].as_str().unwrap();
    let told = numbers(warning)[0];
    let client = (created.text_of("client_id"), created.text_of("client_secret"));
    let size = server.token_of(&client).await.len();
    assert!(told.abs_diff(size) < 64, "{told} for {size}");
}
