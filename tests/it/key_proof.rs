//! Proof of possession of a registered key, and keys that two clients have.

use futures_util::future::join_all;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use serde_json::{Value, json};

use crate::harness::{Reply, START, Server, client_key, header_of, signed, signed_text, store_in};

fn ec() -> &'static PrivateKey {
    client_key(Algorithm::ES256)
}

fn ed() -> &'static PrivateKey {
    client_key(Algorithm::EdDSA)
}

fn header(key: &PrivateKey) -> Value {
    let mut header = header_of(key);
    header["typ"] = "latchkey-key-proof+jwt".into();
    header
}

fn claims(server: &Server, key: &PrivateKey, jti: &str) -> Value {
    json!({
        "aud": server.app.config.issuer, "jkt": key.public().thumbprint(), "jti": jti,
        "iat": START, "exp": START + 300,
    })
}

fn proof(server: &Server, key: &PrivateKey, jti: &str) -> String {
    signed(&header(key), &claims(server, key, jti), key)
}

fn metadata(keys: &[&PrivateKey], proof: Value) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.public().to_json()).collect();
    let mut metadata = json!({
        "client_name": "svc",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": keys },
    });
    if !proof.is_null() {
        metadata["proof"] = proof;
    }
    metadata
}

fn refused(reply: &Reply, why: &str) {
    let seen = (reply.status, reply.error());
    assert_eq!(seen, (400, Some("invalid_client_metadata")), "{why}: {reply:?}");
}

#[actix_web::test]
async fn what_a_proof_must_say() {
    let server = Server::start().await;
    #[rustfmt::skip]
    let cases = [
        // why                        header that differs                          claims that differ                                        status
        ("as it should be",           json!({}),                                   json!({}),                                                201),
        ("typ as a media type",       json!({ "typ": "application/Latchkey-Key-Proof+JWT" }), json!({}),                                     201),
        ("typ of an assertion",       json!({ "typ": "JWT" }),                     json!({}),                                                400),
        ("typ missing",               json!({ "typ": null }),                      json!({}),                                                400),
        ("typ of an access token",    json!({ "typ": "at+jwt" }),                  json!({}),                                                400),
        ("crit",                      json!({ "crit": ["x"] }),                    json!({}),                                                400),
        ("another algorithm",         json!({ "alg": "EdDSA" }),                   json!({}),                                                400),
        ("none",                      json!({ "alg": "none" }),                    json!({}),                                                400),
        ("another kid, not heard",    json!({ "kid": "x" }),                       json!({}),                                                201),
        ("aud in a list",             json!({}),                                   json!({ "aud": [server.app.config.issuer] }),             201),
        ("aud missing",               json!({}),                                   json!({ "aud": null }),                                   400),
        ("aud another",               json!({}),                                   json!({ "aud": "https://other.test" }),                   400),
        ("aud the token endpoint",    json!({}),                                   json!({ "aud": server.app.config.url("/oauth/token") }),  400),
        ("aud and another",           json!({}),                                   json!({ "aud": [server.app.config.issuer, "x"] }),        400),
        ("aud a number",              json!({}),                                   json!({ "aud": 1 }),                                      400),
        ("jkt a number",              json!({}),                                   json!({ "jkt": 1 }),                                      400),
        ("jkt missing",               json!({}),                                   json!({ "jkt": null }),                                   400),
        ("jkt of another key",        json!({}),                                   json!({ "jkt": ed().public().thumbprint() }),             400),
        ("jti missing",               json!({}),                                   json!({ "jti": null }),                                   400),
        ("jti empty",                 json!({}),                                   json!({ "jti": "" }),                                     400),
        ("jti of 256 characters",     json!({}),                                   json!({ "jti": "j".repeat(256) }),                        201),
        ("jti of 257 characters",     json!({}),                                   json!({ "jti": "j".repeat(257) }),                        400),
        ("jti a number",              json!({}),                                   json!({ "jti": 1 }),                                      400),
        ("iat missing",               json!({}),                                   json!({ "iat": null }),                                   400),
        ("exp missing",               json!({}),                                   json!({ "exp": null }),                                   400),
        ("exp now",                   json!({}),                                   json!({ "iat": START - 10, "exp": START }),               400),
        ("exp in a second",           json!({}),                                   json!({ "iat": START - 10, "exp": START + 1 }),           201),
        ("five minutes and a second", json!({}),                                   json!({ "exp": START + 301 }),                            400),
        ("iat within the skew",       json!({}),                                   json!({ "iat": START + 30, "exp": START + 330 }),         201),
        ("iat beyond the skew",       json!({}),                                   json!({ "iat": START + 31, "exp": START + 60 }),          400),
        ("nbf beyond the skew",       json!({}),                                   json!({ "nbf": START + 31 }),                             400),
        ("dates with fractions",      json!({}),                                   json!({ "iat": 1_800_000_000.5, "exp": 1_800_000_300.5 }), 201),
    ];
    for (why, more_header, more_claims, status) in cases {
        let mut header = header(ec());
        let mut claims = claims(&server, ec(), why);
        for (object, more) in [(&mut header, more_header), (&mut claims, more_claims)] {
            object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        let proof = signed(&header, &claims, ec());
        let reply = server.register(metadata(&[ec()], json!(proof))).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 400 {
            refused(&reply, why);
            assert!(reply.text_of("error_description").contains("proof"), "{why}: {reply:?}");
        } else {
            assert!(reply.body.get("proof").is_none(), "{why}: it is not echoed");
        }
    }
}

#[actix_web::test]
async fn rfc7519_s4_a_claim_of_a_proof_is_there_once() {
    let server = Server::start().await;
    let spoiled = |part: &str, name: &str| format!("{{\"{name}\":1,{}", &part[1..]);
    let good = claims(&server, ec(), "once").to_string();
    let head = header(ec()).to_string();
    for (why, head, claims) in [
        ("jti twice", head.clone(), spoiled(&good, "jti")),
        ("something unknown twice", head.clone(), spoiled(&spoiled(&good, "x"), "x")),
        ("kid twice", spoiled(&head, "kid"), good.clone()),
        ("something unknown twice, above", spoiled(&spoiled(&head, "x"), "x"), good.clone()),
    ] {
        let proof = signed_text(&head, &claims, ec());
        refused(&server.register(metadata(&[ec()], json!(proof))).await, why);
    }
    let proof = signed_text(&head, &good, ec());
    assert_eq!(server.register(metadata(&[ec()], json!(proof))).await.status, 201);
}

#[actix_web::test]
async fn each_key_has_its_own_where_proofs_are_required() {
    let required = Server::with(|settings| settings.clients.require_key_proof = true).await;
    let free = Server::start().await;
    let of = |server: &Server, key: &PrivateKey, jti: &str| json!(proof(server, key, jti));
    let forged = |server: &Server| json!(signed(&header(ec()), &claims(server, ec(), "f"), ed()));
    for (server, required) in [(&required, true), (&free, false)] {
        let missing = if required { 400 } else { 201 };
        #[rustfmt::skip]
        let cases = [
            // why                    keys              proof                                                          status
            ("none",                  vec![ec()],       Value::Null,                                                   missing),
            ("an empty list",         vec![ec()],       json!([]),                                                     missing),
            ("one, as a string",      vec![ec()],       of(server, ec(), "1"),                                         201),
            ("one, as a list",        vec![ec()],       json!([of(server, ec(), "2")]),                                201),
            ("both, in any order",    vec![ec(), ed()], json!([of(server, ed(), "3"), of(server, ec(), "3")]),         201),
            ("one of two",            vec![ec(), ed()], of(server, ec(), "4"),                                         missing),
            ("the same key twice",    vec![ec(), ed()], json!([of(server, ec(), "5"), of(server, ec(), "6")]),         400),
            ("of another key",        vec![ec()],       of(server, ed(), "7"),                                         400),
            ("one and one too many",  vec![ec()],       json!([of(server, ec(), "8"), of(server, ed(), "8")]),         400),
            ("forged",                vec![ec()],       forged(server),                                                400),
            ("an object",             vec![ec()],       json!({}),                                                     400),
            ("null",                  vec![ec()],       json!([null]),                                                 400),
            ("no JWT",                vec![ec()],       json!("x"),                                                    400),
        ];
        for (why, keys, proof, status) in cases {
            let reply = server.register(metadata(&keys, proof)).await;
            assert_eq!(reply.status, status, "{why}, required: {required}: {reply:?}");
        }
        let null = {
            let mut metadata = metadata(&[ec()], Value::Null);
            metadata["proof"] = Value::Null;
            metadata
        };
        refused(&server.register(null).await, "null");
        let secret = json!({ "client_name": "c", "proof": proof(server, ec(), "9") });
        refused(&server.register(secret).await, "a proof of no key");
        let secret = server.register(json!({ "client_name": "c" })).await;
        assert_eq!(secret.status, 201, "a secret needs no proof");
    }
    let reply = required.create_client(metadata(&[ec()], Value::Null)).await;
    refused(&reply, "an admin is asked for it too");
    let proven = metadata(&[ec()], json!(proof(&required, ec(), "10")));
    assert_eq!(required.create_client(proven).await.status, 201);
}

#[actix_web::test]
async fn a_proof_is_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let once = metadata(&[ec()], json!(proof(&server, ec(), "once")));
    let replies = join_all((0..20).map(|_| server.register(once.clone()))).await;
    let mut seen: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    seen.sort_unstable();
    assert_eq!(seen, [vec![201], vec![400; 19]].concat(), "20 at once");

    let other = metadata(&[ed()], json!(proof(&server, ed(), "once")));
    assert_eq!(server.register(other).await.status, 201, "another key may use the same jti");

    let unnamed = {
        let mut metadata = metadata(&[ec()], json!(proof(&server, ec(), "kept")));
        metadata["client_name"] = Value::Null;
        metadata
    };
    refused(&server.register(unnamed).await, "another fault");
    let kept = metadata(&[ec()], json!(proof(&server, ec(), "kept")));
    assert_eq!(server.register(kept).await.status, 201, "another fault does not use it up");

    server.stop().await;
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    refused(&server.register(once).await, "after a restart");
}

#[actix_web::test]
async fn a_proof_is_no_assertion_and_an_assertion_no_proof() {
    let server = Server::start().await;
    let id = server.granted_with_key(ec(), json!({ "allowedCustomClaims": ["jkt"] })).await;
    let both = |jti: &str| {
        let mut claims = claims(&server, ec(), jti);
        claims["iss"] = id.as_str().into();
        claims["sub"] = id.as_str().into();
        claims
    };
    for (why, header, token, registered) in
        [("as an assertion", header_of(ec()), 200, 400), ("as a proof", header(ec()), 401, 201)]
    {
        let assertion = signed(&header, &both(&format!("{why} 1")), ec());
        assert_eq!(server.token_by(&assertion, "").await.status, token, "{why}");
        let proof = signed(&header, &both(&format!("{why} 2")), ec());
        let reply = server.register(metadata(&[ec()], json!(proof))).await;
        assert_eq!(reply.status, registered, "{why}: {reply:?}");
    }

    // Neither uses up the `jti` of the other, whatever the client is called.
    let assertion = signed(&header_of(ec()), &both("shared"), ec());
    assert_eq!(server.token_by(&assertion, "").await.status, 200);
    let proof = signed(&header(ec()), &both("shared"), ec());
    assert_eq!(server.register(metadata(&[ec()], json!(proof))).await.status, 201);
}

/// An admin gives this key to a client that has another.
async fn add_key(server: &Server, key: &PrivateKey) -> Reply {
    let first = json!({ "client_name": "c" });
    let id = server.create_client(first).await.text_of("client_id");
    let body = json!({ "public_key": key.public().to_json() });
    server.admin_post(&format!("/clients/{id}/keys"), &body).await
}

#[actix_web::test]
async fn a_key_of_two_clients_is_reported_or_refused() {
    let server = Server::start().await;
    let first = server.register(metadata(&[ec()], Value::Null)).await.text_of("client_id");
    let second = server.register(metadata(&[ec(), ed()], Value::Null)).await;
    assert_eq!(second.status, 201);
    assert!(!second.text.contains(&first), "who registers itself is not told of others");
    assert!(second.body.get("warnings").is_none(), "{second:?}");
    let second = second.text_of("client_id");

    let made = server.create_client(metadata(&[ec()], Value::Null)).await;
    assert_eq!(made.status, 201);
    let warnings = made.body["warnings"].to_string();
    assert!(warnings.contains(&first) && warnings.contains(&second), "{warnings}");
    let other = client_key(Algorithm::RS256);
    let made = server.create_client(metadata(&[other], Value::Null)).await;
    assert!(made.body.get("warnings").is_none(), "{made:?}");

    let renamed = {
        let mut metadata = metadata(&[other], Value::Null);
        metadata["jwks"]["keys"][0]["kid"] = "another name".into();
        metadata["jwks"]["keys"][0]["alg"] = "PS256".into();
        metadata
    };
    let made = server.create_client(renamed.clone()).await;
    assert_eq!(made.body["warnings"].as_array().map(Vec::len), Some(1), "whatever its name");

    let added = add_key(&server, other).await;
    assert_eq!(added.body["warnings"].as_array().map(Vec::len), Some(2), "{added:?}");
    let documents = |key: &PrivateKey| {
        json!({ "clients": [{
        "clientId": "from elsewhere", "name": "c", "permissions": [], "__STATE__": "PUBLIC",
        "authMethod": "private_key_jwt", "publicKey": key.public().to_json(),
    }] })
    };
    let brought = server.admin_post("/clients/import", &documents(other)).await;
    let result = &brought.body["results"][0];
    assert_eq!(result["outcome"], "imported", "{brought:?}");
    assert_eq!(result["warnings"].as_array().map(Vec::len), Some(3), "{brought:?}");

    let strict = Server::with(|settings| settings.clients.refuse_shared_keys = true).await;
    assert_eq!(strict.register(metadata(&[other], Value::Null)).await.status, 201);
    for (why, reply) in [
        ("a client", strict.register(metadata(&[other], Value::Null)).await),
        ("under another name", strict.register(renamed.clone()).await),
        ("one of two", strict.register(metadata(&[ec(), other], Value::Null)).await),
        ("an admin", strict.create_client(metadata(&[other], Value::Null)).await),
        ("an admin, later", add_key(&strict, other).await),
    ] {
        refused(&reply, why);
        assert!(reply.text_of("error_description").contains("another client"), "{why}");
    }
    let brought = strict.admin_post("/clients/import", &documents(other)).await;
    assert_eq!(brought.body["results"][0]["outcome"], "refused", "{brought:?}");
    assert_eq!(strict.register(metadata(&[ec()], Value::Null)).await.status, 201, "none was kept");
    let both_names = {
        let mut metadata = metadata(&[ed()], Value::Null);
        let mut twin = metadata["jwks"]["keys"][0].clone();
        twin["kid"] = "twin".into();
        metadata["jwks"]["keys"].as_array_mut().unwrap().push(twin);
        metadata
    };
    assert_eq!(strict.register(both_names).await.status, 201, "twice in one client is not shared");
}
