//! RFC 9728: what clients can learn of the resources behind gateways.

use latchkey::config::{Config, Settings};
use serde_json::json;

use crate::harness::{Server, settings};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

fn protecting(resources: &[&str]) -> impl FnOnce(&mut Settings) {
    let resources = resources.iter().map(|it| it.parse().unwrap()).collect();
    move |settings| settings.gateways.resources = resources
}

#[actix_web::test]
async fn s3_where_the_metadata_is_and_what_it_says() {
    let resources = ["https://shop.test", "https://api.test/orders", "https://api.test/a%2Fb/"];
    let server = Server::with(protecting(&resources)).await;
    for (path, resource) in [
        ("", "https://shop.test"),
        ("/orders", "https://api.test/orders"),
        ("/a%2Fb/", "https://api.test/a%2Fb/"),
    ] {
        let reply = server.get(&format!("{WELL_KNOWN}{path}")).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let expected = json!({
            "resource": resource,
            "authorization_servers": ["http://issuer.test"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(reply.body, expected, "{path}");
    }
    for path in ["/", "/orders/", "/orders/7", "/other"] {
        assert_eq!(server.get(&format!("{WELL_KNOWN}{path}")).await.status, 404, "{path}");
    }
    let metadata = server.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata.body["protected_resources"], json!(resources), "section 4");
}

#[actix_web::test]
async fn nothing_is_said_where_nothing_is_configured() {
    let server = Server::start().await;
    assert_eq!(server.get(WELL_KNOWN).await.status, 404);
    let metadata = server.get("/.well-known/oauth-authorization-server").await;
    assert!(metadata.body.get("protected_resources").is_none());
}

/// The name of a server that is no URL is not one to clients of this document.
#[actix_web::test]
async fn an_issuer_without_a_url_is_not_named() {
    let server = Server::with(|settings| {
        settings.identity.issuer = Some("a name".to_owned());
        protecting(&["https://shop.test"])(settings);
    })
    .await;
    let reply = server.get(WELL_KNOWN).await;
    assert_eq!(reply.body["resource"], "https://shop.test");
    assert!(reply.body.get("authorization_servers").is_none());
}

#[actix_web::test]
async fn s5_1_the_challenge_of_a_gateway_names_the_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.json");
    let grant = json!({ "authorization": { "expression": "true", "public": false } });
    std::fs::write(&policy, json!({ "/**": { "GET": grant } }).to_string()).unwrap();
    let server = Server::with(|settings| {
        settings.gateways.policy_file = Some(policy);
        protecting(&["https://shop.test/orders", "https://shop.test/orders/old"])(settings);
    })
    .await;
    let at = "https://shop.test/.well-known/oauth-protected-resource";
    for (path, named) in [
        ("/orders", Some("/orders")),
        ("/orders/7?x=1", Some("/orders")),
        ("/orders/old/7", Some("/orders/old")),
        ("/orders/older", Some("/orders")),
        ("/other", None),
    ] {
        for token in [None, Some("bad")] {
            let request = server.http.get(format!("{}/forward-auth", server.url));
            let request = request.header("x-original-method", "GET").header("x-original-uri", path);
            let reply = server.send(match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            });
            let reply = reply.await;
            assert_eq!(reply.status, 401, "{path}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.starts_with(r#"Bearer realm="latchkey""#), "{challenge}");
            let expected = named.map(|named| format!(r#", resource_metadata="{at}{named}""#));
            match expected {
                Some(expected) => assert!(challenge.ends_with(&expected), "{path}: {challenge}"),
                None => assert!(!challenge.contains("resource_metadata"), "{path}: {challenge}"),
            }
        }
    }
}

/// By its path alone it is told which resource a request is for.
#[test]
fn two_resources_of_one_path_are_refused() {
    for (resources, good) in [
        (&["https://a.test/x", "https://b.test/x"][..], false),
        (&["https://a.test", "https://b.test/"], false),
        (&["https://a.test/x", "https://b.test/y"], true),
    ] {
        let mut settings = settings();
        protecting(resources)(&mut settings);
        assert_eq!(Config::of(settings, 1).is_ok(), good, "{resources:?}");
    }
}
