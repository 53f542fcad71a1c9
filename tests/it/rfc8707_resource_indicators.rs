//! RFC 8707: which resource a token is for.

use latchkey::domain::jwk::Algorithm;
use serde_json::json;

use crate::harness::{GRANT, Server, claims_of, client_key, header_of, signed};

#[actix_web::test]
async fn s2_resource_says_what_audience_says() {
    let server = Server::start().await;
    let grants = json!({ "audience": ["https://a.test/b", "urn:c", "plain"] });
    let (id, secret) = server.granted(grants).await;
    let all = json!(["https://a.test/b", "urn:c", "plain"]);
    let url = "resource=https%3A%2F%2Fa.test%2Fb";
    #[rustfmt::skip]
    let cases = [
        // why                        form                                             status  aud, or error
        ("none",                      String::new(),                                   200, all.clone()),
        ("empty is none",             "resource=".to_owned(),                          200, all.clone()),
        ("one",                       url.to_owned(),                                  200, json!(["https://a.test/b"])),
        ("a URN",                     "resource=urn:c".to_owned(),                     200, json!(["urn:c"])),
        ("repeated",                  format!("resource=urn:c&{url}"),                 200, json!(["urn:c", "https://a.test/b"])),
        ("the same twice",            format!("{url}&{url}"),                          200, json!(["https://a.test/b"])),
        ("repeated, once empty",      format!("resource=&{url}"),                      200, json!(["https://a.test/b"])),
        ("with the same audience",    format!("{url}&audience=https://a.test/b"),      200, json!(["https://a.test/b"])),
        ("in another order",          format!("{url}&resource=urn:c&audience=urn:c+https://a.test/b"), 200, json!(["urn:c", "https://a.test/b"])),
        ("with another audience",     format!("{url}&audience=plain"),                 400, json!("invalid_request")),
        ("with fewer audiences",      format!("{url}&resource=urn:c&audience=urn:c"),  400, json!("invalid_request")),
        ("not granted",               "resource=https://a.test/c".to_owned(),          400, json!("invalid_target")),
        ("one not granted",           format!("{url}&resource=urn:d"),                 400, json!("invalid_target")),
        ("spelled in another way",    "resource=https://A.test/b".to_owned(),          400, json!("invalid_target")),
        ("not absolute",              "resource=plain".to_owned(),                     400, json!("invalid_target")),
        ("a path",                    "resource=/b".to_owned(),                        400, json!("invalid_target")),
        ("a fragment",                "resource=https://a.test/b%23c".to_owned(),      400, json!("invalid_target")),
        ("two in one",                "resource=urn:c+urn:c".to_owned(),               400, json!("invalid_target")),
        ("a line break",              "resource=urn:c%0A".to_owned(),                  400, json!("invalid_target")),
        ("more than may be asked for", ["resource=urn:c"; 65].join("&"),               400, json!("invalid_target")),
    ];
    for (why, asked, status, expected) in cases {
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}&{asked}")).await;
        assert_eq!(reply.status, status, "{why}: {}", reply.text);
        let found = match status {
            200 => claims_of(&reply.text_of("access_token"))["aud"].clone(),
            _ => reply.body["error"].clone(),
        };
        assert_eq!(found, expected, "{why}");
    }
}

#[actix_web::test]
async fn s2_with_the_audiences_of_an_assertion() {
    let server = Server::start().await;
    let key = client_key(Algorithm::EdDSA);
    let id = server.granted_with_key(key, json!({ "audience": ["urn:a", "urn:b"] })).await;
    for (requested, asked, error) in [
        (json!(["urn:a"]), "&resource=urn:a", None),
        (json!(["urn:a"]), "&resource=urn:b", Some("invalid_request")),
        (json!(["urn:a", "urn:b"]), "&resource=urn:b", Some("invalid_request")),
    ] {
        let mut claims = server.assertion_claims(&id);
        claims["requested_audiences"] = requested;
        let reply = server.token_by(&signed(&header_of(key), &claims, key), asked).await;
        assert_eq!(reply.error(), error, "{claims} {asked}");
    }
}

#[actix_web::test]
async fn s2_a_required_audience_may_be_a_resource() {
    let server = Server::with(|settings| settings.tokens.require_audience = true).await;
    let (id, secret) = server.granted(json!({ "audience": ["urn:a"] })).await;
    for (asked, status) in [("", 400), ("&resource=", 400), ("&resource=urn:a", 200)] {
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}{asked}")).await;
        assert_eq!(reply.status, status, "{asked}");
    }
}
