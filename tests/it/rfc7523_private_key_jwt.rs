//! RFC 7523 §2.2 and §3 and RFC 10070, with the rules of FAPI 2.0: who is asking, proved by a signed assertion.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::hmac;
use futures_util::future::join_all;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use reqwest::Method;
use rsa::pkcs8::DecodePrivateKey;
use rsa::pkcs8::EncodePublicKey;
use serde_json::{Value, json};

use crate::command_line::{Home, post};
use crate::harness::{
    GRANT, Reply, START, Server, base64url, claims_of, client_key, header_of, signed, signed_text,
    store_in,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CONSTANT: &str = "client authentication failed";

/// A JSON object with members changed; `null` takes one away.
fn with(object: &Value, changes: Value) -> Value {
    let mut object = object.clone();
    let Value::Object(changes) = changes else { return object };
    for (name, value) in changes {
        match value {
            Value::Null => drop(object.as_object_mut().and_then(|members| members.remove(&name))),
            value => object[name] = value,
        }
    }
    object
}

fn refused(reply: &Reply, why: &str) {
    assert_eq!((reply.status, reply.error()), (401, Some("invalid_client")), "{why}: {reply:?}");
    assert!(reply.header("www-authenticate").is_some(), "{why}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
}

/// The caller hears the same whatever is wrong; the log says which algorithm would be right.
#[actix_web::test]
async fn rfc7518_s3_1_the_log_says_what_the_key_is_for() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA"]);
    let rsa = client_key(Algorithm::RS256);
    let jwk = with(&rsa.public().to_json(), json!({ "alg": null }));
    let pem = rsa.to_pem().unwrap();
    let ps256 = PrivateKey::from_pem(&pem, None).unwrap().with_algorithm(Algorithm::PS256);
    let ps256 = ps256.unwrap().named(&rsa.public().kid);
    #[rustfmt::skip]
    let cases = [
        // why                     registered   signed with  header                        in the log
        ("an RSA key without alg", Value::Null, &ps256,      json!({}),                    "the key is for RS256"),
        ("no kid",                 Value::Null, &ps256,      json!({ "kid": null }),       "the key is for RS256"),
        ("another kid",            Value::Null, &ps256,      json!({ "kid": "other" }),    "no such key"),
        ("another registered",     "PS384".into(), &ps256,   json!({}),                    "the client is registered for PS384"),
        ("the usual one",          "PS256".into(), rsa,      json!({}),                    "the client is registered for PS256"),
    ];
    for (why, registered, key, header, reason) in cases {
        let metadata = json!({
            "client_name": "svc", "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": registered, "public_key": jwk,
        });
        let client = post(&format!("{}/register", server.url), &metadata).await;
        let id = client["client_id"].as_str().unwrap_or_else(|| panic!("{why}: {client}"));
        let claims = json!({ "iss": id, "sub": id, "aud": server.url, "jti": why, "exp": START });
        let assertion = signed(&with(&header_of(key), header), &claims, key);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        let url = format!("{}/oauth/token", server.url);
        let reply = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 401, "{why}");
        let body: Value = reply.json().await.unwrap();
        assert_eq!(body["error"], "invalid_client", "{why}");
        assert_eq!(body["error_description"], CONSTANT, "{why}");
        let logged = server.logged(|entry| entry["message"] == "refused");
        assert_eq!(logged["reason"], format!("client authentication failed: {reason}"), "{why}");
    }
}

#[actix_web::test]
async fn rfc7518_s3_1_the_algorithm_is_the_registered_keys() {
    let server = Server::start().await;
    for &registered in Algorithm::ALL {
        let key = client_key(registered);
        let id = server.client_with_key(key).await;
        let good = server.assertion(&id, key);
        assert_eq!(server.token_by(&good, "").await.status, 200, "{registered}");
        let others = Algorithm::names().into_iter().filter(|name| !registered.is_named(name));
        for claimed in others.chain(["HS256", "none", "rs256", "ES256K", "Ed448", "RSA256", ""]) {
            let header = with(&header_of(key), json!({ "alg": claimed }));
            let assertion = signed(&header, &server.assertion_claims(&id), key);
            let why = format!("{registered} key, {claimed} in the header");
            refused(&server.token_by(&assertion, "").await, &why);
        }
        for &other in Algorithm::ALL.iter().filter(|other| **other != registered) {
            let why = format!("{registered} registered, signed with a key for {other}");
            for header in [header_of(client_key(other)), header_of(key)] {
                let claims = server.assertion_claims(&id);
                let header = with(&header, json!({ "kid": key.public().kid }));
                let assertion = signed(&header, &claims, client_key(other));
                refused(&server.token_by(&assertion, "").await, &why);
            }
        }
    }
}

#[actix_web::test]
async fn rfc8725_s2_1_no_confusion_of_keys() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256);
    let id = server.client_with_key(key).await;
    let attacker = client_key(Algorithm::PS256);
    let private = rsa::RsaPrivateKey::from_pkcs8_pem(&key.to_pem().unwrap()).unwrap();
    let pem = private.to_public_key().to_public_key_pem(rsa::pkcs8::LineEnding::LF).unwrap();
    let der = private.to_public_key().to_public_key_der().unwrap();
    let jwk = key.public().to_json().to_string();

    for (why, secret) in [
        ("the PEM as the secret", pem.as_bytes()),
        ("the PEM without its last line break", pem.trim().as_bytes()),
        ("the DER as the secret", der.as_bytes()),
        ("the JWK as the secret", jwk.as_bytes()),
        ("the kid as the secret", key.public().kid.as_bytes()),
        ("an empty secret", b""),
    ] {
        for algorithm in ["HS256", "RS256"] {
            let header = with(&header_of(key), json!({ "alg": algorithm }));
            let claims = server.assertion_claims(&id);
            let text =
                format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
            let assertion = format!("{text}.{}", base64url(tag));
            refused(&server.token_by(&assertion, "").await, &format!("{why}, {algorithm}"));
        }
    }

    let mut header_for = header_of(attacker);
    header_for["alg"] = "RS256".into();
    let attacker = PrivateKey::from_pem(&attacker.to_pem().unwrap(), None).unwrap();
    for (why, changes) in [
        ("jwk in the header", json!({ "jwk": attacker.public().to_json() })),
        ("jku in the header", json!({ "jku": format!("{}/.well-known/jwks.json", server.url) })),
        ("x5u in the header", json!({ "x5u": "https://evil.test/" })),
        ("x5c in the header", json!({ "x5c": ["MIIB"] })),
        ("the client's kid", json!({})),
        ("no kid", json!({ "kid": null })),
    ] {
        let kid = json!({ "kid": key.public().kid });
        let header = with(&with(&header_for, kid), changes.clone());
        let assertion = signed(&header, &server.assertion_claims(&id), &attacker);
        refused(&server.token_by(&assertion, "").await, why);

        // Where the right key signed, such members are not listened to.
        let header = with(&header_of(key), changes);
        let assertion = signed(&header, &server.assertion_claims(&id), key);
        assert_eq!(server.token_by(&assertion, "").await.status, 200, "{why}, right key");
    }

    // `none`, with and without a signature.
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        let header = base64url(json!({ "alg": algorithm, "typ": "JWT" }).to_string());
        let claims = base64url(server.assertion_claims(&id).to_string());
        for signature in ["", "e30", "AA"] {
            let assertion = format!("{header}.{claims}.{signature}");
            refused(&server.token_by(&assertion, "").await, algorithm);
        }
    }
}

#[actix_web::test]
async fn s3_claims() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let other = server.client_with_key(key).await;
    let issuer = &server.app.config.issuer;
    let endpoint = server.app.config.url("/oauth/token");
    let now = START;

    #[rustfmt::skip]
    let cases = [
        // why                                    claims that differ                                                status
        ("as it should be",                       json!({}),                                                        200),
        ("iss missing",                           json!({ "iss": null }),                                           401),
        ("iss of another client",                 json!({ "iss": other }),                                          401),
        ("iss is a number",                       json!({ "iss": 1 }),                                              401),
        ("iss is a list",                         json!({ "iss": [id] }),                                           401),
        ("iss is our issuer",                     json!({ "iss": issuer }),                                         401),
        ("sub missing",                           json!({ "sub": null }),                                           401),
        ("sub of another client, same key",       json!({ "sub": other }),                                          401),
        ("sub unknown",                           json!({ "sub": "who" }),                                          401),
        ("sub is a number",                       json!({ "sub": 1 }),                                              401),
        ("sub is a list",                         json!({ "sub": [id] }),                                           401),
        ("sub empty",                             json!({ "sub": "" }),                                             401),
        ("both with a line break",                json!({ "sub": format!("{id}\n"), "iss": format!("{id}\n") }),    401),
        ("aud missing",                           json!({ "aud": null }),                                           401),
        ("aud in a list of one",                  json!({ "aud": [issuer] }),                                       200),
        ("aud in a list of two",                  json!({ "aud": [issuer, "x"] }),                                  401),
        ("aud twice",                             json!({ "aud": [issuer, issuer] }),                               401),
        ("aud with the endpoint beside",          json!({ "aud": [issuer, endpoint] }),                             401),
        ("aud in a list in a list",               json!({ "aud": [[issuer]] }),                                     401),
        ("aud in an empty list",                  json!({ "aud": [] }),                                             401),
        ("aud empty",                             json!({ "aud": "" }),                                             401),
        ("aud is a number",                       json!({ "aud": 1 }),                                              401),
        ("aud is an object",                      json!({ "aud": { "0": issuer } }),                                401),
        ("aud of another server",                 json!({ "aud": "https://other.test" }),                           401),
        ("aud with a slash more",                 json!({ "aud": format!("{issuer}/") }),                           401),
        ("aud in other letter case",              json!({ "aud": issuer.to_uppercase() }),                          401),
        ("aud the token endpoint",                json!({ "aud": endpoint }),                                       401),
        ("aud the token endpoint, in a list",     json!({ "aud": [endpoint] }),                                     401),
        ("aud the client itself",                 json!({ "aud": id }),                                             401),
        ("jti missing",                           json!({ "jti": null }),                                           401),
        ("jti empty",                             json!({ "jti": "" }),                                             401),
        ("jti is a number",                       json!({ "jti": 1 }),                                              401),
        ("jti is a list",                         json!({ "jti": ["a"] }),                                          401),
        ("jti of one character",                  json!({ "jti": "\u{e9}" }),                                       200),
        ("jti with a NUL",                        json!({ "jti": "a\0b" }),                                         200),
        ("jti of 256 characters",                 json!({ "jti": "\u{e9}".repeat(256) }),                           200),
        ("jti of 257 characters",                 json!({ "jti": "j".repeat(257) }),                                401),
        ("jti very long",                         json!({ "jti": "j".repeat(10_000) }),                             401),
        ("exp missing",                           json!({ "exp": null }),                                           401),
        ("exp is a string",                       json!({ "exp": (now + 60).to_string() }),                         401),
        ("exp is a date",                         json!({ "exp": "2027-01-15T08:00:00Z" }),                         401),
        ("exp is true",                           json!({ "exp": true }),                                           401),
        ("exp is a list",                         json!({ "exp": [now + 60] }),                                     401),
        ("exp negative",                          json!({ "exp": -1 }),                                             401),
        ("exp is 0",                              json!({ "exp": 0 }),                                              401),
        ("exp a fraction",                        json!({ "exp": 1_800_000_060.5 }),                                200),
        ("exp now and a fraction",                json!({ "exp": 1_800_000_000.9 }),                                401),
        ("exp in milliseconds",                   json!({ "exp": (now + 60) * 1000, "iat": null }),                 401),
        ("exp the largest number",                json!({ "exp": u64::MAX }),                                       401),
        ("exp beyond all whole numbers",          json!({ "exp": 1e300 }),                                          401),
        ("exp the largest, iat too",              json!({ "exp": u64::MAX, "iat": u64::MAX }),                      401),
        ("exp a second ago",                      json!({ "exp": now - 1, "iat": now - 60 }),                       401),
        ("exp now",                               json!({ "exp": now, "iat": now - 60 }),                           401),
        ("exp in a second",                       json!({ "exp": now + 1 }),                                        200),
        ("no iat",                                json!({ "iat": null }),                                           200),
        ("iat is a string",                       json!({ "iat": now.to_string() }),                                401),
        ("iat a fraction",                        json!({ "iat": 1_800_000_000.25 }),                               200),
        ("iat negative",                          json!({ "iat": -1 }),                                             401),
        ("iat true",                              json!({ "iat": true }),                                           401),
        ("iat ahead by the skew",                 json!({ "iat": now + 30 }),                                       200),
        ("iat ahead by more",                     json!({ "iat": now + 31 }),                                       401),
        ("nbf now",                               json!({ "nbf": now }),                                            200),
        ("nbf ahead by the skew",                 json!({ "nbf": now + 30 }),                                       200),
        ("nbf ahead by more",                     json!({ "nbf": now + 31 }),                                       401),
        ("nbf ahead by a fraction more",          json!({ "nbf": 1_800_000_030.5 }),                                401),
        ("nbf ahead by more, no iat",             json!({ "nbf": now + 31, "iat": null }),                          401),
        ("nbf is a string",                       json!({ "nbf": now.to_string() }),                                401),
        ("life of exactly an hour",               json!({ "exp": now + 3600 }),                                     200),
        ("life of an hour and a second",          json!({ "exp": now + 3601 }),                                     401),
        ("life of an hour from the skew on",      json!({ "iat": now + 30, "exp": now + 3630 }),                    200),
        ("life of more from the skew on",         json!({ "iat": now + 30, "exp": now + 3631 }),                    401),
        ("long life, nearly over",                json!({ "iat": now - 3590, "exp": now + 11 }),                    401),
        ("an hour, nearly over",                  json!({ "iat": now - 3590, "exp": now + 10 }),                    200),
        ("no iat, an hour and the skew",          json!({ "iat": null, "exp": now + 3630 }),                        200),
        ("no iat, a second more",                 json!({ "iat": null, "exp": now + 3631 }),                        401),
        ("nbf does not stand for iat",            json!({ "iat": null, "nbf": 0, "exp": now + 3600 }),              200),
        ("requested_audiences a number",          json!({ "requested_audiences": 1 }),                              401),
        ("requested_audiences with a number",     json!({ "requested_audiences": [1] }),                            401),
        ("requested_audiences empty",             json!({ "requested_audiences": [] }),                             200),
    ];
    for (why, changes, status) in cases {
        let claims = with(&server.assertion_claims(&id), changes);
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 401 {
            refused(&reply, why);
        } else {
            let token = claims_of(&reply.text_of("access_token"));
            assert_eq!(token["sub"], id, "{why}");
        }
    }
}

#[actix_web::test]
async fn s3_header() {
    let server = Server::start().await;
    let (key, second) = (client_key(Algorithm::ES256), client_key(Algorithm::EdDSA));
    let id = server.client_with_key(key).await;
    let keys = json!({ "keys": [key.public().to_json(), second.public().to_json()] });
    let metadata = json!({
        "client_name": "two", "token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
    });
    let two = server.register(metadata).await.text_of("client_id");
    let (kid, other) = (&key.public().kid, &second.public().kid);

    #[rustfmt::skip]
    let cases = [
        // why                            client  header members that differ                               status
        ("kid of the only key",           &id,    json!({}),                                               200),
        ("no kid, one key",               &id,    json!({ "kid": null }),                                  200),
        ("kid unknown, one key",          &id,    json!({ "kid": "other" }),                               401),
        ("kid empty",                     &id,    json!({ "kid": "" }),                                    401),
        ("kid is a number",               &id,    json!({ "kid": 1 }),                                     401),
        ("kid is a list",                 &id,    json!({ "kid": [kid] }),                                 401),
        ("kid is a path",                 &id,    json!({ "kid": "../../dev/null" }),                      401),
        ("kid of the server's key",       &id,    json!({ "kid": server.app.signing.ring.active_kid() }),          401),
        ("kid of the first of two",       &two,   json!({}),                                               200),
        ("kid of the other of two",       &two,   json!({ "kid": other }),                                 401),
        ("no kid, two keys",              &two,   json!({ "kid": null }),                                  200),
        ("no kid, the other's algorithm", &two,   json!({ "kid": null, "alg": "EdDSA" }),                  401),
        ("no typ",                        &id,    json!({ "typ": null }),                                  200),
        ("typ of an assertion",           &id,    json!({ "typ": "client-authentication+jwt" }),           200),
        ("typ of an assertion, in full",  &id,    json!({ "typ": "application/Client-Authentication+JWT" }), 200),
        ("typ JWT, in lower case",        &id,    json!({ "typ": "jwt" }),                                 200),
        ("typ JWT, in full",              &id,    json!({ "typ": "application/jwt" }),                     200),
        ("typ empty",                     &id,    json!({ "typ": "" }),                                    401),
        ("typ of a proof of possession",  &id,    json!({ "typ": "dpop+jwt" }),                            401),
        ("typ of an event",               &id,    json!({ "typ": "secevent+jwt" }),                        401),
        ("typ of a request object",       &id,    json!({ "typ": "oauth-authz-req+jwt" }),                 401),
        ("typ of another top level",      &id,    json!({ "typ": "text/jwt" }),                            401),
        ("typ JOSE",                      &id,    json!({ "typ": "JOSE" }),                                401),
        ("typ is a number",               &id,    json!({ "typ": 1 }),                                     401),
        ("typ of an access token",        &id,    json!({ "typ": "at+jwt" }),                              401),
        ("typ of an access token, long",  &id,    json!({ "typ": "application/at+jwt" }),                  401),
        ("typ of an access token, loud",  &id,    json!({ "typ": "AT+JWT" }),                              401),
        ("typ of a key proof",            &id,    json!({ "typ": "latchkey-key-proof+jwt" }),              401),
        ("typ of an introspection",       &id,    json!({ "typ": "token-introspection+jwt" }),             401),
        ("crit of something",             &id,    json!({ "crit": ["exp"], "exp": START + 60 }),           401),
        ("crit of something unknown",     &id,    json!({ "crit": ["x"], "x": 1 }),                        401),
        ("crit empty",                    &id,    json!({ "crit": [] }),                                   401),
        ("crit false",                    &id,    json!({ "crit": false }),                                401),
        ("b64 false",                     &id,    json!({ "b64": false }),                                 401),
        ("b64 false and crit",            &id,    json!({ "b64": false, "crit": ["b64"] }),                401),
        ("b64 true",                      &id,    json!({ "b64": true }),                                  401),
        ("cty",                           &id,    json!({ "cty": "JWT" }),                                 200),
        ("alg is a number",               &id,    json!({ "alg": 1 }),                                     401),
        ("alg missing",                   &id,    json!({ "alg": null }),                                  401),
    ];
    for (why, client, changes, status) in cases {
        let header = with(&header_of(key), changes);
        let reply =
            server.token_by(&signed(&header, &server.assertion_claims(client), key), "").await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
    }
    let assertion = server.assertion(&two, second);
    assert_eq!(server.token_by(&assertion, "").await.status, 200, "the second of two keys");

    for (why, header) in [
        ("crit null", format!(r#"{{"alg":"ES256","kid":"{kid}","crit":null}}"#)),
        ("b64 null", format!(r#"{{"alg":"ES256","kid":"{kid}","b64":null}}"#)),
        ("kid null", r#"{"alg":"ES256","kid":null}"#.to_owned()),
        ("alg twice", r#"{"alg":"ES256","alg":"ES256"}"#.to_owned()),
        ("alg twice, none", r#"{"alg":"none","alg":"ES256"}"#.to_owned()),
        ("crit twice", r#"{"alg":"ES256","crit":["x"],"crit":null}"#.to_owned()),
        ("kid twice", format!(r#"{{"alg":"ES256","kid":"x","kid":"{kid}"}}"#)),
        ("typ twice", r#"{"alg":"ES256","typ":"at+jwt","typ":"JWT"}"#.to_owned()),
        ("something unknown twice", r#"{"alg":"ES256","x":1,"x":1}"#.to_owned()),
        ("jwk with a member twice", r#"{"alg":"ES256","jwk":{"x":1,"x":2}}"#.to_owned()),
        ("a list", format!(r#"["ES256","{kid}","JWT",null,null]"#)),
        ("null", "null".to_owned()),
        ("a string", r#""ES256""#.to_owned()),
        ("a number", "1".to_owned()),
        ("empty", String::new()),
        ("empty object", "{}".to_owned()),
        ("not JSON", "{alg:ES256}".to_owned()),
        ("more behind", r#"{"alg":"ES256"}{}"#.to_owned()),
    ] {
        let claims = server.assertion_claims(&id).to_string();
        let reply = server.token_by(&signed_text(&header, &claims, key), "").await;
        refused(&reply, &format!("header: {why}"));
    }
    let twice = |name: &str, value: &Value| {
        let claims = server.assertion_claims(&id).to_string();
        format!("{{\"{name}\":{value},{}", &claims[1..])
    };
    for (why, claims) in [
        ("null", "null".to_owned()),
        ("a list", format!("[{}]", server.assertion_claims(&id))),
        ("a string", format!("{:?}", server.assertion_claims(&id).to_string())),
        ("a number", "1".to_owned()),
        ("empty", String::new()),
        ("empty object", "{}".to_owned()),
        ("not JSON", format!("{}x", server.assertion_claims(&id))),
        ("deep", format!("{}{}", "{\"a\":".repeat(5000), "1")),
        ("number too large", format!("{{\"sub\":\"{id}\",\"iss\":\"{id}\",\"exp\":1e999}}")),
        ("sub twice", twice("sub", &json!(id))),
        ("iss twice, another first", twice("iss", &json!("x"))),
        ("aud twice, another first", twice("aud", &json!("x"))),
        ("exp twice, another first", twice("exp", &json!(START + 9_999))),
        ("jti twice, another first", twice("jti", &json!("x"))),
        ("something unknown twice", twice("x", &json!(1)).replacen('}', r#","x":1}"#, 1)),
        (
            "a member twice below",
            twice("x", &json!(1)).replace(r#""x":1"#, r#""x":[{"y":1,"y":1}]"#),
        ),
    ] {
        let header = header_of(key).to_string();
        let reply = server.token_by(&signed_text(&header, &claims, key), "").await;
        refused(&reply, &format!("claims: {why}"));
    }
}

#[actix_web::test]
async fn rfc7515_s4_1_4_without_a_kid_each_key_of_the_algorithm_is_tried() {
    let server = Server::with(|settings| settings.clients.max_keys = 12).await;
    let keys: Vec<PrivateKey> =
        (0..12).map(|_| PrivateKey::generate(Algorithm::EdDSA).unwrap()).collect();
    let jwks: Vec<Value> = keys.iter().map(|key| key.public().to_json()).collect();
    let id = server.granted_with_key(&keys[0], json!({})).await;
    let path = format!("/clients/{id}/keys");
    for jwk in &jwks[1..] {
        let added = server.admin_post(&path, &json!({ "public_key": jwk })).await;
        assert_eq!(added.status, 201, "{added:?}");
    }
    let unnamed = |key: &PrivateKey| {
        let header = with(&header_of(key), json!({ "kid": null }));
        signed(&header, &server.assertion_claims(&id), key)
    };
    for (place, key) in keys.iter().enumerate() {
        let issued = server.token_by(&unnamed(key), "").await;
        assert_eq!(issued.status, 200, "{place}: {issued:?}");
        let credential = claims_of(&issued.text_of("access_token"))["cred"].clone();
        assert_eq!(credential, key.public().credential_id().as_str(), "the key that signed");
    }
    let strange = PrivateKey::generate(Algorithm::EdDSA).unwrap();
    refused(&server.token_by(&unnamed(&strange), "").await, "the key of nobody");
    refused(&server.token_by(&unnamed(client_key(Algorithm::ES256)), "").await, "another kind");

    let ended = keys[11].public().credential_id();
    let path = format!("/clients/{id}/keys/{}", ended.as_str());
    assert_eq!(server.admin(Method::DELETE, &path, &Value::Null).await.status, 204);
    refused(&server.token_by(&unnamed(&keys[11]), "").await, "a key that was deleted");
    let short = PrivateKey::generate(Algorithm::EdDSA).unwrap();
    let body = json!({ "public_key": short.public().to_json(), "expires_in": 10 });
    assert_eq!(server.admin_post(&format!("/clients/{id}/keys"), &body).await.status, 201);
    assert_eq!(server.token_by(&unnamed(&short), "").await.status, 200, "alive");
    server.clock.advance(Duration::from_secs(10));
    refused(&server.token_by(&unnamed(&short), "").await, "a key that has ended");
}

#[actix_web::test]
async fn rfc9864_s2_2_ed25519_is_a_name_of_eddsa() {
    let server = Server::start().await;
    let key = client_key(Algorithm::EdDSA);
    let named = with(&key.public().to_json(), json!({ "alg": "Ed25519" }));
    let metadata = json!({
        "client_name": "c", "token_endpoint_auth_method": "private_key_jwt", "public_key": named,
    });
    let registered = server.register(metadata).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    assert_eq!(registered.body["jwks"]["keys"][0]["alg"], "EdDSA", "shown as it is kept");
    for id in [registered.text_of("client_id"), server.client_with_key(key).await] {
        for name in ["EdDSA", "Ed25519"] {
            let header = with(&header_of(key), json!({ "alg": name }));
            let assertion = signed(&header, &server.assertion_claims(&id), key);
            assert_eq!(server.token_by(&assertion, "").await.status, 200, "{name}");
        }
    }
}

#[actix_web::test]
async fn rfc7515_s7_1_malformed_assertions() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let good = || server.assertion(&id, key);
    let spoiled = |part: usize, spoil: fn(&str) -> String| {
        let good = good();
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        parts[part] = spoil(&parts[part]);
        parts.join(".")
    };
    let flip_first = |text: &str| {
        let first = if text.starts_with('A') { 'B' } else { 'A' };
        format!("{first}{}", &text[1..])
    };
    #[rustfmt::skip]
    let cases = [
        ("a word",                          "x".to_owned()),
        ("dots alone",                      "..".to_owned()),
        ("one dot",                         ".".to_owned()),
        ("two parts",                       good().rsplit_once('.').unwrap().0.to_owned()),
        ("four parts",                      format!("{}.e30", good())),
        ("five parts, as if encrypted",     format!("{}.e30.e30", good())),
        ("empty header",                    spoiled(0, |_| String::new())),
        ("empty claims",                    spoiled(1, |_| String::new())),
        ("empty signature",                 spoiled(2, |_| String::new())),
        ("dot behind",                      format!("{}.", good())),
        ("dot before",                      format!(".{}", good())),
        ("header with padding",             spoiled(0, |part| format!("{part}%3D"))),
        ("claims with padding",             spoiled(1, |part| format!("{part}%3D%3D"))),
        ("signature with padding",          spoiled(2, |part| format!("{part}%3D%3D"))),
        ("signature in plain base64",       spoiled(2, |part| format!("%2B%2F{}", &part[2..]))),
        ("signature changed",               spoiled(2, flip_first)),
        ("header changed",                  spoiled(0, flip_first)),
        ("claims changed",                  spoiled(1, flip_first)),
        ("signature cut",                   spoiled(2, |part| part[..80].to_owned())),
        ("signature of zeros",              spoiled(2, |_| base64url([0; 64]))),
        ("signature with a byte more",      spoiled(2, |part| format!("{part}AA"))),
        ("space before",                    format!("+{}", good())),
        ("space behind",                    format!("{}+", good())),
        ("line break inside",               spoiled(1, |part| format!("{}%0A{}", &part[..9], &part[9..]))),
        ("not ASCII",                       spoiled(1, |_| "%C3%A9".to_owned())),
        ("NUL",                             spoiled(1, |_| "%00".to_owned())),
        ("JSON instead of a JWT",           "%7B%22payload%22%3A%22%22%7D".to_owned()),
        ("longer than any JWT",             format!("{}.{}.AA", base64url(r#"{"alg":"ES256"}"#), "A".repeat(40_000))),
    ];
    for (why, assertion) in cases {
        let reply = server.token_by(&assertion, "").await;
        refused(&reply, why);
        assert_eq!(reply.text_of("error_description"), CONSTANT, "{why}");
    }
    assert_eq!(server.token_by(&good(), "").await.status, 200);
}

#[actix_web::test]
async fn s2_2_parameters() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let other = server.client_with_key(key).await;
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let good = || format!("client_assertion={}", server.assertion(&id, key));
    let kind = format!("client_assertion_type={TYPE}");

    #[rustfmt::skip]
    let cases = [
        // why                       form                                                                status error
        ("as it should be",          format!("{}&{kind}", good()),                                       200, None),
        ("and the client_id",        format!("{}&{kind}&client_id={id}", good()),                        200, None),
        ("and an empty client_id",   format!("{}&{kind}&client_id=", good()),                            200, None),
        ("and the method's name",    format!("{}&{kind}&token_endpoint_auth_method=private_key_jwt", good()), 200, None),
        ("another client_id",        format!("{}&{kind}&client_id={other}", good()),                     401, Some("invalid_client")),
        ("client_id in upper case",  format!("{}&{kind}&client_id={}", good(), id.to_uppercase()),       401, Some("invalid_client")),
        ("no type",                  good(),                                                             400, Some("invalid_request")),
        ("empty type",               format!("{}&client_assertion_type=", good()),                       400, Some("invalid_request")),
        ("wrong type",               format!("{}&client_assertion_type={saml}", good()),                 400, Some("invalid_request")),
        ("type in upper case",       format!("{}&client_assertion_type={}", good(), TYPE.to_uppercase()), 400, Some("invalid_request")),
        ("type without assertion",   kind.clone(),                                                       400, Some("invalid_request")),
        ("type, empty assertion",    format!("{kind}&client_assertion="),                                400, Some("invalid_request")),
        ("two assertions",           format!("{}&{}&{kind}", good(), good()),                            400, Some("invalid_request")),
        ("two types",                format!("{}&{kind}&{kind}", good()),                                400, Some("invalid_request")),
        ("assertion as a list",      format!("{kind}&client_assertion[]={}", server.assertion(&id, key)), 400, Some("invalid_request")),
    ];
    for (why, form, status, error) in cases {
        let reply = server.token(None, &format!("{GRANT}&{form}")).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}: {reply:?}");
    }
}

#[actix_web::test]
async fn s3_7_an_assertion_is_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let other = server.client_with_key(key).await;

    let assertion = server.assertion(&id, key);
    let at_once = join_all((0..20).map(|_| server.token_by(&assertion, ""))).await;
    let good = at_once.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(good, 1, "20 at once");
    for reply in at_once.iter().filter(|reply| reply.status != 200) {
        refused(reply, "20 at once");
    }

    let claims = with(&server.assertion_claims(&id), json!({ "jti": "same" }));
    let first = signed(&header_of(key), &claims, key);
    assert_eq!(server.token_by(&first, "").await.status, 200);
    refused(&server.token_by(&first, "").await, "the same again");
    let claims = with(&claims, json!({ "exp": START + 200 }));
    let again = signed(&header_of(key), &claims, key);
    refused(&server.token_by(&again, "").await, "another assertion of the same jti");
    let claims = with(&claims, json!({ "iss": other, "sub": other }));
    let theirs = signed(&header_of(key), &claims, key);
    assert_eq!(server.token_by(&theirs, "").await.status, 200, "the same jti of another client");
    let claims = with(&server.assertion_claims(&id), json!({ "jti": "Same" }));
    let case = signed(&header_of(key), &claims, key);
    assert_eq!(server.token_by(&case, "").await.status, 200, "letter case tells jtis apart");

    // One that was refused for what it asks for is used up; one that was not proved is not.
    let asking = server.assertion(&id, key);
    assert_eq!(server.token_by(&asking, "&scope=none").await.error(), Some("invalid_scope"));
    refused(&server.token_by(&asking, "").await, "after a refusal of its scope");
    let claims = server.assertion_claims(&id);
    let forged = signed(&header_of(key), &claims, client_key(Algorithm::EdDSA));
    refused(&server.token_by(&forged, "").await, "a forgery");
    let real = signed(&header_of(key), &claims, key);
    assert_eq!(server.token_by(&real, "").await.status, 200, "its jti was not burned by a forgery");

    server.stop().await;
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    refused(&server.token_by(&first, "").await, "after a restart");
    refused(&server.token_by(&real, "").await, "after a restart");
    assert_eq!(server.token_by(&server.assertion(&id, key), "").await.status, 200);
    server.stop().await;
}

#[actix_web::test]
async fn s3_7_an_assertion_is_used_once_among_replicas() {
    let first = Server::start().await;
    let second = Server::on(first.store.clone(), |_| ()).await;
    let key = client_key(Algorithm::ES256);
    let id = first.client_with_key(key).await;
    for turn in 0..5 {
        let assertion = first.assertion(&id, key);
        let both = [&first, &second, &first, &second];
        let at_once = join_all(both.map(|server| server.token_by(&assertion, ""))).await;
        let good = at_once.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(good, 1, "turn {turn}: {at_once:?}");
    }
}

#[actix_web::test]
async fn legacy_audience_ends() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.granted_with_key(key, json!({ "legacyAudience": START + 100 })).await;
    let plain = server.client_with_key(key).await;
    let all = Server::with(|s| {
        s.clients.legacy_audience_until = Timestamp::from_rfc3339("2027-01-15T08:01:40Z");
    })
    .await;
    let everyone = all.client_with_key(key).await;
    let ask = async |server: &Server, id: &str, aud: Value| {
        let claims = with(&server.assertion_claims(id), json!({ "aud": aud }));
        server.token_by(&signed(&header_of(key), &claims, key), "").await.status
    };
    let endpoint = server.app.config.url("/oauth/token");
    let issuer = server.app.config.issuer.clone();
    assert_eq!(ask(&server, &id, json!([&endpoint])).await, 200, "in a list");
    assert_eq!(ask(&server, &id, json!([&endpoint, &issuer])).await, 401, "both");
    assert_eq!(ask(&server, &id, json!(format!("{}/oauth/token", server.url))).await, 401, "host");
    assert_eq!(ask(&server, &plain, json!(&endpoint)).await, 401, "not marked");
    for (now, status) in [(START, 200), (START + 99, 200), (START + 100, 401), (START + 101, 401)] {
        for (server, id) in [(&server, &id), (&all, &everyone)] {
            server.clock.set(now);
            assert_eq!(ask(server, id, json!(&endpoint)).await, status, "endpoint at {now}");
            assert_eq!(ask(server, id, json!(&issuer)).await, 200, "issuer at {now}");
        }
    }
}

#[actix_web::test]
async fn what_is_wrong_is_said_to_those_who_hold_the_key() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    let draft = server.granted_with_key(key, json!({ "__STATE__": "DRAFT" })).await;
    let wrong = [
        json!({ "aud": "x" }),
        json!({ "exp": START - 1 }),
        json!({ "jti": null }),
        json!({ "iat": START + 100 }),
        json!({ "iss": "x" }),
    ];
    let mut told = BTreeSet::new();
    for changes in wrong {
        let claims = with(&server.assertion_claims(&id), changes.clone());
        let proved = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        refused(&proved, "proved");
        let description = proved.text_of("error_description");
        assert_ne!(description, CONSTANT, "{changes}");
        told.insert(description);

        let forged = signed(&header_of(key), &claims, client_key(Algorithm::EdDSA));
        let forged = server.token_by(&forged, "").await;
        assert_eq!(forged.text_of("error_description"), CONSTANT, "{changes}");

        let unknown = with(&claims, json!({ "sub": "who", "iss": "who" }));
        let unknown = server.token_by(&signed(&header_of(key), &unknown, key), "").await;
        assert_eq!(unknown.text, forged.text, "unknown client: {changes}");

        let hidden = with(&claims, json!({ "sub": draft, "iss": draft }));
        let hidden = server.token_by(&signed(&header_of(key), &hidden, key), "").await;
        assert_eq!(hidden.text, forged.text, "unpublished client: {changes}");
    }
    assert_eq!(told.len(), 5, "each fault has its own words: {told:?}");
}

#[actix_web::test]
async fn the_life_of_an_assertion_is_a_setting() {
    let server = Server::with(|settings| {
        settings.clients.assertion_lifetime = Duration::from_secs(60);
        settings.tokens.clock_skew = Duration::from_secs(0);
    })
    .await;
    let key = client_key(Algorithm::ES256);
    let id = server.client_with_key(key).await;
    for (why, changes, status) in [
        ("exactly", json!({ "exp": START + 60 }), 200),
        ("a second more", json!({ "exp": START + 61 }), 401),
        ("no skew", json!({ "iat": START + 1, "exp": START + 60 }), 401),
    ] {
        let claims = with(&server.assertion_claims(&id), changes);
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!(reply.status, status, "{why}");
    }
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(server.token_by(&server.assertion(&id, key), "").await.status, 401, "300 seconds");
}
