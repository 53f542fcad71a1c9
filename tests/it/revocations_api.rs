//! `POST /revocations`: an administrator calls tokens back.

use std::time::Duration;

use futures_util::future::join_all;
use latchkey::audit::AuditQuery;
use latchkey::config::Settings;
use latchkey::domain::clock::Clock;
use latchkey::domain::jwk::Algorithm;
use serde_json::{Value, json};

use crate::harness::{
    GRANT, Reply, Server, claims_of, client_key, jose_header_of, signing_key, store_in,
};

const PATH: &str = "/revocations";

async fn revoke(server: &Server, order: Value) -> Reply {
    server.admin_post(PATH, &order).await
}

/// What to ask for, once the claims of the token are known.
type Order<'a> = &'a dyn Fn(&Value) -> Value;

#[actix_web::test]
async fn each_order_ends_what_it_says_and_nothing_else() {
    let rfc3339 = |claims: &Value| {
        let at = i64::try_from(claims["iat"].as_u64().unwrap()).unwrap();
        let at = time::OffsetDateTime::from_unix_timestamp(at).unwrap();
        at.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    let earlier = |claims: &Value| claims["iat"].as_u64().unwrap() - 100;
    #[rustfmt::skip]
    let cases: [(&str, Order<'_>, bool, bool); 12] = [
        // why                         order                                                                            its token  a neighbour's
        ("its jti",                    &|c| json!({ "jti": c["jti"] }),                                                 true,  false),
        ("its jti and exp",            &|c| json!({ "jti": c["jti"], "exp": c["exp"] }),                                true,  false),
        ("another jti",                &|_| json!({ "jti": "other", "reason": "a leak" }),                              false, false),
        ("its client",                 &|c| json!({ "client_id": c["sub"] }),                                           true,  false),
        ("another client",             &|_| json!({ "client_id": "who", "force": true }),                               false, false),
        ("its client, at iat",         &|c| json!({ "client_id": c["sub"], "issued_before": c["iat"] }),                true,  false),
        ("the same as a date",         &|c| json!({ "client_id": c["sub"], "issued_before": rfc3339(c) }),              true,  false),
        ("its client, earlier",        &|c| json!({ "client_id": c["sub"], "issued_before": earlier(c) }),              false, false),
        ("its credential",             &|c| json!({ "client_id": c["sub"], "credential": c["cred"] }),                  true,  false),
        ("another credential",         &|c| json!({ "client_id": c["sub"], "credential": "other" }),                    false, false),
        ("everything",                 &|c| json!({ "all": true, "issued_before": c["iat"] }),                          true,  true),
        ("everything earlier",         &|c| json!({ "all": true, "issued_before": earlier(c) }),                        false, false),
    ];
    for (why, order, ends, ends_another) in cases {
        let server = Server::start().await;
        let token = server.token_of(&server.client_with_secret().await).await;
        let another = server.token_of(&server.client_with_secret().await).await;
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}: now it is remembered");

        let reply = revoke(&server, order(&claims_of(&token))).await;
        assert_eq!(reply.status, 200, "{why}: {reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
        let [first, ..] = &reply.body["revoked"].as_array().unwrap()[..] else { panic!("{why}") };
        assert!(first["name"].is_string() && first["until"].is_u64(), "{why}: {first}");
        assert_eq!(server.tokeninfo(&token).await.status == 401, ends, "{why}");
        assert_eq!(server.tokeninfo(&another).await.status == 401, ends_another, "{why}");
    }
}

/// A name may have a typing error. What is gone may still have tokens, and is revoked if that is meant.
#[actix_web::test]
async fn what_is_not_there_is_revoked_by_force_alone() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let token = server.token_of(&client).await;
    for (why, order) in [
        ("a client", json!({ "client_id": "who" })),
        ("a client, by date", json!({ "client_id": "who", "issued_before": 1 })),
        ("a credential", json!({ "client_id": "who", "credential": "x" })),
        ("a key", json!({ "kid": "who" })),
    ] {
        let mut order = order;
        let refused = revoke(&server, order.clone()).await;
        assert_eq!((refused.status, refused.error()), (404, Some("not_found")), "{why}");
        order["force"] = false.into();
        assert_eq!(revoke(&server, order.clone()).await.status, 404, "{why}");
        order["force"] = true.into();
        assert_eq!(revoke(&server, order).await.status, 200, "{why}");
    }
    let reply = revoke(&server, json!({ "client_id": client.0, "force": "yes" })).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(server.tokeninfo(&token).await.status, 200, "nothing of it was about this client");
}

#[actix_web::test]
async fn an_order_says_one_thing() {
    let server = Server::start().await;
    let future = server.clock.now().0 + 1;
    #[rustfmt::skip]
    let cases = [
        // why                       order                                                          says
        ("nothing",                  json!({}),                                                     "say what to revoke"),
        ("only a reason",            json!({ "reason": "x" }),                                      "say what to revoke"),
        ("an unknown member",        json!({ "jti": "x", "token": "y" }),                           "unknown member `token`"),
        ("two subjects",             json!({ "jti": "x", "client_id": "y" }),                       "do not go together"),
        ("three subjects",           json!({ "client_id": "y", "credential": "c", "issued_before": 1 }), "do not go together"),
        ("a key and all",            json!({ "kid": "x", "all": true, "issued_before": 1 }),        "do not go together"),
        ("all at any time",          json!({ "all": true }),                                        "`all` needs `issued_before`"),
        ("not all",                  json!({ "all": false, "issued_before": 1 }),                   "`all` must be true"),
        ("a moment of nobody",       json!({ "issued_before": 1 }),                                 "needs `client_id` or `all`"),
        ("a credential of nobody",   json!({ "credential": "x" }),                                  "`credential` needs `client_id`"),
        ("exp of a client",          json!({ "client_id": "x", "exp": 1 }),                         "`exp` goes with `jti` only"),
        ("an empty jti",             json!({ "jti": "" }),                                          "`jti` is malformed"),
        ("a control character",      json!({ "kid": "a\nb" }),                                      "`kid` is malformed"),
        ("a jti that is a number",   json!({ "jti": 1 }),                                           "`jti` must be a string"),
        ("null",                     json!({ "jti": null }),                                        "`jti` must be a string"),
        ("no client id",             json!({ "client_id": "" }),                                    "`client_id`"),
        ("no date",                  json!({ "client_id": "x", "issued_before": "yesterday" }),     "`issued_before` must be seconds"),
        ("a negative date",          json!({ "client_id": "x", "issued_before": -1 }),              "`issued_before` must be seconds"),
        ("a date beyond all",        json!({ "jti": "x", "exp": u64::MAX }),                        "`exp` must be seconds"),
        ("an exp gone by",           json!({ "jti": "x", "exp": future - 1 }),                      "`exp` is past"),
        ("the future",               json!({ "client_id": "x", "issued_before": future }),          "must not be in the future"),
        ("the future of all",        json!({ "all": true, "issued_before": future }),               "must not be in the future"),
        ("a long reason",            json!({ "jti": "x", "reason": "x".repeat(1001) }),             "at most 1000 characters"),
    ];
    for (why, order, says) in cases {
        let reply = revoke(&server, order).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{why}");
        let said = reply.text_of("error_description");
        assert!(said.contains(says), "{why}: {said}");
    }
    assert!(server.app.health.revocations.is_empty());
    let bearer = server.admin_token().await;
    let request = server.http.post(format!("{}{PATH}", server.url)).bearer_auth(&bearer);
    assert_eq!(server.send(request.body("[]")).await.status, 415);
    let twice = r#"{"jti":"x","jti":"y"}"#;
    let request = server.http.post(format!("{}{PATH}", server.url)).bearer_auth(bearer);
    let request = request.header("content-type", "application/json").body(twice);
    assert_eq!(server.send(request).await.status, 400, "a member twice");
}

#[actix_web::test]
async fn it_needs_the_permission() {
    let server = Server::with(|settings| {
        settings.listen.admin_address = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let admin_url = server.admin_url.clone().unwrap();
    for (why, permission, status) in [
        ("the permission", "latchkey:tokens:revoke", 200),
        ("an administrator", "latchkey:admin", 200),
        ("another permission", "latchkey:clients:write", 403),
        ("introspection", "latchkey:introspect", 403),
    ] {
        let holder = server.granted(json!({ "permissions": [permission] })).await;
        let token = server.token_of(&holder).await;
        let request = server.http.post(format!("{admin_url}{PATH}")).bearer_auth(token);
        let reply = server.send(request.json(&json!({ "jti": "x" }))).await;
        assert_eq!(reply.status, status, "{why}");
    }
    let reply = server.post_json(PATH, &json!({ "jti": "x" })).await;
    assert_eq!(reply.status, 404, "not where everybody is");
    let reply = server.http.post(format!("{admin_url}{PATH}")).json(&json!({ "jti": "x" }));
    assert_eq!(server.send(reply).await.status, 401);
}

#[actix_web::test]
async fn single_tokens_have_a_rate_and_share_a_record_with_their_reason() {
    let server = Server::with(|settings| settings.clients.revocation_rate = 3).await;
    let (client, _) = server.client_with_secret().await;
    #[rustfmt::skip]
    let cases = [
        // why                     order                                    status
        ("one",                    json!({ "jti": "a" }),                   200),
        ("another",                json!({ "jti": "b" }),                   200),
        ("with a reason",          json!({ "jti": "c", "reason": "x" }),    200),
        ("one too many",           json!({ "jti": "d", "reason": "y" }),    429),
        ("all of a client at once", json!({ "client_id": client }),         200),
    ];
    for (why, order, status) in cases {
        let reply = revoke(&server, order).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        assert_eq!(reply.header("retry-after"), (status == 429).then_some("20"), "{why}");
    }
    let query = AuditQuery {
        action: Some("tokens.revoked".to_owned()),
        limit: 10,
        ..AuditQuery::default()
    };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    let mut said: Vec<_> = records.iter().map(|it| it.after["revoked"].as_str().unwrap()).collect();
    said.sort_unstable();
    let epoch = format!("epoch:{client}:1");
    assert_eq!(said, [&*epoch, "token:a", "token:c"], "one of a burst, and one of each reason");
}

#[actix_web::test]
async fn a_client_goes_on_with_new_tokens() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let mut old = server.token_of(&client).await;
    for epoch in 1..4 {
        let reply = revoke(&server, json!({ "client_id": client.0 })).await;
        assert_eq!(reply.body["revoked"][0]["name"], format!("epoch:{}:{epoch}", client.0));
        let new = server.token_of(&client).await;
        assert_eq!(claims_of(&new)["epoch"], epoch);
        assert_eq!(server.tokeninfo(&old).await.status, 401);
        assert_eq!(server.tokeninfo(&new).await.status, 200, "at once, whatever the clocks say");
        old = new;
    }
    assert_eq!(server.document(&client.0).await.get_i64("tokenEpoch").unwrap(), 3);
}

#[actix_web::test]
async fn administrators_at_the_same_time_raise_it_each() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let token = server.token_of(&client).await;
    let bearer = server.admin_token().await;
    let ask = || {
        let request = server.http.post(format!("{}{PATH}", server.url)).bearer_auth(&bearer);
        server.send(request.json(&json!({ "client_id": client.0 })))
    };
    let replies = join_all((0..5).map(|_| ask())).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(server.document(&client.0).await.get_i64("tokenEpoch").unwrap(), 5);
    assert_eq!(server.tokeninfo(&token).await.status, 401);
}

#[actix_web::test]
async fn of_a_credential_that_lives_what_was_obtained_so_far() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let issue =
        async || server.token_by(&server.assertion(&id, key), "").await.text_of("access_token");
    let old = issue().await;
    let order = json!({ "client_id": id, "credential": claims_of(&old)["cred"] });
    assert_eq!(revoke(&server, order).await.status, 200);
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    let early = issue().await;
    assert_eq!(server.tokeninfo(&early).await.status, 401, "within the skew");
    server.clock.advance(Duration::from_secs(31));
    let new = issue().await;
    assert_eq!(server.tokeninfo(&new).await.status, 200);
    assert_eq!(server.tokeninfo(&old).await.status, 401);
}

#[actix_web::test]
async fn a_signing_key_leaves_the_key_set_and_verifies_nothing() {
    let keys = tempfile::tempdir().unwrap();
    let other = client_key(Algorithm::EdDSA);
    for (name, key) in [("RS256-test.pem", signing_key()), ("EdDSA-other.pem", other)] {
        std::fs::write(keys.path().join(name), key.to_pem().unwrap().as_bytes()).unwrap();
    }
    let (folder, clock) = (tempfile::tempdir().unwrap(), std::sync::Arc::default());
    let start = async |clock: &std::sync::Arc<crate::harness::TestClock>| {
        let with_keys =
            |settings: &mut Settings| settings.signing_keys.folder = keys.path().to_owned();
        Server::at(clock.clone(), store_in(folder.path()).await, with_keys).await
    };
    let server = start(&clock).await;
    clock.advance(Duration::from_secs(60)); // both are known by now
    server.app.feed.look().await.unwrap();
    let client = server.client_with_secret().await;
    let old = server.token_of(&client).await;
    let kid = jose_header_of(&old)["kid"].as_str().unwrap().to_owned();
    assert_eq!(server.tokeninfo(&old).await.status, 200);

    let reply = revoke(&server, json!({ "kid": kid, "reason": "it was in a backup" })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let holds = async |server: &Server| {
        let jwks = server.get("/.well-known/jwks.json").await.text;
        assert_eq!(server.tokeninfo(&old).await.status, 401);
        assert!(!jwks.contains(&kid), "{jwks}");
        let new = server.token_of(&client).await;
        assert_ne!(jose_header_of(&new)["kid"], kid, "it signs no more");
        assert_eq!(server.tokeninfo(&new).await.status, 200);
    };
    holds(&server).await;
    assert_eq!(revoke(&server, json!({ "kid": kid })).await.status, 200, "twice is no error");
    server.stop().await;

    let server = start(&clock).await;
    holds(&server).await;
    clock.advance(Duration::from_secs(400 * 86_400));
    server.app.health.revocations.forget_expired(clock.now());
    server.app.feed.look().await.unwrap();
    assert!(server.app.health.revocations.is_key_revoked(&kid), "its file is still there");
    assert_ne!(server.app.signing.ring.active_kid(), Some(kid));
}

#[actix_web::test]
async fn it_is_recorded_with_who_and_why() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let reason = "seen in a paste";
    for order in [json!({ "client_id": client.0 }), json!({ "jti": "x" })] {
        let mut order = order;
        order["reason"] = reason.into();
        assert_eq!(revoke(&server, order).await.status, 200);
    }
    let action = Some("tokens.revoked".to_owned());
    let query = AuditQuery { action, limit: 10, ..AuditQuery::default() };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    let [token, of_client] = &records[..] else { panic!("{records:?}") };
    for record in &records {
        assert_eq!((record.actor.as_str(), &record.after["reason"]), ("admin", &json!(reason)));
        assert_eq!(record.address.as_deref(), Some("127.0.0.1"));
    }
    assert_eq!(token.after["revoked"], "token:x");
    assert_eq!(of_client.after["revoked"], format!("epoch:{}:1", client.0));
    assert_eq!(of_client.client_id.as_ref().map(ToString::to_string), Some(client.0));
}

#[actix_web::test]
async fn it_holds_after_a_restart_and_longer_if_it_is_said_again() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let with_keys = |settings: &mut Settings| settings.signing_keys.folder = keys.path().to_owned();
    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    let client = server.client_with_secret().await;
    let gone = server.client_with_secret().await;
    let orders = ["client", "credential", "before", "token"];
    let mut tokens = Vec::new();
    for kind in orders {
        let client = server.client_with_secret().await;
        let token = server.token_of(&client).await;
        let claims = claims_of(&token);
        let early = claims["iat"].as_u64().unwrap() + 1;
        let said = match kind {
            "client" => vec![json!({ "client_id": client.0 })],
            "credential" => vec![json!({ "client_id": client.0, "credential": claims["cred"] })],
            "before" => vec![json!({ "client_id": client.0, "issued_before": claims["iat"] })],
            // The first says too early an end.
            _ => {
                vec![json!({ "jti": claims["jti"], "exp": early }), json!({ "jti": claims["jti"] })]
            }
        };
        for order in said {
            assert_eq!(revoke(&server, order).await.status, 200, "{kind}");
        }
        tokens.push((kind, token));
    }
    let alive = server.token_of(&client).await;
    let of_gone = server.token_of(&gone).await;
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    server.clock.advance(Duration::from_secs(60));
    server.app.health.revocations.forget_expired(server.clock.now());
    for (kind, token) in tokens {
        assert_eq!(server.tokeninfo(&token).await.status, 401, "{kind}");
    }
    for token in [alive, of_gone] {
        assert_eq!(server.tokeninfo(&token).await.status, 200);
    }
    assert_eq!(server.token(Some((&client.0, &client.1)), GRANT).await.status, 200);
}
