//! RFC 7591 §2 and §3: a client registers itself.

use std::task::Poll;

use latchkey::config::RegistrationSetting;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use reqwest::Method;
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use crate::harness::{FORM, GRANT, Reply, START, Server, claims_of, client_key};

fn key_metadata(more: Value) -> Value {
    let mut metadata =
        json!({ "client_name": "c", "token_endpoint_auth_method": "private_key_jwt" });
    if let (Some(members), Value::Object(more)) = (metadata.as_object_mut(), more) {
        members.extend(more);
    }
    metadata
}

#[actix_web::test]
async fn s3_2_1_client_information() {
    let server = Server::start().await;
    for (method, shown) in [
        (Value::Null, "client_secret_basic"),
        (json!("client_secret_basic"), "client_secret_basic"),
        (json!("client_secret_post"), "client_secret_post"),
    ] {
        let metadata =
            json!({ "client_name": "my \u{e9}pp", "token_endpoint_auth_method": method });
        let reply = server.register(metadata).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let secret = reply.text_of("client_secret");
        let alphabet = |b: u8| b.is_ascii_alphanumeric();
        assert!(secret.strip_prefix("lk_").unwrap().bytes().all(alphabet));
        let expected = json!({
            "client_id": reply.body["client_id"],
            "client_id_issued_at": START,
            "client_name": "my \u{e9}pp",
            "token_endpoint_auth_method": shown,
            "grant_types": ["client_credentials"],
            "response_types": [],
            "registration_client_uri": reply.body["registration_client_uri"],
            "registration_access_token": reply.body["registration_access_token"],
            "client_secret": secret,
            "client_secret_expires_at": 0,
        });
        assert_eq!(reply.body, expected);
    }

    for &algorithm in Algorithm::ALL {
        let jwk = client_key(algorithm).public().to_json();
        let reply = server.register(key_metadata(json!({ "public_key": jwk }))).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let expected = json!({
            "client_id": reply.body["client_id"],
            "client_id_issued_at": START,
            "client_name": "c",
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"],
            "response_types": [],
            "registration_client_uri": reply.body["registration_client_uri"],
            "registration_access_token": reply.body["registration_access_token"],
            "jwks": { "keys": [jwk] },
        });
        assert_eq!(reply.body, expected, "{algorithm}: and never a secret");
    }
}

#[actix_web::test]
async fn s3_1_what_a_client_may_not_ask_for() {
    let server = Server::start().await;
    let asked = json!({
        "client_name": "c", "client_id": "mine", "client_secret": "hunter2",
        "client_id_issued_at": 1, "client_secret_expires_at": 1,
        "scope": "admin", "permissions": ["latchkey:admin"], "audience": ["a"],
        "__STATE__": "DRAFT", "groups": ["admin"], "allowedCustomClaims": ["x"],
        "access_token_lifetime": 1, "legacyAudience": 9_999_999_999_u64, "metadata": { "a": 1 },
        "creatorId": "root", "tokenEpoch": 5, "secrets": [{ "hash": "x" }], "keys": [],
        "_id": "x", "version": 9, "contacts": ["a@b.test"], "software_id": "s", "x": { "y": 1 },
        "registration_access_token": "x", "registration_client_uri": "https://x.test",
        "$where": "1", "__proto__": { "admin": true },
    });
    let reply = server.register(asked.clone()).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let names: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
    let expected = [
        "client_id",
        "client_id_issued_at",
        "client_name",
        "token_endpoint_auth_method",
        "grant_types",
        "response_types",
        "registration_client_uri",
        "registration_access_token",
        "client_secret",
        "client_secret_expires_at",
    ];
    assert_eq!(names, expected, "what was ignored is not echoed");
    let (id, secret) = (reply.text_of("client_id"), reply.text_of("client_secret"));
    assert_ne!((id.as_str(), secret.as_str()), ("mine", "hunter2"));
    assert_eq!(reply.body["client_id_issued_at"], START);
    assert!(
        reply.text_of("registration_access_token").starts_with("lkr_"),
        "not the one asked for"
    );

    let reply = server.token(Some((&id, &secret)), GRANT).await;
    let claims = claims_of(&reply.text_of("access_token"));
    assert_eq!(claims["permissions"], json!([]));
    assert_eq!((claims.get("scope"), claims.get("aud")), (None, None));
    assert_eq!(server.token(Some(("mine", "hunter2")), GRANT).await.status, 401);
    let shown = server.admin_get(&format!("/clients/{id}")).await.body;
    for (member, value) in [
        ("permissions", json!([])),
        ("audience", json!([])),
        ("scope", json!("")),
        ("__STATE__", json!("PUBLIC")),
        ("groups", json!([])),
        ("metadata", json!({})),
        ("allowedCustomClaims", json!([])),
        ("access_token_lifetime", Value::Null),
        ("legacyAudience", Value::Null),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }

    let mut by_key = asked;
    by_key["token_endpoint_auth_method"] = "private_key_jwt".into();
    by_key["public_key"] = client_key(Algorithm::ES256).public().to_json();
    let reply = server.register(by_key).await;
    assert_eq!((reply.status, reply.body.get("client_secret")), (201, None));
    let id = reply.text_of("client_id");
    assert_eq!(server.token(Some((&id, "hunter2")), GRANT).await.status, 401);
}

#[actix_web::test]
async fn s3_2_2_bodies() {
    let server = Server::start().await;
    let deep = format!("{{\"client_name\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, Vec<u8>, u16)> = vec![
        // why                  content type                        body                                       status
        ("an object",           "application/json",                 br#"{"client_name":"c"}"#.to_vec(),        201),
        ("with a charset",      "application/json; charset=utf-8",  br#"{"client_name":"c"}"#.to_vec(),        201),
        ("space around",        "application/json",                 b" {\"client_name\" : \"c\"}\n".to_vec(),  201),
        ("null",                "application/json",                 b"null".to_vec(),                          400),
        ("a list",              "application/json",                 b"[]".to_vec(),                            400),
        ("a list of one",       "application/json",                 br#"[{"client_name":"c"}]"#.to_vec(),      400),
        ("a string",            "application/json",                 br#""c""#.to_vec(),                        400),
        ("a number",            "application/json",                 b"1".to_vec(),                             400),
        ("true",                "application/json",                 b"true".to_vec(),                          400),
        ("empty",               "application/json",                 b"".to_vec(),                              400),
        ("an empty object",     "application/json",                 b"{}".to_vec(),                            400),
        ("not JSON",            "application/json",                 b"{client_name:c}".to_vec(),               400),
        ("cut off",             "application/json",                 br#"{"client_name":"c""#.to_vec(),         400),
        ("more behind",         "application/json",                 br#"{"client_name":"c"}{}"#.to_vec(),      400),
        ("a member twice",      "application/json",                 br#"{"client_name":"c","client_name":"d"}"#.to_vec(), 400),
        ("not UTF-8",           "application/json",                 b"{\"client_name\":\"\xff\"}".to_vec(),    400),
        ("half a surrogate",    "application/json",                 br#"{"client_name":"\ud800"}"#.to_vec(),   400),
        ("very deep",           "application/json",                 deep.into_bytes(),                         400),
        ("number too large",    "application/json",                 br#"{"client_name":"c","x":1e999}"#.to_vec(), 400),
        ("a form",              FORM,                               b"client_name=c".to_vec(),                 415),
        ("a form in name only", FORM,                               br#"{"client_name":"c"}"#.to_vec(),        415),
        ("text",                "text/plain",                       br#"{"client_name":"c"}"#.to_vec(),        415),
        ("a JWT",               "application/jwt",                  b"e30.e30.".to_vec(),                      415),
        ("too large",           "application/json",                 format!("{{\"client_name\":\"{}\"}}", "x".repeat(70_000)).into_bytes(), 413),
    ];
    for (why, media_type, body, status) in cases {
        let reply = server.post("/register", media_type, body).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status != 201 {
            assert!(reply.error().is_some(), "{why}");
            assert_eq!(reply.body["statusCode"], status, "{why}");
        }
    }
    let reply = server.get("/register").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
}

#[actix_web::test]
async fn s2_metadata() {
    let server = Server::start().await;
    let jwk = || client_key(Algorithm::ES256).public().to_json();
    let rsa = || client_key(Algorithm::RS256).public().to_json();
    let changed = |name: &str, value: Value| {
        let mut jwk = jwk();
        jwk[name] = value;
        json!({ "public_key": jwk })
    };
    let basic = |more: Value| {
        let mut metadata = key_metadata(more);
        metadata["token_endpoint_auth_method"] = "client_secret_basic".into();
        metadata
    };
    let name = |name: Value| json!({ "client_name": name });
    let many: Vec<Value> = (0..11)
        .map(|kid| {
            let mut jwk = jwk();
            jwk["kid"] = kid.to_string().into();
            jwk
        })
        .collect();

    #[rustfmt::skip]
    let cases = [
        // why                        metadata                                                            status
        ("no name",                   json!({}),                                                          400),
        ("name is null",              name(Value::Null),                                                  400),
        ("name is a number",          name(json!(1)),                                                     400),
        ("name is an object",         name(json!({ "$ne": 1 })),                                          400),
        ("name empty",                name(json!("")),                                                    400),
        ("name of spaces",            name(json!("  ")),                                                  400),
        ("name of 256 characters",    name(json!("x".repeat(256))),                                       201),
        ("name of 257 characters",    name(json!("x".repeat(257))),                                       400),
        ("256 that are not ASCII",    name(json!("\u{e9}".repeat(256))),                                  201),
        ("long with spaces",          name(json!(format!("x{}", " ".repeat(1000)))),                      400),
        ("name with a line break",    name(json!("a\nb")),                                                400),
        ("name with a NUL",           name(json!("a\0b")),                                                400),
        ("name with markup",          name(json!("<b>'\"&")),                                             201),
        ("method unknown",            json!({ "client_name": "c", "token_endpoint_auth_method": "tls_client_auth" }), 400),
        ("method none",               json!({ "client_name": "c", "token_endpoint_auth_method": "none" }), 400),
        ("method client_secret_jwt",  json!({ "client_name": "c", "token_endpoint_auth_method": "client_secret_jwt" }), 400),
        ("method in upper case",      json!({ "client_name": "c", "token_endpoint_auth_method": "CLIENT_SECRET_BASIC" }), 400),
        ("method a list",             json!({ "client_name": "c", "token_endpoint_auth_method": ["client_secret_basic"] }), 400),
        ("grant known",               basic(json!({ "grant_types": ["client_credentials"] })),            201),
        ("grant unknown",             basic(json!({ "grant_types": ["authorization_code"] })),            400),
        ("one grant unknown",         basic(json!({ "grant_types": ["client_credentials", "password"] })), 400),
        ("no grant",                  basic(json!({ "grant_types": [] })),                                400),
        ("grant a string",            basic(json!({ "grant_types": "client_credentials" })),              400),
        ("no response type",          basic(json!({ "response_types": [] })),                             201),
        ("a response type",           basic(json!({ "response_types": ["code"] })),                       400),
        ("key as a JWK",              key_metadata(json!({ "public_key": jwk() })),                       201),
        ("key as a set",              key_metadata(json!({ "jwks": { "keys": [jwk()] } })),               201),
        ("two keys",                  key_metadata(json!({ "jwks": { "keys": [jwk(), rsa()] } })),        201),
        ("no key",                    key_metadata(json!({})),                                            400),
        ("key for a secret method",   basic(json!({ "public_key": jwk() })),                              400),
        ("jwks_uri of nobody",        key_metadata(json!({ "jwks_uri": "https://x.test/jwks" })),         400),
        ("jwks_uri and jwks",         key_metadata(json!({ "jwks_uri": "https://x.test", "jwks": { "keys": [jwk()] } })), 400),
        ("jwks_uri, secret method",   basic(json!({ "jwks_uri": "https://x.test/jwks" })),                400),
        ("jwks empty",                key_metadata(json!({ "jwks": { "keys": [] } })),                    400),
        ("jwks no set",               key_metadata(json!({ "jwks": {} })),                                400),
        ("jwks a list",               key_metadata(json!({ "jwks": [jwk()] })),                           400),
        ("jwks null",                 key_metadata(json!({ "jwks": null })),                              400),
        ("jwks a string",             key_metadata(json!({ "jwks": json!({ "keys": [jwk()] }).to_string() })), 400),
        ("jwks with null",            key_metadata(json!({ "jwks": { "keys": [null] } })),                400),
        ("jwks, the same kid twice",  key_metadata(json!({ "jwks": { "keys": [jwk(), jwk()] } })),        400),
        ("jwks, one cannot be used",  key_metadata(json!({ "jwks": { "keys": [jwk(), {}] } })),           201),
        ("jwks of eleven",            key_metadata(json!({ "jwks": { "keys": many } })),                  400),
        ("jwks and public_key",       key_metadata(json!({ "jwks": { "keys": [jwk()] }, "public_key": jwk() })), 400),
        ("public_key null",           key_metadata(json!({ "public_key": null })),                        400),
        ("public_key a list",         key_metadata(json!({ "public_key": [jwk()] })),                     400),
        ("PEM no string",             key_metadata(json!({ "public_key_pem": 1 })),                       400),
        ("PEM empty",                 key_metadata(json!({ "public_key_pem": "" })),                      400),
        ("PEM nonsense",              key_metadata(json!({ "public_key_pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" })), 400),
        ("PEM private",               key_metadata(json!({ "public_key_pem": client_key(Algorithm::ES256).to_pem().unwrap().as_str() })), 400),
        ("key with a private half",   key_metadata(changed("d", json!("AAAA"))),                          400),
        ("symmetric key",             key_metadata(json!({ "public_key": { "kty": "oct", "k": "c2VjcmV0" } })), 400),
        ("key for HS256",             key_metadata(changed("alg", json!("HS256"))),                       400),
        ("key for none",              key_metadata(changed("alg", json!("none"))),                        400),
        ("alg unknown",               key_metadata(changed("alg", json!("ES257"))),                       400),
        ("alg of another type",       key_metadata(changed("alg", json!("RS256"))),                       400),
        ("alg a number",              key_metadata(changed("alg", json!(1))),                             400),
        ("key for encryption",        key_metadata(changed("use", json!("enc"))),                         400),
        ("off the curve",             key_metadata(changed("x", jwk()["y"].clone())),                     400),
        ("another curve",             key_metadata(changed("crv", json!("P-384"))),                       400),
        ("RSA too short",             key_metadata(json!({ "public_key": { "kty": "RSA", "e": "AQAB", "n": "_".repeat(171) } })), 400),
        ("RSA, e = 3",                key_metadata(json!({ "public_key": { "kty": "RSA", "e": "Aw", "n": rsa()["n"] } })), 400),
    ];
    for (why, metadata, status) in cases {
        let reply = server.register(metadata).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 400 {
            assert_eq!(reply.error(), Some("invalid_client_metadata"), "{why}");
            assert!(!reply.text_of("error_description").is_empty(), "{why}");
        }
    }
}

#[actix_web::test]
async fn s2_members_of_the_wrong_type() {
    let server = Server::start().await;
    #[rustfmt::skip]
    let cases = [
        // member                right, and so ignored              wrong
        ("client_uri",           json!("https://a.test"),           vec![json!(1), json!([])]),
        ("logo_uri#de",          json!("https://a.test"),           vec![json!({})]),
        ("client_name#de",       json!("svc"),                      vec![json!(7)]),
        ("contacts",             json!(["a@b.test"]),               vec![json!("a@b.test"), json!([1])]),
        ("redirect_uris",        json!([]),                         vec![json!(true), json!([null])]),
        ("tos_uri",              json!(null),                       vec![json!(false)]),
        ("policy_uri",           json!("x"),                        vec![json!(["x"])]),
        ("software_id",          json!("x"),                        vec![json!(1)]),
        ("software_version",     json!("1.0"),                      vec![json!(1.0)]),
        ("software_statement",   json!("e30.e30.AA"),               vec![json!({})]),
        ("scope",                json!("a b"),                      vec![json!(["a"]), json!(1), json!("a\nb"), json!("a\"b"), json!("a\u{e9}")]),
        ("scope",                json!(null),                       vec![json!({ "a": 1 }), json!(true)]),
        ("token_endpoint_auth_signing_alg", json!(null),            vec![json!("none"), json!("HS256"), json!("foo"), json!(""), json!(7), json!(["RS256"])]),
        ("token_endpoint_auth_signing_alg", json!("PS256"),         vec![json!("ps256"), json!("ES256K"), json!({})]),
    ];
    for (member, right, wrong) in cases {
        let with = |value: &Value| {
            let mut metadata = json!({ "client_name": "c" });
            metadata[member] = value.clone();
            metadata
        };
        let reply = server.register(with(&right)).await;
        assert_eq!(reply.status, 201, "{member}: {reply:?}");
        assert_eq!(reply.body.get(member), None, "{member}: not echoed");
        let own = ["registration_client_uri", "registration_access_token", "client_id"];
        let [uri, token, id] = own.map(|name| reply.text_of(name));
        for wrong in wrong {
            let refused = server.register(with(&wrong)).await;
            let seen = (refused.status, refused.error());
            assert_eq!(
                seen,
                (400, Some("invalid_client_metadata")),
                "{member}: {wrong}: {refused:?}"
            );
            let name = member.split('#').next().unwrap();
            assert!(refused.text_of("error_description").contains(name), "{member}: {refused:?}");

            let mut changed = with(&wrong);
            changed["client_id"] = id.as_str().into();
            let path = uri.split_once("/register").unwrap().1;
            let request = server.http.put(format!("{}/register{path}", server.url));
            let refused = server.send(request.bearer_auth(&token).json(&changed)).await;
            assert_eq!(refused.status, 400, "{member}: {wrong}: afterwards: {refused:?}");
        }
    }
}

#[actix_web::test]
async fn s2_token_endpoint_auth_signing_alg() {
    let server = Server::start().await;
    let without_alg = |key: &PrivateKey| {
        let mut jwk = key.public().to_json();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    };
    let (rsa, ec, ed) = (Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA);
    let pem = |key: &PrivateKey| {
        let pair = rcgen::KeyPair::from_pem(&key.to_pem().unwrap()).unwrap();
        json!({ "public_key_pem": pair.public_key_pem() })
    };
    let silent = |algorithm| json!({ "public_key": without_alg(client_key(algorithm)) });
    let saying = |algorithm| json!({ "public_key": client_key(algorithm).public().to_json() });
    let set = json!({ "jwks": { "keys": [without_alg(client_key(rsa)), client_key(ec).public().to_json()] } });
    #[rustfmt::skip]
    let cases = [
        // why                            registered  key                   it signs
        ("RSA without alg",               "PS256",    silent(rsa),          Some("PS256")),
        ("RSA without alg, the usual",    "RS256",    silent(rsa),          Some("RS256")),
        ("RSA without alg, the largest",  "RS512",    silent(rsa),          Some("RS512")),
        ("RSA in PEM",                    "PS384",    pem(client_key(rsa)), Some("PS384")),
        ("EC in PEM",                     "ES256",    pem(client_key(ec)),  Some("ES256")),
        ("the same",                      "ES256",    saying(ec),           Some("ES256")),
        ("another name of the same",      "Ed25519",  saying(ed),           Some("EdDSA")),
        ("the spelling of a platform",    "RSA256",   silent(rsa),          Some("RS256")),
        ("of a set, the one that fits",   "ES256",    set.clone(),          Some("ES256")),
        ("of a set, the other",           "PS256",    set.clone(),          Some("PS256")),
        ("of a set, none",                "EdDSA",    set,                  None),
        ("another of RSA",                "PS256",    saying(rsa),          None),
        ("another type",                  "PS256",    silent(ec),           None),
        ("another type, in PEM",          "ES384",    pem(client_key(ec)),  None),
        ("another curve",                 "ES512",    silent(ec),           None),
    ];
    for (why, registered, key, signs) in cases {
        let mut metadata = key_metadata(key);
        metadata["token_endpoint_auth_signing_alg"] = registered.into();
        let replies =
            [server.register(metadata.clone()).await, server.create_client(metadata).await];
        for reply in replies {
            let Some(signs) = signs else {
                let seen = (reply.status, reply.error());
                assert_eq!(seen, (400, Some("invalid_client_metadata")), "{why}: {reply:?}");
                continue;
            };
            assert_eq!(reply.status, 201, "{why}: {reply:?}");
            assert_eq!(reply.body["token_endpoint_auth_signing_alg"], signs, "{why}: echoed");
            let keys = &reply.body["jwks"]["keys"];
            assert_eq!(
                (keys.as_array().unwrap().len(), &keys[0]["alg"]),
                (1, &json!(signs)),
                "{why}"
            );

            let id = reply.text_of("client_id");
            let shown = server.admin_get(&format!("/clients/{id}")).await;
            assert_eq!(shown.body["token_endpoint_auth_signing_alg"], signs, "{why}: kept");
            let algorithm: Algorithm = signs.parse().unwrap();
            let material = match algorithm {
                Algorithm::ES256 => client_key(ec),
                Algorithm::EdDSA => client_key(ed),
                _ => client_key(rsa),
            };
            let pem = material.to_pem().unwrap();
            let named = |algorithm| {
                let key = PrivateKey::from_pem(&pem, None).unwrap().with_algorithm(algorithm);
                key.unwrap().named(&material.public().kid)
            };
            let assertion = server.assertion(&id, &named(algorithm));
            assert_eq!(server.token_by(&assertion, "").await.status, 200, "{why}");
            if algorithm == Algorithm::PS256 {
                let other = server.assertion(&id, &named(Algorithm::RS256));
                assert_eq!(server.token_by(&other, "").await.status, 401, "{why}: no other");
            }
        }
    }

    // What was registered holds for keys that come later, too.
    let mut metadata = key_metadata(silent(rsa));
    metadata["token_endpoint_auth_signing_alg"] = "PS256".into();
    let id = server.create_client(metadata).await.text_of("client_id");
    let path = format!("/clients/{id}/keys");
    let later =
        PrivateKey::from_pem(&client_key(Algorithm::PS256).to_pem().unwrap(), None).unwrap();
    let added = server.admin_post(&path, &json!({ "public_key": without_alg(&later) })).await;
    assert_eq!(added.status, 201, "{added:?}");
    let later = later.with_algorithm(Algorithm::PS256).unwrap().named(&added.text_of("kid"));
    assert_eq!(server.token_by(&server.assertion(&id, &later), "").await.status, 200);
    let refused = server.admin_post(&path, &saying(ec)).await;
    assert_eq!((refused.status, refused.error()), (400, Some("invalid_client_metadata")));
    let path = format!("/clients/{id}/regenerate");
    assert_eq!(server.admin_post(&path, &saying(ec)).await.status, 400);
    let again = server.admin_post(&path, &silent(rsa)).await;
    assert_eq!(again.body["jwks"]["keys"][0]["alg"], "PS256", "{again:?}");
}

#[actix_web::test]
async fn rfc7517_s5_the_keys_of_a_set_that_can_be_used() {
    let server = Server::start().await;
    let good = client_key(Algorithm::ES256).public().to_json();
    let other = client_key(Algorithm::EdDSA).public().to_json();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let rsa = client_key(Algorithm::RS256).public().to_json();
    #[rustfmt::skip]
    let cases = [
        // why                            the keys                                                          of them  named by
        ("a lattice",                     json!([{ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }, good]), 1, vec!["number 1"]),
        ("X25519",                        json!([good, { "kty": "OKP", "crv": "X25519", "x": "AA", "kid": "x" }]), 1, vec!["`x`"]),
        ("secp256k1",                     json!([{ "kty": "EC", "crv": "secp256k1", "kid": "k" }, good]),   1, vec!["`k`"]),
        ("for encryption",                json!([with("use", json!("enc")), other]),                        1, vec!["`"]),
        ("enc and sig of one kid",        json!([{ "kty": "RSA", "use": "enc", "kid": good["kid"], "n": rsa["n"], "e": "AQAB" }, good]), 1, vec!["`"]),
        ("RSA-OAEP",                      json!([{ "kty": "RSA", "alg": "RSA-OAEP", "n": rsa["n"], "e": "AQAB" }, good]), 1, vec!["number 1"]),
        ("without n",                     json!([{ "kty": "RSA", "e": "AQAB" }, good, {}]),                 1, vec!["number 1", "number 3"]),
        ("two, and one that is not",      json!([good, { "kty": "new" }, other]),                           2, vec!["number 2"]),
        ("a name that is long and sly",   json!([good, { "kty": "new", "kid": format!("\u{202e}{}", "k".repeat(500)) }]), 1, vec!["\\u202ekkk", "...`"]),
        ("good ones alone",               json!([good, other]),                                             2, vec![]),
        ("none that can be used",         json!([{ "kty": "new" }, { "kty": "RSA" }]),                      0, vec![]),
        ("a private one beside it",       json!([good, with("d", json!("AA"))]),                            0, vec![]),
        ("a private lattice",             json!([good, { "kty": "AKP", "priv": "AA" }]),                    0, vec![]),
        ("a symmetric one beside it",     json!([{ "kty": "oct", "k": "AA", "use": "enc" }, good]),         0, vec![]),
        ("what is not a key",             json!([good, null]),                                              0, vec![]),
        ("an x5c that is not a chain",    json!([good, with("x5c", json!(null)), other]),                   2, vec!["x5c"]),
        ("the same twice",                json!([good, good]),                                              0, vec![]),
    ];
    for (why, keys, taken, named) in cases {
        let metadata = key_metadata(json!({ "jwks": { "keys": keys } }));
        let registered = server.register(metadata.clone()).await;
        let created = server.create_client(metadata.clone()).await;
        for reply in [&registered, &created] {
            if taken == 0 {
                let seen = (reply.status, reply.error());
                assert_eq!(seen, (400, Some("invalid_client_metadata")), "{why}: {reply:?}");
                continue;
            }
            assert_eq!(reply.status, 201, "{why}: {reply:?}");
            assert_eq!(reply.body["jwks"]["keys"].as_array().unwrap().len(), taken, "{why}");
            // An administrator is warned of the other client with the same key, too.
            let warnings: Vec<&str> = reply.body["warnings"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|warning| warning.contains("left out"))
                .collect();
            assert_eq!(
                warnings.len(),
                named.len().min(keys.as_array().unwrap().len() - taken),
                "{why}: {warnings:?}"
            );
            for name in &named {
                let all = warnings.join("\n");
                assert!(all.contains(name) && all.len() < 1000, "{why}: {all}");
            }
        }
        if taken == 0 {
            continue;
        }
        // In place of what is registered, and as keys of a new id.
        let own = ["registration_client_uri", "registration_access_token", "client_id"];
        let [uri, token, id] = own.map(|name| registered.text_of(name));
        let path = uri.split_once("/register").unwrap().1;
        let mut changed = metadata.clone();
        changed["client_id"] = id.as_str().into();
        let request = server.http.put(format!("{}/register{path}", server.url));
        let replaced = server.send(request.bearer_auth(&token).json(&changed)).await;
        assert_eq!(replaced.status, 200, "{why}: {replaced:?}");
        assert_eq!(replaced.body.get("warnings"), registered.body.get("warnings"), "{why}");
        let body = json!({ "jwks": metadata["jwks"] });
        let again = server.admin_post(&format!("/clients/{id}/regenerate"), &body).await;
        assert_eq!(again.status, 201, "{why}: {again:?}");
        let shown = again.body["warnings"].to_string();
        assert_eq!(shown.contains("left out"), !named.is_empty(), "{why}: {shown}");
    }

    // One key that is added may come in a set, too.
    let id = server.client_with_key(client_key(Algorithm::RS256)).await;
    let set = json!({ "jwks": { "keys": [{ "kty": "new", "kid": "n" }, good] } });
    let added = server.admin_post(&format!("/clients/{id}/keys"), &set).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert!(added.body["warnings"].to_string().contains("`n`"), "{added:?}");
}

#[actix_web::test]
async fn rfc7468_s3_pem_with_blanks_at_line_ends() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES384);
    let pem = rcgen::KeyPair::from_pem(&key.to_pem().unwrap()).unwrap().public_key_pem();
    #[rustfmt::skip]
    let cases = [
        ("blanks at line ends",   pem.replace('\n', "  \n"),             None),
        ("tabs at line ends",     pem.replace('\n', "\t\r\n"),          None),
        ("blanks at line starts", format!("  {}", pem.replace('\n', "\n  ")), None),
        ("on one line",           pem.replace(['\r', '\n'], " "),        None),
        ("a byte order mark",     format!("\u{feff}{pem}"),              Some("byte order mark")),
        ("escaped line breaks",   pem.replace("\r\n", "\\n").replace('\n', "\\n"), Some("a backslash and an n")),
        ("cut off",               pem[..60].to_owned(),                  Some("PEM")),
    ];
    for (why, pem, said) in cases {
        let reply = server.register(key_metadata(json!({ "public_key_pem": pem }))).await;
        match said {
            None => {
                assert_eq!(reply.status, 201, "{why}: {reply:?}");
                let assertion = server.assertion(&reply.text_of("client_id"), key);
                assert_eq!(server.token_by(&assertion, "").await.status, 200, "{why}");
            }
            Some(said) => {
                let seen = (reply.status, reply.error());
                assert_eq!(seen, (400, Some("invalid_client_metadata")), "{why}: {reply:?}");
                assert!(reply.text_of("message").contains(said), "{why}: {reply:?}");
            }
        }
    }
}

#[actix_web::test]
async fn keys_in_every_form_work() {
    let server = Server::start().await;
    let (rsa, ec) = (client_key(Algorithm::RS256), client_key(Algorithm::ES256));
    let (ps, ed) = (client_key(Algorithm::PS256), client_key(Algorithm::EdDSA));
    let rsa_public =
        rsa::RsaPrivateKey::from_pkcs8_pem(&rsa.to_pem().unwrap()).unwrap().to_public_key();
    let spki = rsa_public.to_public_key_pem(LineEnding::LF).unwrap();
    let pkcs1 = rsa_public.to_pkcs1_pem(LineEnding::CRLF).unwrap();
    let mut rsa256 = rsa.public().to_json();
    rsa256["alg"] = "RSA256".into();
    let mut plain = ec.public().to_json();
    for member in ["kid", "alg", "use"] {
        plain.as_object_mut().unwrap().remove(member);
    }
    let mut both = [rsa.public().to_json(), rsa.public().to_json()];
    both[0]["kid"] = "first".into();
    both[1]["alg"] = "PS256".into();
    let (p384, p521) = (client_key(Algorithm::ES384), client_key(Algorithm::ES512));
    let pem = |key: &PrivateKey| {
        let pair = rcgen::KeyPair::from_pem(&key.to_pem().unwrap()).unwrap();
        json!({ "public_key_pem": pair.public_key_pem() })
    };
    for (why, metadata, key) in [
        ("P-256 in PEM", pem(ec), ec),
        ("P-384 in PEM", pem(p384), p384),
        ("P-521 in PEM", pem(p521), p521),
        ("Ed25519 in PEM", pem(ed), ed),
        ("SPKI", json!({ "public_key_pem": spki }), rsa),
        ("PKCS#1, other line ends", json!({ "public_key_pem": pkcs1 }), rsa),
        ("space around the PEM", json!({ "public_key_pem": format!("\n{spki}\n\n") }), rsa),
        ("alg RSA256", json!({ "public_key": rsa256 }), rsa),
        ("a JWK of numbers alone", json!({ "public_key": plain }), ec),
        ("PS256", json!({ "jwks": { "keys": [ps.public().to_json()] } }), ps),
        ("EdDSA", json!({ "public_key": ed.public().to_json() }), ed),
    ] {
        let reply = server.register(key_metadata(metadata)).await;
        assert_eq!(reply.status, 201, "{why}: {reply:?}");
        let shown = &reply.body["jwks"]["keys"][0];
        assert_eq!(*shown, key.public().to_json(), "{why}: `RSA256` is shown as what it is");
        let issued = server.token_by(&server.assertion(&reply.text_of("client_id"), key), "").await;
        assert_eq!(issued.status, 200, "{why}: {issued:?}");
    }

    // One key under two names, for two algorithms.
    let reply = server.register(key_metadata(json!({ "jwks": { "keys": both } }))).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.text_of("client_id");
    let again = rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(
        &rsa::RsaPrivateKey::from_pkcs8_pem(&rsa.to_pem().unwrap()).unwrap(),
        LineEnding::LF,
    )
    .unwrap();
    let named = PrivateKey::from_pem(&again, None).unwrap().named("first");
    assert_eq!(server.token_by(&server.assertion(&id, &named), "").await.status, 200, "first");
    let second = PrivateKey::from_pem(&again, None).unwrap();
    let second = second.with_algorithm(Algorithm::PS256).unwrap().named(&rsa.public().kid);
    assert_eq!(server.token_by(&server.assertion(&id, &second), "").await.status, 200, "second");
}

#[actix_web::test]
async fn s3_who_may_register() {
    let token = "t0ken+/=";
    let with_token = Server::with(|settings| {
        settings.registration.initial_access_token = Some(token.to_owned().into());
    })
    .await;
    let closed =
        Server::with(|settings| settings.registration.mode = Some(RegistrationSetting::Closed))
            .await;
    let open = Server::start().await;
    let access = with_token.admin_token().await;
    let ask = async |server: &Server, authorization: Option<&str>, body: &str| -> Reply {
        let mut request = server.http.post(format!("{}/register", server.url));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.header("content-type", "application/json").body(body.to_owned());
        server.send(request).await
    };
    let good = r#"{"client_name":"c"}"#;
    let bearer = format!("Bearer {token}");
    let of_ours = format!("Bearer {access}");

    #[rustfmt::skip]
    let cases = [
        // why                        server        authorization         body    status error
        ("open",                      &open,        None,                 good,   201, None),
        ("open, some token",          &open,        Some("Bearer x"),     good,   201, None),
        ("right token",               &with_token,  Some(bearer.as_str()), good,  201, None),
        ("scheme in lower case",      &with_token,  Some("bearer t0ken+/="), good, 201, None),
        ("no token",                  &with_token,  None,                 good,   401, Some("invalid_token")),
        ("no token, bad body",        &with_token,  None,                 "x",    401, Some("invalid_token")),
        ("wrong token",               &with_token,  Some("Bearer t0ken"), good,   401, Some("invalid_token")),
        ("token cut",                 &with_token,  Some("Bearer t0ken+/"), good, 401, Some("invalid_token")),
        ("an access token",           &with_token,  Some(of_ours.as_str()), good, 401, Some("invalid_token")),
        ("as Basic",                  &with_token,  Some("Basic dDBrZW4="), good, 401, Some("invalid_token")),
        ("right token, bad body",     &with_token,  Some(bearer.as_str()), "x",   400, Some("invalid_request")),
        ("closed",                    &closed,      None,                 good,   403, Some("access_denied")),
        ("closed, some token",        &closed,      Some("Bearer x"),     good,   403, Some("access_denied")),
        ("closed, bad body",          &closed,      None,                 "x",    403, Some("access_denied")),
    ];
    for (why, server, authorization, body, status, error) in cases {
        let reply = ask(server, authorization, body).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}: {reply:?}");
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge.starts_with("Bearer"), status == 401, "{why}: {challenge}");
        if status == 401 {
            let shown = challenge.contains(r#"error="invalid_token""#);
            assert_eq!(
                shown,
                why.contains("wrong") || why.contains("token cut") || why == "an access token",
                "{why}: {challenge}"
            );
        }
    }
    let created = closed.create_client(json!({ "client_name": "c" })).await;
    assert_eq!(created.status, 201, "an admin still registers");
}

#[actix_web::test]
async fn rate_of_registrations() {
    let server = Server::with(|settings| {
        settings.clients.registration_rate = 3;
        settings.listen.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let ask = async |from: &str| {
        let request = server.http.post(format!("{}/register", server.url));
        let request = request.json(&json!({ "client_name": "c" }));
        server.send(request.header("x-forwarded-for", from)).await
    };
    for turn in 0..3 {
        assert_eq!(ask("192.0.2.1").await.status, 201, "{turn}");
    }
    let reply = ask("192.0.2.1").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("60")), "{reply:?}");
    assert!(reply.error().is_some());
    assert_eq!(reply.body["statusCode"], 429);
    assert_eq!(ask("203.0.113.7, 192.0.2.1").await.status, 429, "an invented address before it");
    assert_eq!(ask("192.0.2.2").await.status, 201, "another address");

    let server = Server::with(|settings| settings.clients.registration_rate = 1).await;
    for (from, status) in [("192.0.2.1", 201), ("192.0.2.2", 429)] {
        let request = server.http.post(format!("{}/register", server.url));
        let request = request.json(&json!({ "client_name": "c" })).header("x-forwarded-for", from);
        assert_eq!(server.send(request).await.status, status, "a header alone is not believed");
    }
}

/// To judge keys takes a while: only where the rate has room for it, whatever becomes of them then.
/// What has not even the shape of keys costs nothing, and nobody is counted for it.
#[actix_web::test]
async fn a_rate_is_asked_before_keys_are_judged() {
    let server = Server::with(|settings| settings.clients.registration_rate = 3).await;
    let good = client_key(Algorithm::ES256).public().to_json();
    let bad = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
    #[rustfmt::skip]
    let cases = [
        // why                       the keys                                         status
        ("not a key",                json!({ "public_key": "x" }),                        400),
        ("not a set",                json!({ "jwks": 1 }),                                400),
        ("an empty set",             json!({ "jwks": { "keys": [] } }),                   400),
        ("too many",                 json!({ "jwks": { "keys": vec![&good; 65] } }),      400),
        ("not a PEM",                json!({ "public_key_pem": 1 }),                      400),
        ("the first of this minute", json!({ "public_key": bad }),                        400),
        ("the second",               json!({ "public_key_pem": "x" }),                    400),
        ("the third",                json!({ "jwks": { "keys": [good] } }),               201),
        ("over the rate, good",      json!({ "public_key": good }),                       429),
        ("over the rate, bad",       json!({ "public_key": bad }),                        429),
        ("over the rate, bad PEM",   json!({ "public_key_pem": "x" }),                    429),
        ("over the rate, bad set",   json!({ "jwks": { "keys": [bad, 1] } }),             429),
        ("not a set still",          json!({ "jwks": 1 }),                                400),
    ];
    for (why, keys, status) in cases {
        let reply = server.register(key_metadata(keys)).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
    }
}

/// Whoever issues tokens judges no keys: on every route that takes some they wait their turn, as slow
/// hashes do.
#[actix_web::test]
async fn keys_are_judged_beside_those_who_issue_tokens() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256).public().to_json();
    let keys = json!({ "public_key": key });
    let (id, secret) = server.client_with_secret().await;
    let own = server.register(key_metadata(keys.clone())).await;
    let (own_id, own_token) = (own.text_of("client_id"), own.text_of("registration_access_token"));
    let other = server.create_client(key_metadata(keys.clone())).await.text_of("client_id");
    let mut update = key_metadata(keys.clone());
    update["client_id"] = json!(own_id);
    let admin = server.admin_token().await;

    let hashes = &server.app.clients.secrets.hashes;
    let (mut turns, mut waiting) = (Vec::new(), Vec::new());
    loop {
        let mut turn = Box::pin(hashes.turn());
        match futures_util::poll!(turn.as_mut()) {
            Poll::Ready(Ok(turn)) => turns.push(turn),
            Poll::Ready(Err(_)) => break,
            Poll::Pending => waiting.push(turn),
        }
    }
    let ask = async |(method, path, token, body): &(Method, String, &String, &Value)| {
        let request = server.http.request(method.clone(), format!("{}{path}", server.url));
        server.send(request.bearer_auth(token).json(body)).await.status
    };
    let new = key_metadata(keys.clone());
    let routes = [
        (Method::POST, "/register".to_owned(), &own_token, &new),
        (Method::PUT, format!("/register/{own_id}"), &own_token, &update),
        (Method::POST, format!("/register/{own_id}/keys"), &own_token, &keys),
        (Method::POST, format!("/register/{own_id}/regenerate"), &own_token, &keys),
        (Method::POST, "/clients".to_owned(), &admin, &new),
        (Method::POST, format!("/clients/{other}/keys"), &admin, &keys),
        (Method::POST, format!("/clients/{other}/regenerate"), &admin, &keys),
    ];
    for route in &routes {
        assert_eq!(ask(route).await, 503, "{} {}", route.0, route.1);
    }
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200, "tokens go on");
    drop((turns, waiting));
    assert_eq!(ask(&routes[0]).await, 201);
}

#[actix_web::test]
async fn a_secret_is_shown_once() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    server.token(Some((&id, &secret)), GRANT).await;
    let random = &secret[11..54];
    for path in ["/clients".to_owned(), format!("/clients/{id}"), "/-/metrics".to_owned()] {
        let shown = server.admin_get(&path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(!shown.text.contains(random), "{path}");
        assert!(!shown.text.contains("$argon2"), "{path}: nor its hash");
    }
    let document = server.document(&id).await.to_string();
    assert!(document.contains("$argon2id$") && !document.contains(random));
}
