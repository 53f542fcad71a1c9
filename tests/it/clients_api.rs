//! `/clients/{client_id}`: what an admin changes, rotates, unpublishes and removes.

use std::time::Duration;

use futures_util::future::join_all;
use latchkey::clients::logins;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{GRANT, Reply, Server, claims_of, client_key};

async fn conditional(
    server: &Server,
    method: Method,
    path: &str,
    body: &Value,
    if_match: &str,
) -> Reply {
    let token = server.admin_token().await;
    let mut request = server.http.request(method, format!("{}{path}", server.url));
    if !body.is_null() {
        request = request.json(body);
    }
    request = request.header("if-match", if_match);
    server.send(request.bearer_auth(token)).await
}

async fn patch(server: &Server, id: &str, body: Value) -> Reply {
    server.admin(Method::PATCH, &format!("/clients/{id}"), &body).await
}

async fn token(server: &Server, (id, secret): (&str, &str)) -> String {
    server.token(Some((id, secret)), GRANT).await.text_of("access_token")
}

#[actix_web::test]
async fn rfc7396_s2_a_patch_changes_what_it_names() {
    let server = Server::start().await;
    let grants = json!({
        "permissions": ["read"], "audience": ["orders"], "scope": "a b", "groups": ["one"],
        "metadata": { "kept": 1, "nested": { "gone": 1, "kept": 2 } }, "access_token_lifetime": 60,
    });
    let (id, _) = server.granted(grants).await;
    #[rustfmt::skip]
    let cases = [
        // why                        patch                                                     member                   then
        ("a new value",               json!({"client_name": "renamed"}),                        "client_name",           json!("renamed")),
        ("a list is replaced whole",  json!({"permissions": ["write", "write"]}),               "permissions",           json!(["write"])),
        ("null takes away",           json!({"audience": null}),                                "audience",              json!([])),
        ("null of a number",          json!({"access_token_lifetime": null}),                   "access_token_lifetime", json!(null)),
        ("objects are merged",        json!({"metadata": {"new": 3, "nested": {"gone": null}}}), "metadata",              json!({"kept": 1, "nested": {"kept": 2}, "new": 3})),
        ("a second name",             json!({"allowed_custom_claims": ["tenant"]}),             "allowedCustomClaims",   json!(["tenant"])),
        ("a quota",                   json!({"quota_per_hour": 7}),                             "quota_per_hour",        json!(7)),
        ("the method",                json!({"token_endpoint_auth_method": "client_secret_post"}), "token_endpoint_auth_method", json!("client_secret_post")),
    ];
    for (why, change, member, then) in cases {
        let reply = patch(&server, &id, change).await;
        assert_eq!(reply.status, 200, "{why}: {reply:?}");
        assert_eq!(reply.body[member], then, "{why}");
        let shown = server.admin_get(&format!("/clients/{id}")).await;
        assert_eq!(shown.body, reply.body, "{why}: what was answered is what is there");
    }
    let shown = server.admin_get(&format!("/clients/{id}")).await.body;
    assert_eq!((&shown["scope"], &shown["groups"]), (&json!("a b"), &json!(["one"])));
    assert_eq!(shown["updaterId"], crate::harness::ADMIN.0);
}

#[actix_web::test]
async fn a_patch_that_is_wrong_changes_nothing() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "permissions": ["read"] })).await;
    let before = server.admin_get(&format!("/clients/{id}")).await;
    #[rustfmt::skip]
    let cases = [
        ("unknown member",        json!({"permission": ["x"]}),                               "permission"),
        ("beside a known one",    json!({"client_name": "x", "colour": "red"}),               "colour"),
        ("the state",             json!({"__STATE__": "DRAFT"}),                              "__STATE__"),
        ("the id",                json!({"client_id": "x"}),                                  "client_id"),
        ("who made it",           json!({"creatorId": "x"}),                                  "creatorId"),
        ("secrets",               json!({"secrets": []}),                                     "secrets"),
        ("its tokens",            json!({"tokenEpoch": 9}),                                   "tokenEpoch"),
        ("no name",               json!({"client_name": null}),                               "client_name"),
        ("a number for a list",   json!({"permissions": 1}),                                  "permissions"),
        ("too long a life",       json!({"access_token_lifetime": 1_000_000}),                "access_token_lifetime"),
        ("a reserved claim",      json!({"allowedCustomClaims": ["sub"]}),                    "sub"),
        ("a method without keys", json!({"token_endpoint_auth_method": "private_key_jwt"}),   "private_key_jwt"),
        ("an unknown method",     json!({"token_endpoint_auth_method": "none"}),              "token_endpoint_auth_method"),
        ("an algorithm",          json!({"token_endpoint_auth_signing_alg": "RS256"}),        "private_key_jwt"),
        ("both names of one",     json!({"legacyAudience": 1, "legacy_audience": 2}),         "legacy"),
    ];
    for (why, change, named) in cases {
        let reply = patch(&server, &id, change).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_client_metadata")), "{why}");
        assert!(reply.text_of("error_description").contains(named), "{why}: {reply:?}");
    }
    let reply = patch(&server, &id, json!([1])).await;
    assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "a list");
    assert_eq!(patch(&server, "nobody", json!({})).await.status, 404);
    let after = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!((&after.body, after.header("etag")), (&before.body, before.header("etag")));
    assert_eq!(claims_of(&token(&server, (&id, &secret)).await)["permissions"], json!(["read"]));
}

#[actix_web::test]
async fn rfc7591_s2_a_patch_sets_and_clears_the_signing_algorithm() {
    let server = Server::start().await;
    let (ps256, es256) = (client_key(Algorithm::PS256), client_key(Algorithm::ES256));
    let jwks = json!({ "keys": [ps256.public().to_json(), es256.public().to_json()] });
    let metadata = json!({
        "client_name": "svc", "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks,
    });
    let id = server.create_client(metadata).await.text_of("client_id");
    #[rustfmt::skip]
    let cases = [
        // why                    patch                                                       status  pinned            PS256  ES256
        ("set",                   json!({"token_endpoint_auth_signing_alg": "PS256"}),        200,    json!("PS256"),   200,   401),
        ("set to another",        json!({"token_endpoint_auth_signing_alg": "ES256"}),        200,    json!("ES256"),   401,   200),
        ("not named",             json!({"client_name": "renamed"}),                          200,    json!("ES256"),   401,   200),
        ("of no key",             json!({"token_endpoint_auth_signing_alg": "RS256"}),        400,    json!("ES256"),   401,   200),
        ("symmetric",             json!({"token_endpoint_auth_signing_alg": "HS256"}),        400,    json!("ES256"),   401,   200),
        ("none",                  json!({"token_endpoint_auth_signing_alg": "none"}),         400,    json!("ES256"),   401,   200),
        ("a number",              json!({"token_endpoint_auth_signing_alg": 7}),              400,    json!("ES256"),   401,   200),
        ("cleared",               json!({"token_endpoint_auth_signing_alg": null}),           200,    Value::Null,      200,   200),
        ("cleared again",         json!({"token_endpoint_auth_signing_alg": null}),           200,    Value::Null,      200,   200),
    ];
    for (why, change, status, pinned, by_ps256, by_es256) in cases {
        let reply = patch(&server, &id, change).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 400 {
            assert_eq!(reply.error(), Some("invalid_client_metadata"), "{why}");
        }
        let shown = server.admin_get(&format!("/clients/{id}")).await.body;
        assert_eq!(shown["token_endpoint_auth_signing_alg"], pinned, "{why}");
        for (key, expected) in [(ps256, by_ps256), (es256, by_es256)] {
            let issued = server.token_by(&server.assertion(&id, key), "").await;
            assert_eq!(issued.status, expected, "{why}: {issued:?}");
        }
    }
}

/// RFC 7591 §2: of a key that names no algorithm, the registration decides, also when an
/// administrator changes it later; a key that names one stays as it is.
#[actix_web::test]
async fn rfc7591_s2_a_patch_decides_for_keys_without_an_algorithm() {
    let server = Server::start().await;
    let rsa = client_key(Algorithm::RS256);
    let pem = rsa.to_pem().unwrap();
    let silent_jwk = {
        let mut jwk = rsa.public().to_json();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    };
    let public_pem = rcgen::KeyPair::from_pem(&pem).unwrap().public_key_pem();
    let signing = |id: &str, algorithm: Algorithm, kid: &str| {
        let key = PrivateKey::from_pem(&pem, None).unwrap().with_algorithm(algorithm).unwrap();
        server.assertion(id, &key.named(kid))
    };
    let (rs, ps, es) = (Algorithm::RS256, Algorithm::PS256, "ES256");
    for (why, key, follows) in [
        ("a JWK without alg", json!({ "public_key": silent_jwk }), true),
        ("PEM", json!({ "public_key_pem": public_pem }), true),
        ("a JWK with alg", json!({ "public_key": rsa.public().to_json() }), false),
    ] {
        let mut metadata = key.clone();
        metadata["client_name"] = "svc".into();
        metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
        let created = server.create_client(metadata).await;
        let id = created.text_of("client_id");
        let kid = created.body["jwks"]["keys"][0]["kid"].as_str().unwrap().to_owned();
        #[rustfmt::skip]
        let cases = [
            // registered     status of the patch               signs after it
            (json!("PS256"),  if follows { 200 } else { 400 },  if follows { ps } else { rs }),
            (json!(es),       400,                              if follows { ps } else { rs }),
            (json!("RS256"),  200,                              rs),
            (json!("PS256"),  if follows { 200 } else { 400 },  if follows { ps } else { rs }),
            (json!(null),     200,                              rs),
        ];
        for (registered, status, signs) in cases {
            let change = json!({ "token_endpoint_auth_signing_alg": registered });
            let reply = patch(&server, &id, change).await;
            assert_eq!(reply.status, status, "{why}: {registered}: {reply:?}");
            for algorithm in [rs, ps] {
                let issued = server.token_by(&signing(&id, algorithm, &kid), "").await.status;
                let expected = if algorithm == signs { 200 } else { 401 };
                assert_eq!(issued, expected, "{why}: {registered}: {algorithm}");
            }
        }
    }
}

#[actix_web::test]
async fn what_another_tool_wrote_is_in_nobodys_way() {
    let odd = mongodb::bson::doc! {
        "clientId": "odd", "__STATE__": "PUBLIC", "name": "x".repeat(300), "groups": ["a\u{7}"],
        "allowedCustomClaims": ["sub"], "accessTokenLifetime": 10_000_000_i64,
    };
    let server = Server::holding(vec![odd]).await;
    let reply = patch(&server, "odd", json!({ "permissions": ["read"] })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let document = server.document("odd").await;
    assert_eq!(document.get_i64("accessTokenLifetime").unwrap(), 10_000_000);
    assert_eq!(document.get_str("name").unwrap().len(), 300);
}

#[actix_web::test]
async fn rfc9110_s13_1_1_a_lost_update_is_refused() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    let path = format!("/clients/{id}");
    let tag = server.admin_get(&path).await.header("etag").unwrap().to_owned();
    let change = json!({ "client_name": "first" });
    let reply = conditional(&server, Method::PATCH, &path, &change, &tag).await;
    assert_eq!(reply.status, 200);
    let newer = reply.header("etag").unwrap().to_owned();
    assert_ne!(newer, tag);
    #[rustfmt::skip]
    let cases = [
        ("the old tag",   tag.clone(),                      412),
        ("another",       "\"x\"".to_owned(),               412),
        ("a list",        format!("{tag}, {newer}"),        200),
        ("any",           "*".to_owned(),                   200),
    ];
    for (why, if_match, status) in cases {
        let change = json!({ "client_name": "again" });
        let reply = conditional(&server, Method::PATCH, &path, &change, &if_match).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        assert_eq!(reply.error(), (status == 412).then_some("precondition_failed"), "{why}");
    }
    let state = format!("{path}/state");
    let to_draft = json!({ "stateTo": "DRAFT" });
    let reply = conditional(&server, Method::POST, &state, &to_draft, &tag).await;
    assert_eq!(reply.status, 412);
    assert_eq!(conditional(&server, Method::DELETE, &path, &Value::Null, &tag).await.status, 412);
    assert_eq!(server.admin_get(&path).await.body["__STATE__"], "PUBLIC");
}

#[actix_web::test]
async fn of_racing_conditional_changes_one_is_made_and_of_others_all() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    let path = format!("/clients/{id}");
    let tag = server.admin_get(&path).await.header("etag").unwrap().to_owned();
    let changes: Vec<Value> =
        (0..4).map(|n| json!({ "metadata": { format!("m{n}"): n } })).collect();
    let raced = changes.iter().map(|c| conditional(&server, Method::PATCH, &path, c, &tag));
    let mut statuses: Vec<u16> = join_all(raced).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
    let raced = changes.iter().map(|change| server.admin(Method::PATCH, &path, change));
    assert!(join_all(raced).await.iter().all(|reply| reply.status == 200));
    let metadata = &server.admin_get(&path).await.body["metadata"];
    assert_eq!(metadata, &json!({ "m0": 0, "m1": 1, "m2": 2, "m3": 3 }));
}

#[actix_web::test]
async fn what_is_taken_away_stays_in_living_tokens_unless_they_are_revoked() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "permissions": ["read", "write"] })).await;
    let old = token(&server, (&id, &secret)).await;
    assert_eq!(patch(&server, &id, json!({ "permissions": ["read"] })).await.status, 200);
    assert_eq!(server.tokeninfo(&old).await.body["permissions"], json!(["read", "write"]));

    let path = format!("/clients/{id}?revoke_tokens=true");
    let reply = server.admin(Method::PATCH, &path, &json!({ "permissions": [] })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    let new = token(&server, (&id, &secret)).await;
    assert_eq!(server.tokeninfo(&new).await.body["permissions"], json!([]));
    for (why, query) in [("another word", "revoke_tokens=yes"), ("another parameter", "force=true")]
    {
        let path = format!("/clients/{id}?{query}");
        assert_eq!(server.admin(Method::PATCH, &path, &json!({})).await.status, 400, "{why}");
    }
}

#[actix_web::test]
async fn mia_1_3_transitions_between_states() {
    const STATES: [&str; 4] = ["PUBLIC", "DRAFT", "TRASH", "DELETED"];
    const ALLOWED: [(&str, &str); 7] = [
        ("PUBLIC", "DRAFT"),
        ("PUBLIC", "TRASH"),
        ("DRAFT", "PUBLIC"),
        ("DRAFT", "TRASH"),
        ("TRASH", "DRAFT"),
        ("TRASH", "DELETED"),
        ("DELETED", "TRASH"),
    ];
    let server = Server::start().await;
    for (from, to) in STATES.iter().flat_map(|from| STATES.map(|to| (*from, to))) {
        let (id, _) = server.granted(json!({ "__STATE__": from })).await;
        let path = format!("/clients/{id}/state");
        let reply = server.admin(Method::POST, &path, &json!({ "stateTo": to })).await;
        let allowed = from == to || ALLOWED.contains(&(from, to));
        assert_eq!(reply.status, if allowed { 204 } else { 400 }, "{from} to {to}: {reply:?}");
        if !allowed {
            let told = reply.text_of("message");
            assert_eq!(told, format!("transition from {from} to {to} not allowed."));
        }
        let shown = server.admin_get(&format!("/clients/{id}")).await;
        assert_eq!(shown.body["__STATE__"], if allowed { to } else { from });
    }
    for (why, body) in [
        ("no such state", json!({ "stateTo": "GONE" })),
        ("nothing", json!({})),
        ("another member", json!({ "stateTo": "DRAFT", "force": true })),
    ] {
        let (id, _) = server.granted(json!({})).await;
        let path = format!("/clients/{id}/state");
        assert_eq!(server.admin(Method::POST, &path, &body).await.status, 400, "{why}");
    }
    let nobody = "/clients/nobody/state";
    let reply = server.admin(Method::POST, nobody, &json!({ "stateTo": "DRAFT" })).await;
    assert_eq!(reply.status, 404);
}

#[actix_web::test]
async fn the_tokens_of_a_client_that_was_unpublished_stay_dead() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({})).await;
    let old = token(&server, (&id, &secret)).await;
    for state in ["DRAFT", "PUBLIC"] {
        let body = json!({ "stateTo": state });
        let reply = server.admin(Method::POST, &format!("/clients/{id}/state"), &body).await;
        assert_eq!(reply.status, 204);
        assert_eq!(server.tokeninfo(&old).await.status, 401, "when it is {state}");
    }
    let new = token(&server, (&id, &secret)).await;
    assert_eq!(server.tokeninfo(&new).await.status, 200);
}

#[actix_web::test]
async fn a_deleted_client_is_gone_with_its_tokens() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({})).await;
    let old = token(&server, (&id, &secret)).await;
    let path = format!("/clients/{id}");
    assert_eq!(server.admin(Method::DELETE, &path, &Value::Null).await.status, 204);
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    let refused = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!((refused.status, refused.error()), (401, Some("invalid_client")));
    assert_eq!(server.admin_get(&path).await.status, 404);
    assert_eq!(server.admin(Method::DELETE, &path, &Value::Null).await.status, 404);
}

#[actix_web::test]
async fn a_secret_is_replaced_without_an_outage() {
    let server = Server::start().await;
    let (id, first) = server.granted(json!({})).await;
    let works = async |secret: &str| server.token(Some((&id, secret)), GRANT).await.status;
    let path = format!("/clients/{id}/secrets");
    let added = server.admin(Method::POST, &path, &json!({ "overlap": 600 })).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("cache-control"), Some("no-store"));
    let second = added.text_of("client_secret");
    assert_eq!(added.body["client_secret_expires_at"], 0);
    assert_eq!((works(&first).await, works(&second).await), (200, 200));
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert!(!shown.text.contains(&second) && !shown.text.contains("argon2"), "{shown:?}");

    server.clock.advance(Duration::from_secs(599));
    assert_eq!((works(&first).await, works(&second).await), (200, 200), "just before");
    server.clock.advance(Duration::from_secs(1));
    assert_eq!((works(&first).await, works(&second).await), (401, 200), "at the end");

    let third = server.admin(Method::POST, &path, &json!({ "expires_in": 60 })).await;
    let third = third.text_of("client_secret");
    assert_eq!((works(&second).await, works(&third).await), (200, 200), "no overlap: both stay");
    server.clock.advance(Duration::from_secs(60));
    assert_eq!((works(&second).await, works(&third).await), (200, 401), "it had an end");
}

#[actix_web::test]
async fn a_client_has_so_many_secrets_and_no_more() {
    let server = Server::with(|settings| settings.clients.max_secrets = 3).await;
    let (id, _) = server.granted(json!({})).await;
    let path = format!("/clients/{id}/secrets");
    let add = async |body: Value| server.admin(Method::POST, &path, &body).await;
    let statuses = [add(json!({})).await.status, add(json!({})).await.status];
    assert_eq!(statuses, [201, 201]);
    let refused = add(json!({})).await;
    assert_eq!((refused.status, refused.error()), (400, Some("invalid_client_metadata")));
    assert_eq!(add(json!({ "overlap": 0 })).await.status, 201, "the older ones end at once");
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!(shown.body["secrets"].as_array().unwrap().len(), 1);
    for (why, body) in [
        ("an unknown member", json!({ "overlapp": 1 })),
        ("no number", json!({ "overlap": "1h" })),
        ("no life", json!({ "expires_in": 0 })),
        ("a negative one", json!({ "expires_in": -1 })),
    ] {
        assert_eq!(add(body).await.status, 400, "{why}");
    }
}

#[actix_web::test]
async fn a_client_has_so_many_keys_and_no_more() {
    let server = Server::with(|settings| settings.clients.max_keys = 11).await;
    let mut keys: Vec<PrivateKey> =
        (0..12).map(|_| PrivateKey::generate(Algorithm::EdDSA).unwrap()).collect();
    let (extra, last) = (keys.pop().unwrap(), keys.pop().unwrap());
    let jwks: Vec<Value> = keys.iter().map(|key| key.public().to_json()).collect();
    let made = server
        .create_client(json!({
            "client_name": "svc",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": jwks },
        }))
        .await;
    let id = made.text_of("client_id");
    let path = format!("/clients/{id}/keys");
    let add = async |key: &PrivateKey| {
        server.admin(Method::POST, &path, &json!({ "public_key": key.public().to_json() })).await
    };
    assert_eq!(add(&last).await.status, 201);
    for key in keys.iter().chain([&last]) {
        assert_eq!(server.token_by(&server.assertion(&id, key), "").await.status, 200);
    }
    let refused = add(&extra).await;
    assert_eq!((refused.status, refused.error()), (400, Some("invalid_client_metadata")));
    assert!(refused.text_of("error_description").contains("11 keys"), "{refused:?}");
}

#[actix_web::test]
async fn a_key_is_replaced_without_an_outage() {
    let server = Server::start().await;
    let (old, new) = (client_key(Algorithm::ES256), client_key(Algorithm::EdDSA));
    let id = server.granted_with_key(old, json!({})).await;
    let path = format!("/clients/{id}/keys");
    let body = json!({ "public_key": new.public().to_json(), "overlap": 60 });
    let added = server.admin(Method::POST, &path, &body).await;
    assert_eq!(added.status, 201, "{added:?}");
    for key in [old, new] {
        assert_eq!(server.token_by(&server.assertion(&id, key), "").await.status, 200);
    }
    let again = server.admin(Method::POST, &path, &body).await;
    assert_eq!((again.status, again.error()), (400, Some("invalid_client_metadata")), "twice");
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(server.token_by(&server.assertion(&id, old), "").await.status, 401);
    assert_eq!(server.token_by(&server.assertion(&id, new), "").await.status, 200);
    let none = server.admin(Method::POST, &path, &json!({ "overlap": 1 })).await;
    assert_eq!(none.status, 400, "without a key");
}

#[actix_web::test]
async fn what_was_obtained_with_a_deleted_credential_ends_if_it_is_told_so() {
    let server = Server::start().await;
    for (why, query, alive) in [
        ("not told", "", 200),
        ("told not to", "?revoke_tokens=false", 200),
        ("told so", "?revoke_tokens=true", 401),
    ] {
        let (id, first) = server.granted(json!({})).await;
        let path = format!("/clients/{id}/secrets");
        let added = server.admin(Method::POST, &path, &json!({})).await;
        let second = added.text_of("client_secret");
        let (by_first, by_second) =
            (token(&server, (&id, &first)).await, token(&server, (&id, &second)).await);
        let first_id = claims_of(&by_first)["cred"].as_str().unwrap().to_owned();
        let path = format!("{path}/{first_id}{query}");
        assert_eq!(server.admin(Method::DELETE, &path, &Value::Null).await.status, 204, "{why}");
        assert_eq!(server.token(Some((&id, &first)), GRANT).await.status, 401, "{why}");
        assert_eq!(server.tokeninfo(&by_first).await.status, alive, "{why}");
        assert_eq!(server.tokeninfo(&by_second).await.status, 200, "{why}");
        let again = server.admin(Method::DELETE, &path, &Value::Null).await;
        assert_eq!((again.status, again.error()), (404, Some("not_found")), "{why}");
    }
}

#[actix_web::test]
async fn a_key_that_comes_back_gets_good_tokens() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.granted_with_key(key, json!({})).await;
    let by_key =
        async || server.token_by(&server.assertion(&id, key), "").await.text_of("access_token");
    let old = by_key().await;
    let kid = claims_of(&old)["cred"].as_str().unwrap().to_owned();
    let path = format!("/clients/{id}/keys/{kid}?revoke_tokens=true");
    assert_eq!(server.admin(Method::DELETE, &path, &Value::Null).await.status, 204);
    let body = json!({ "public_key": key.public().to_json() });
    let path = format!("/clients/{id}/keys");
    assert_eq!(server.admin(Method::POST, &path, &body).await.status, 201);
    server.clock.advance(Duration::from_secs(31)); // beyond the skew of the revocation
    let new = by_key().await;
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    assert_eq!(server.tokeninfo(&new).await.status, 200);
}

#[actix_web::test]
async fn regenerate_removes_access_in_one_call() {
    let server = Server::start().await;
    let grants = json!({ "permissions": ["read"], "audience": ["orders"], "metadata": { "a": 1 } });
    let (id, secret) = server.granted(grants).await;
    let old = token(&server, (&id, &secret)).await;
    let path = format!("/clients/{id}/regenerate");
    let reply = server.admin(Method::POST, &path, &Value::Null).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let (new_id, new_secret) = (reply.text_of("client_id"), reply.text_of("client_secret"));
    assert_ne!(new_id, id);
    assert_eq!(server.tokeninfo(&old).await.status, 401);
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 401);
    assert_eq!(server.admin_get(&format!("/clients/{id}")).await.status, 404);
    let claims = claims_of(&token(&server, (&new_id, &new_secret)).await);
    assert_eq!((&claims["permissions"], &claims["aud"]), (&json!(["read"]), &json!(["orders"])));
    assert_eq!(server.admin_get(&format!("/clients/{new_id}")).await.body["metadata"]["a"], 1);
}

#[actix_web::test]
async fn only_an_admin_touches_those_who_have_power_over_the_server() {
    let server = Server::start().await;
    let (writer, writer_secret) =
        server.granted(json!({ "permissions": ["latchkey:clients:write"] })).await;
    let (boss, _) = server.granted(json!({ "permissions": ["latchkey:admin"] })).await;
    let (plain, _) = server.granted(json!({})).await;
    let by_writer = token(&server, (&writer, &writer_secret)).await;
    let key = client_key(Algorithm::ES256).public().to_json();
    #[rustfmt::skip]
    let changes = [
        (Method::PATCH,  "",            json!({"client_name": "x"})),
        (Method::POST,   "/state",      json!({"stateTo": "PUBLIC"})),
        (Method::POST,   "/secrets",    json!({})),
        (Method::POST,   "/keys",       json!({"public_key": key})),
        (Method::POST,   "/regenerate", json!({})),
        (Method::DELETE, "",            Value::Null),
    ];
    for (method, below, body) in &changes {
        let act = async |id: &str, body: &Value| {
            let url = format!("{}/clients/{id}{below}", server.url);
            let request = server.http.request(method.clone(), url);
            let request = if body.is_null() { request } else { request.json(body) };
            server.send(request.bearer_auth(&by_writer)).await
        };
        let refused = act(&boss, body).await;
        assert_eq!((refused.status, refused.error()), (403, Some("insufficient_scope")), "{below}");
        if method == Method::PATCH {
            let granting = json!({ "permissions": ["latchkey:audit:read"] });
            assert_eq!(act(&plain, &granting).await.status, 403, "power cannot be handed out");
            assert_eq!(act(&plain, body).await.status, 200);
        }
    }
    assert_eq!(server.admin_get(&format!("/clients/{boss}")).await.status, 200);
}

/// People tell clients apart by their names: wherever one comes in, it shows itself and nothing else.
#[actix_web::test]
async fn names_are_what_they_look_like() {
    let server = Server::start().await;
    let made = server.register(json!({ "client_name": "svc" })).await;
    let (id, token) = (made.text_of("client_id"), made.text_of("registration_access_token"));
    #[rustfmt::skip]
    let cases = [
        // why                       name                  good
        ("any letters",              "名 שלום 👩\u{200d}🔬", true),
        ("an override",              "a\u{202e}b",         false),
        ("an isolate",               "a\u{2067}b",         false),
        ("a line separator",         "a\u{2028}b",         false),
        ("a paragraph separator",    "a\u{2029}b",         false),
        ("C1",                       "a\u{9b}b",           false),
        ("a blank",                  "\u{a0}",             false),
        ("no width",                 "\u{200b}\u{feff}",   false),
        ("a filler",                 "\u{3164}",           false),
    ];
    for (index, (why, name, good)) in cases.into_iter().enumerate() {
        let named = json!({ "client_name": name });
        let own = json!({ "client_name": name, "client_id": id });
        let url = format!("{}/register/{id}", server.url);
        let put = server.http.put(url).bearer_auth(&token).json(&own);
        for (route, reply) in [
            ("POST /register", server.register(named.clone()).await),
            ("POST /clients", server.create_client(named.clone()).await),
            ("PATCH", server.admin(Method::PATCH, &format!("/clients/{id}"), &named).await),
            ("PUT", server.send(put).await),
        ] {
            assert_eq!(reply.status < 300, good, "{why}: {route}: {reply:?}");
            if !good {
                assert_eq!(reply.error(), Some("invalid_client_metadata"), "{why}: {route}");
            }
        }
        let theirs = json!({ "clients": [{ "clientId": format!("c{index}"), "name": name }] });
        let reply = server.admin_post("/clients/import", &theirs).await;
        let result = &reply.body["results"][0];
        assert_eq!(result["outcome"] == "refused", !good, "{why}: import: {result}");
        assert_eq!(result["reason"].is_string(), !good, "{why}: import: {result}");
    }
}

#[actix_web::test]
async fn rfc5789_s2_2_a_patch_of_another_type_is_told_which_are_taken() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    let token = server.admin_token().await;
    let taken = "application/merge-patch+json, application/json";
    #[rustfmt::skip]
    let cases = [
        // why              type                           coding      status  accepted
        ("a merge patch",   "application/merge-patch+json", "identity", 200,    None),
        ("another type",    "application/json-patch+json",  "identity", 415,    Some(taken)),
        ("a coding",        "application/merge-patch+json", "gzip",     415,    Some(taken)),
    ];
    for (why, media_type, coding, status, accepted) in cases {
        let request = server.http.patch(format!("{}/clients/{id}", server.url)).bearer_auth(&token);
        let request = request.header("content-type", media_type).header("content-encoding", coding);
        let reply = server.send(request.body("{}")).await;
        assert_eq!((reply.status, reply.header("accept-patch")), (status, accepted), "{why}");
    }
    let post = server.post("/clients", "text/plain", "{}").await;
    assert_eq!(post.header("accept-patch"), None);
}

#[actix_web::test]
async fn every_change_needs_the_permission_to_write() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    let (reader, secret) =
        server.granted(json!({ "permissions": ["latchkey:clients:read"] })).await;
    let by_reader = token(&server, (&reader, &secret)).await;
    #[rustfmt::skip]
    let changes = [
        (Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "/state"),
        (Method::POST, "/secrets"), (Method::DELETE, "/secrets/x"), (Method::POST, "/keys"),
        (Method::DELETE, "/keys/x"), (Method::POST, "/regenerate"),
        (Method::DELETE, "/registration-tokens/x"),
    ];
    for (method, below) in changes {
        let url = format!("{}/clients/{id}{below}", server.url);
        let request = server.http.request(method.clone(), &url).json(&json!({}));
        let reply = server.send(request.bearer_auth(&by_reader)).await;
        assert_eq!(
            (reply.status, reply.error()),
            (403, Some("insufficient_scope")),
            "{method} {below}"
        );
        let reply = server.send(server.http.request(method.clone(), &url).json(&json!({}))).await;
        assert_eq!(reply.status, 401, "{method} {below}");
    }
}

#[actix_web::test]
async fn a_list_is_narrowed() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let make = async |name: &str, mut grants: Value| {
        grants["client_name"] = name.into();
        let created = server.create_client(grants).await;
        (created.text_of("client_id"), created.text_of("client_secret"))
    };
    let (orders, secret) = make("Orders reader", json!({ "permissions": ["read"] })).await;
    make("orders WRITER", json!({ "permissions": ["read", "write"], "__STATE__": "DRAFT" })).await;
    let keyed = json!({ "token_endpoint_auth_method": "private_key_jwt", "public_key": key.public().to_json() });
    make("billing", keyed).await;
    server.clock.advance(Duration::from_secs(100));
    token(&server, (&orders, &secret)).await;
    logins::flush(&server.app.clients.logins, &*server.app.health.store).await.unwrap();
    let now = latchkey::domain::clock::Clock::now(&*server.clock).0;
    let names = async |query: &str| -> Vec<String> {
        let reply = server.admin_get(&format!("/clients?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        let clients = reply.body["clients"].as_array().unwrap();
        let names = clients.iter().map(|client| client["client_name"].as_str().unwrap().to_owned());
        names.filter(|name| name != "Latchkey administrator").collect()
    };
    #[rustfmt::skip]
    let cases = [
        ("",                                    &["Orders reader", "orders WRITER", "billing"][..]),
        ("name=ORDERS",                         &["Orders reader", "orders WRITER"]),
        ("state=DRAFT",                         &["orders WRITER"]),
        ("permission=write",                    &["orders WRITER"]),
        ("auth_method=private_key_jwt",         &["billing"]),
        ("name=orders&state=PUBLIC",            &["Orders reader"]),
        ("permission=nothing",                  &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(names(query).await, expected, "{query}");
    }
    assert_eq!(names(&format!("unused_since={now}")).await, ["orders WRITER", "billing"]);
    for bad in ["state=GONE", "auth_method=none", "unused_since=soon", "colour=red", "permission="]
    {
        assert_eq!(server.admin_get(&format!("/clients?{bad}")).await.status, 400, "{bad}");
    }

    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let reply = server.admin_get(&format!("/clients?name=orders&limit=1{cursor}")).await;
        found.extend(reply.body["clients"].as_array().unwrap().clone());
        let Some(next) = reply.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found.len(), 2, "page by page");
}
