//! How large a token may be: what is issued, every route takes.

use latchkey::config::Settings;
use latchkey::domain::jwk::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{GRANT, Server, client_key, header_of, signed};

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
        ("a small header", |settings| settings.listen.header_limit = 8_192, 6_144),
        ("a large header", |settings| settings.listen.header_limit = 100_000, 32_768),
        ("a small body", |settings| settings.listen.body_limit = 9_000, 30_720),
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

/// The size in a warning is that of the token, whatever signs it and whatever claims the client has of
/// its own; where it begins to warn, tokens begin to be refused.
#[actix_web::test]
async fn the_size_is_right_to_the_byte() {
    let key = client_key(Algorithm::ES256);
    #[rustfmt::skip]
    let cases = [
        // signed with       header  warned beyond  issued beyond  its own claims
        (Algorithm::RS256,   32_768, 8_192,         true,          json!([])),
        (Algorithm::ES256,   32_768, 8_192,         true,          json!(["own", "https://x.test/a"])),
        (Algorithm::EdDSA,   8_192,  6_144,         false,         json!([])),
        (Algorithm::RS256,   8_192,  6_144,         false,         json!(["own"])),
    ];
    for (algorithm, header_limit, most, is_issued, own) in cases {
        let why = format!("{algorithm:?}, {header_limit}, {own}");
        let server = Server::with(|settings| {
            settings.signing_keys.algorithm = algorithm;
            settings.listen.header_limit = header_limit;
        })
        .await;
        let grants = json!({
            "groups": ["a", "b"], "scope": "read write", "audience": ["https://orders.test"],
            "allowedCustomClaims": own,
        });
        let id = server.granted_with_key(key, grants).await;
        let path = format!("/clients/{id}");
        // What the client is warned of when it is granted so much, and what becomes of its token.
        let grant = async |count: usize, length: usize| {
            let mut granted = permissions(count, 50);
            granted.push("p".repeat(length));
            let patch = json!({ "permissions": granted });
            let patched = server.admin(Method::PATCH, &path, &patch).await.body;
            patched["warnings"][0].as_str().map(str::to_owned)
        };
        let token = async || {
            let mut claims = server.assertion_claims(&id);
            for name in own.as_array().unwrap() {
                claims[name.as_str().unwrap()] = json!(0);
            }
            server.token_by(&signed(&header_of(key), &claims, key), "").await
        };
        let mut count = 64;
        while grant(count + 1, 1).await.is_none() {
            count += 1;
        }
        let mut edge = 1;
        while grant(count, edge).await.is_none() {
            edge += 1;
        }
        assert!((2..=60).contains(&edge), "{why}: {edge}");
        for length in edge - 1..edge + 2 {
            let warned = grant(count, length).await;
            assert_eq!(warned.is_some(), length >= edge, "{why}, {length}");
            let reply = token().await;
            let size = match reply.status {
                200 => reply.text_of("access_token").len(),
                400 => numbers(&reply.text_of("error_description"))[0],
                status => panic!("{why}: {status}"),
            };
            assert_eq!(size > most, length >= edge, "{why}, {length}: {size}");
            assert_eq!(reply.status == 200, is_issued || length < edge, "{why}, {length}");
            let Some(warned) = warned else { continue };
            assert_eq!(numbers(&warned)[0], size, "{why}, {length}: {warned}");
            let at_least = own.as_array().is_some_and(|own| !own.is_empty());
            assert_eq!(warned.contains("at least"), at_least, "{why}: {warned}");
        }
    }
}
