//! `POST /clients/import`: the clients of another platform, as its documents have them.

use latchkey::audit::AuditQuery;
use latchkey::domain::jwk::Algorithm;
use serde_json::{Value, json};

use crate::harness::{ADMIN, GRANT, Reply, START, Server, client_key};

async fn import(server: &Server, body: &Value) -> Reply {
    let request = server.http.post(format!("{}/clients/import", server.url)).json(body);
    server.send(request.bearer_auth(server.admin_token().await)).await
}

/// What became of these documents.
async fn imported(server: &Server, clients: Value) -> Vec<Value> {
    let reply = import(server, &json!({ "clients": clients })).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{reply:?}");
    reply.body["results"].as_array().unwrap().clone()
}

fn mia(id: &str) -> Value {
    json!({
        "_id": { "$oid": "65f0c0ffee65f0c0ffee65f0" },
        "clientId": id,
        "name": "orders",
        "permissions": ["read:orders"],
        "audience": ["orders"],
        "allowedCustomClaims": null,
        "authMethod": "client_secret_basic",
        "__STATE__": "PUBLIC",
        "creatorId": "somebody",
        "createdAt": { "$date": "2024-01-02T03:04:05Z" },
        "updaterId": "public",
        "updatedAt": { "$date": "2024-01-02T03:04:05Z" },
        "lastLogin": { "$date": { "$numberLong": "1735786245000" } },
        "metadata": { "since": { "$date": "2024-01-02T03:04:05Z" } },
    })
}

fn with(mut document: Value, more: &Value) -> Value {
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[actix_web::test]
async fn a_key_goes_on_under_the_same_id() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256);
    let mut jwk = key.public().to_json();
    jwk["alg"] = "RSA256".into();
    let more = json!({ "authMethod": "private_key_jwt", "publicKey": jwk });

    let results = imported(&server, json!([with(mia("theirs"), &more)])).await;

    assert_eq!(results, [json!({ "client_id": "theirs", "outcome": "imported" })]);
    let issued = server.token_by(&server.assertion("theirs", key), "").await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let client = server.admin_get("/clients/theirs").await.body;
    for (member, value) in [
        ("client_name", json!("orders")),
        ("client_id_issued_at", json!(1_704_164_645)),
        ("last_login_at", json!(1_735_786_245)),
        ("permissions", json!(["read:orders"])),
        ("audience", json!(["orders"])),
        ("metadata", json!({ "since": "2024-01-02T03:04:05Z" })),
        ("creatorId", json!("somebody")),
        ("updaterId", json!(ADMIN.0)),
        ("secrets", json!([])),
    ] {
        assert_eq!(client[member], value, "{member}");
    }
}

#[actix_web::test]
async fn rfc7517_s5_the_keys_of_a_set_that_can_be_used() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES384);
    let keys = json!([{ "jwk": { "kty": "new", "kid": "n" } }, { "jwk": key.public().to_json() }]);
    let more = json!({ "authMethod": "private_key_jwt", "keys": keys });

    let results = imported(&server, json!([with(mia("theirs"), &more)])).await;

    assert_eq!(results[0]["outcome"], "imported", "{results:?}");
    let warnings = results[0]["warnings"].to_string();
    assert!(warnings.contains("the key `n` is left out"), "{warnings}");
    let issued = server.token_by(&server.assertion("theirs", key), "").await;
    assert_eq!(issued.status, 200, "{issued:?}");
}

#[actix_web::test]
async fn a_secret_goes_on_if_it_comes_along_and_is_new_if_not() {
    let server = Server::start().await;
    let hash = bcrypt::hash("hunter2", 4).unwrap();
    let results = imported(
        &server,
        json!([
            mia("new"),
            with(mia("hashed"), &json!({ "secrets": [{ "hash": hash }] })),
            with(mia("plain"), &json!({ "clientSecret": "correct horse" })),
            with(mia("elsewhere"), &json!({ "secrets": [{ "hash": hash, "checksummed": true }] })),
            with(mia("draft"), &json!({ "clientSecret": "correct horse", "__STATE__": "DRAFT" })),
        ]),
    )
    .await;

    let outcome = |index: usize| results[index]["outcome"].as_str().unwrap();
    let new = results[0]["client_secret"].as_str().unwrap();
    assert_eq!((outcome(0), outcome(3)), ("imported_with_new_secret", "imported_with_new_secret"));
    assert_eq!([outcome(1), outcome(2), outcome(4)], ["imported"; 3]);
    for index in [1, 2, 4] {
        assert!(results[index].get("client_secret").is_none(), "{index}");
    }
    let warned = |result: &Value| result["warnings"].to_string().contains("72 octets");
    assert_eq!(results.iter().map(warned).collect::<Vec<_>>(), [false, true, false, false, false]);
    for (why, id, secret, status) in [
        ("the new one", "new", new, 200),
        ("another's", "hashed", new, 401),
        ("of its hash", "hashed", "hunter2", 200),
        ("not of its hash", "hashed", "hunter3", 401),
        ("in plain", "plain", "correct horse", 200),
        ("of another Latchkey", "elsewhere", "hunter2", 401),
        ("of a draft", "draft", "correct horse", 401),
    ] {
        let reply = server.token(Some((id, secret)), GRANT).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
    }
    let kept = format!("{:?}", server.document("plain").await);
    assert!(!kept.contains("correct horse") && kept.contains("$argon2id$"), "{kept}");
}

#[actix_web::test]
async fn the_same_again_does_no_harm() {
    let server = Server::start().await;
    let first = imported(&server, json!([mia("a"), mia("a")])).await;
    assert_eq!(first[0]["outcome"], "imported_with_new_secret");
    assert_eq!(first[1], json!({ "client_id": "a", "outcome": "exists" }), "twice in one request");
    let secret = first[0]["client_secret"].as_str().unwrap();

    let changed = with(mia("a"), &json!({ "permissions": ["everything"] }));
    let again = imported(&server, json!([changed])).await;

    assert_eq!(again, [json!({ "client_id": "a", "outcome": "exists" })]);
    let token = server.token(Some(("a", secret)), GRANT).await.text_of("access_token");
    let claims = server.tokeninfo(&token).await.body;
    assert_eq!(claims["permissions"], json!(["read:orders"]));
}

#[actix_web::test]
async fn to_try_changes_nothing() {
    let server = Server::start().await;
    let clients = json!([mia("a"), with(mia("b"), &json!({ "authMethod": "none" }))]);
    let tried = import(&server, &json!({ "clients": clients, "dry_run": true })).await.body;
    let outcome = |index: usize| tried["results"][index]["outcome"].clone();
    assert_eq!((outcome(0), outcome(1)), (json!("imported_with_new_secret"), json!("refused")));
    assert!(tried["results"][0].get("client_secret").is_none());
    assert_eq!(server.admin_get("/clients/a").await.status, 404);
}

#[actix_web::test]
async fn one_that_cannot_be_used_is_no_matter_to_the_others() {
    let server = Server::start().await;
    let secret_of_ours = format!("lk_{}", "x".repeat(61));
    let results = imported(
        &server,
        json!([
            7,
            { "name": "nobody" },
            with(mia("weak"), &json!({ "authMethod": "private_key_jwt", "publicKey": {
                "kty": "RSA", "n": "AQAB", "e": "AQAB" } })),
            with(mia("power"), &json!({ "permissions": ["latchkey:clients:read"] })),
            with(mia("forged"), &json!({ "clientSecret": secret_of_ours })),
            with(mia("dear"), &json!({ "secrets": [{
                "hash": bcrypt::hash("x", 4).unwrap().replace("$04$", "$31$") }] })),
            mia("good"),
        ]),
    )
    .await;
    for (index, said) in [
        (0, "not a JSON object"),
        (1, "no `clientId`"),
        (2, "bits"),
        (3, "latchkey:clients:read"),
        (4, "lk_"),
        (5, "bcrypt from 04 to 14"),
    ] {
        let result = &results[index];
        assert_eq!(result["outcome"], "refused", "{result}");
        assert!(result["reason"].as_str().unwrap().contains(said), "{result}");
    }
    assert_eq!(
        (&results[1]["client_id"], &results[2]["client_id"]),
        (&Value::Null, &json!("weak"))
    );
    assert_eq!(results[6]["outcome"], "imported_with_new_secret");
}

#[actix_web::test]
async fn one_that_was_removed_comes_back_with_tokens_that_live() {
    let server = Server::start().await;
    let document = json!([with(mia("back"), &json!({ "clientSecret": "hunter2" }))]);
    let token =
        async || server.token(Some(("back", "hunter2")), GRANT).await.text_of("access_token");
    imported(&server, document.clone()).await;
    let old = token().await;
    assert_eq!(server.tokeninfo(&old).await.status, 200);
    let request = server.http.delete(format!("{}/clients/back", server.url));
    let removed = server.send(request.bearer_auth(server.admin_token().await)).await;
    assert_eq!(removed.status, 204, "{removed:?}");

    let again = imported(&server, document).await;

    assert_eq!(again[0]["outcome"], "imported", "{again:?}");
    let new = token().await;
    assert_eq!(server.tokeninfo(&new).await.status, 200);
    assert_eq!(server.tokeninfo(&old).await.status, 401, "what was ended stays so");
    let kept = server.document("back").await;
    assert_eq!(kept.get("tokenEpoch").and_then(mongodb::bson::Bson::as_i64), Some(2));
}

#[actix_web::test]
async fn each_has_its_record() {
    let server = Server::start().await;
    imported(&server, json!([with(mia("noted"), &json!({ "clientSecret": "hunter2" }))])).await;
    let query =
        AuditQuery { client_id: Some("noted".to_owned()), limit: 10, ..AuditQuery::default() };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.action.name(), record.at.0), ("client.imported", START));
    assert_eq!((&*record.actor, &record.after["client_name"]), (ADMIN.0, &json!("orders")));
    let text = serde_json::to_string(record).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("argon2"), "{text}");
}

#[actix_web::test]
async fn what_is_asked_of_the_whole() {
    let server = Server::start().await;
    let many = |count: usize| json!({ "clients": (0..count).map(|n| mia(&n.to_string())).collect::<Vec<_>>() });
    for (why, body, status) in [
        ("none", many(0), 400),
        ("too many", many(201), 400),
        ("no list", json!({ "clients": {} }), 400),
        ("no member", json!({}), 400),
        ("another member", json!({ "clients": [], "dryRun": true }), 400),
    ] {
        let reply = import(&server, &body).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
    }
    // Larger than any other route takes.
    let notes = json!({ "metadata": { "notes": "x".repeat(60 * 1024) } });
    let large = |n: usize| with(mia(&format!("large{n}")), &notes);
    let clients: Vec<Value> = (0..4).map(large).collect();
    let reply = import(&server, &json!({ "clients": clients })).await;
    assert_eq!(reply.body["results"][3]["outcome"], "imported_with_new_secret", "{reply:?}");
    let notes = json!({ "metadata": { "notes": "x".repeat(4 * 1024 * 1024) } });
    let reply = import(&server, &json!({ "clients": [with(mia("larger"), &notes)] })).await;
    assert_eq!(reply.status, 413);

    let grants = json!({ "permissions": ["latchkey:clients:write", "latchkey:clients:read"] });
    let (id, secret) = server.granted(grants).await;
    let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
    let request = server.http.post(format!("{}/clients/import", server.url)).json(&many(1));
    let refused = server.send(request.bearer_auth(token)).await;
    assert_eq!((refused.status, refused.error()), (403, Some("insufficient_scope")));
}
