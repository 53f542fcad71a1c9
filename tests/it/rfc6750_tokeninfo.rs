//! RFC 6750 §2 and §3, at `/tokeninfo`: what a bearer token is worth.

use aws_lc_rs::hmac;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, GRANT, Reply, START, Server, base64url, basic, claims_of, client_key, signed,
    signing_key, store_in,
};

/// A bad token, whatever is wrong with it.
fn is_bad(reply: &Reply, why: &str) {
    assert_eq!((reply.status, reply.error()), (401, Some("invalid_token")), "{why}: {reply:?}");
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer "), "{why}: {challenge}");
    assert!(challenge.contains(r#"error="invalid_token""#), "{why}: {challenge}");
    let told = "the token is invalid or has expired";
    assert_eq!(reply.text_of("error_description"), told, "{why}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
}

#[actix_web::test]
async fn s3_no_token_and_a_bad_one() {
    let server = Server::start().await;
    let token = server.admin_token().await;
    let get = async |headers: &[&[u8]], path: &str| {
        let mut request = server.http.get(format!("{}{path}", server.url));
        for header in headers {
            request = request.header("authorization", HeaderValue::from_bytes(header).unwrap());
        }
        server.send(request).await
    };
    // The plain path is answered before the routes are looked through, any other spelling by them.
    let ask = async |headers: &[&[u8]], path: &str| {
        let at_once = get(headers, path).await;
        let routed = get(headers, &path.replacen("/tokeninfo", "/tokeninfo/", 1)).await;
        assert_eq!((at_once.status, &at_once.text), (routed.status, &routed.text), "{path}");
        let headers = |reply: &Reply| {
            let mut headers = reply.headers.clone();
            headers.remove("date");
            // Each request has its own, and each answer the one of its request.
            assert_eq!(headers.remove("x-request-id").is_some(), reply.status >= 400);
            headers
        };
        assert_eq!(headers(&at_once), headers(&routed), "{path}");
        at_once
    };
    let bearer = format!("Bearer {token}");
    let admin = basic(ADMIN.0, ADMIN.1);
    for (why, headers, path) in [
        ("no header", vec![], "/tokeninfo".to_owned()),
        ("Basic", vec![admin.as_bytes()], "/tokeninfo".to_owned()),
        ("empty", vec![&b""[..]], "/tokeninfo".to_owned()),
        ("scheme alone", vec![&b"Bearer"[..]], "/tokeninfo".to_owned()),
        ("scheme and spaces", vec![&b"Bearer   "[..]], "/tokeninfo".to_owned()),
        ("token without a scheme", vec![token.as_bytes()], "/tokeninfo".to_owned()),
        ("in the query", vec![], format!("/tokeninfo?access_token={token}")),
    ] {
        let reply = ask(&headers, &path).await;
        assert_eq!(reply.status, 401, "{why}");
        assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer realm="latchkey""#), "{why}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    }
    let in_body = server.http.get(format!("{}/tokeninfo", server.url));
    let in_body = server.send(in_body.form(&[("access_token", &token)])).await;
    assert_eq!(
        in_body.header("www-authenticate"),
        Some(r#"Bearer realm="latchkey""#),
        "in the body"
    );

    for (why, headers) in [
        ("two headers", vec![bearer.as_bytes(), bearer.as_bytes()]),
        ("two schemes", vec![bearer.as_bytes(), admin.as_bytes()]),
        ("nonsense", vec![&b"Bearer x"[..]]),
        ("not ASCII", vec!["Bearer \u{e9}".as_bytes()]),
        ("not UTF-8", vec![&b"Bearer \xff"[..]]),
        ("two tokens", vec![&b"Bearer a.b.c d.e.f"[..]]),
    ] {
        is_bad(&ask(&headers, "/tokeninfo").await, why);
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let reply = ask(&[format!("{scheme} {token}").as_bytes()], "/tokeninfo").await;
        assert_eq!(reply.status, 200, "{scheme}");
        assert_eq!(reply.body, claims_of(&token), "the claims, and nothing else");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let posted = server.post("/tokeninfo", "text/plain", "").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

/// A token whose signature anybody can make: HMAC with a key of no bytes.
fn with_empty_key(header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), text.as_bytes());
    format!("{text}.{}", base64url(tag))
}

#[actix_web::test]
async fn s3_1_tokens_that_are_not_ours() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256);
    let id = server.client_with_key(key).await;
    let assertion = server.assertion(&id, key);
    let token = server.token_by(&server.assertion(&id, key), "").await.text_of("access_token");
    let claims = claims_of(&token);
    let kid = server.app.signing.ring.active_kid().unwrap();
    let header = json!({ "typ": "at+jwt", "alg": "RS256", "kid": kid });
    let ours = signing_key();
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    assert_eq!(server.tokeninfo(&signed(&header, &claims, ours)).await.status, 200);

    let parts: Vec<&str> = token.split('.').collect();
    let changed = |part: usize, at: usize| {
        let mut parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        let other = if parts[part].as_bytes()[at] == b'A' { "B" } else { "A" };
        parts[part].replace_range(at..=at, other);
        parts.join(".")
    };
    for (part, text) in parts.iter().enumerate() {
        for at in [0, 1, text.len() / 2, text.len() - 2] {
            is_bad(&server.tokeninfo(&changed(part, at)).await, &format!("part {part} at {at}"));
        }
    }
    let other =
        Server::with(|settings| settings.identity.issuer = Some("http://other.test".into())).await;
    let foreign = other.admin_token().await;
    is_bad(&server.tokeninfo(&foreign).await, "of another issuer with the same key");

    let head = |changes: Value| {
        let mut header = header.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(header.as_object_mut().unwrap().remove(name)),
                value => header[name] = value.clone(),
            }
        }
        header
    };
    let body = |changes: Value| {
        let mut claims = claims.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    };
    #[rustfmt::skip]
    let cases = [
        // why                            token
        ("an assertion",                  assertion),
        ("signed by a client's key",      signed(&header, &claims, key)),
        ("no kid",                        signed(&head(json!({ "kid": null })), &claims, ours)),
        ("another kid",                   signed(&head(json!({ "kid": "x" })), &claims, ours)),
        ("typ JWT",                       signed(&head(json!({ "typ": "JWT" })), &claims, ours)),
        ("no typ",                        signed(&head(json!({ "typ": null })), &claims, ours)),
        ("typ of an introspection",       signed(&head(json!({ "typ": "token-introspection+jwt" })), &claims, ours)),
        ("another alg",                   signed(&head(json!({ "alg": "PS256" })), &claims, ours)),
        ("alg none",                      format!("{}.{}.", base64url(head(json!({ "alg": "none" })).to_string()), parts[1])),
        ("alg none with a signature",     signed(&head(json!({ "alg": "none" })), &claims, ours)),
        ("crit",                          signed(&head(json!({ "crit": ["x"] })), &claims, ours)),
        ("crit of what it knows",         signed(&head(json!({ "crit": ["b64"], "b64": true })), &claims, ours)),
        ("HMAC with an empty key",        with_empty_key(&head(json!({ "alg": "HS256" })), &claims)),
        ("HMAC with an empty key, RS256", with_empty_key(&header, &claims)),
        ("another iss",                   signed(&header, &body(json!({ "iss": "http://x.test" })), ours)),
        ("no iss",                        signed(&header, &body(json!({ "iss": null })), ours)),
        ("iss in a list",                 signed(&header, &body(json!({ "iss": ["http://issuer.test"] })), ours)),
        ("iss is a number",               signed(&header, &body(json!({ "iss": 1 })), ours)),
        ("sub is a number",               signed(&header, &body(json!({ "sub": 1 })), ours)),
        ("sub in a list",                 signed(&header, &body(json!({ "sub": [id] })), ours)),
        ("aud is a number",               signed(&header, &body(json!({ "aud": 1 })), ours)),
        ("aud is an object",              signed(&header, &body(json!({ "aud": { "0": "a" } })), ours)),
        ("aud with a number",             signed(&header, &body(json!({ "aud": ["a", 1] })), ours)),
        ("no sub",                        signed(&header, &body(json!({ "sub": null })), ours)),
        ("sub and client_id differ",      signed(&header, &body(json!({ "sub": "admin" })), ours)),
        ("no client_id",                  signed(&header, &body(json!({ "client_id": null })), ours)),
        ("no exp",                        signed(&header, &body(json!({ "exp": null })), ours)),
        ("exp is a string",               signed(&header, &body(json!({ "exp": "9999999999" })), ours)),
        ("exp passed",                    signed(&header, &body(json!({ "exp": START })), ours)),
        ("no iat",                        signed(&header, &body(json!({ "iat": null })), ours)),
        ("iat ahead",                     signed(&header, &body(json!({ "iat": START + 31 })), ours)),
        ("no jti",                        signed(&header, &body(json!({ "jti": null })), ours)),
        ("permissions a string",          signed(&header, &body(json!({ "permissions": "admin" })), ours)),
        ("two parts",                     format!("{}.{}", parts[0], parts[1])),
        ("four parts",                    format!("{token}.e30")),
        ("padding",                       format!("{token}==")),
        ("the claims alone",              parts[1].to_owned()),
        ("very long",                     "x".repeat(20_000)),
    ];
    for (why, token) in cases {
        is_bad(&server.tokeninfo(&token).await, why);
    }
    let ahead = signed(&header, &body(json!({ "iat": START + 30 })), ours);
    assert_eq!(server.tokeninfo(&ahead).await.status, 200, "iat ahead by the skew");
    let long_typ = signed(&head(json!({ "typ": "application/AT+JWT" })), &claims, ours);
    assert_eq!(server.tokeninfo(&long_typ).await.status, 200, "the type written in full");
}

#[actix_web::test]
async fn s3_1_life_is_half_open() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "access_token_lifetime": 100 })).await;
    let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
    for (now, status) in [
        (START - 31, 401),
        (START - 30, 200),
        (START + 99, 200),
        (START + 100, 401),
        (START + 101, 401),
    ] {
        server.clock.set(now);
        assert_eq!(server.tokeninfo(&token).await.status, status, "at {now}");
    }
}

#[actix_web::test]
async fn accepted_audiences() {
    let server = Server::with(|settings| {
        settings.tokens.accepted_audiences = vec!["a".parse().unwrap(), "b".parse().unwrap()];
    })
    .await;
    let open = Server::start().await;
    for (why, granted, status) in [
        ("no audience", json!([]), 200),
        ("one that is accepted", json!(["b"]), 200),
        ("one of two", json!(["x", "a"]), 200),
        ("another", json!(["x"]), 401),
        ("other letter case", json!(["A"]), 401),
        ("a prefix of it", json!(["ab"]), 401),
    ] {
        for (server, status) in [(&server, status), (&open, 200)] {
            let (id, secret) = server.granted(json!({ "audience": granted })).await;
            let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
            let reply = server.tokeninfo(&token).await;
            assert_eq!(reply.status, status, "{why}");
            if status == 401 {
                is_bad(&reply, why);
            }
        }
    }
}

#[actix_web::test]
async fn tokens_outlive_a_restart() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = keys.path().to_owned();
    let on = async || {
        let store = store_in(folder.path()).await;
        Server::on(store, |settings| {
            settings.signing_keys.folder.clone_from(&path);
            settings.signing_keys.algorithm = Algorithm::ES256;
        })
        .await
    };
    let server = on().await;
    let token = server.admin_token().await;
    server.stop().await;
    let server = on().await;
    assert_eq!(server.tokeninfo(&token).await.status, 200);
    server.stop().await;
}

/// Tokens of the platform before this one, whose signing key was taken over.
#[actix_web::test]
async fn an_imported_key_still_vouches_for_what_it_signed_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.pem");
    let theirs: PrivateKey =
        PrivateKey::from_pem(&client_key(Algorithm::RS256).to_pem().unwrap(), None).unwrap();
    std::fs::write(&file, theirs.to_pem().unwrap().as_bytes()).unwrap();
    let server = Server::with(|settings| {
        settings.signing_keys.file = Some(file);
        settings.signing_keys.file_kid = Some("their-kid".to_owned());
    })
    .await;
    let issuer = server.app.config.issuer.clone();
    let claims = json!({
        "iss": issuer, "sub": "a-client", "iat": START - 1, "exp": START + 100,
        "permissions": ["read:x"],
    });
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "their-kid" });
    let with = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        object[name] = value;
        object
    };
    let own = json!({ "typ": "JWT", "alg": "RS256", "kid": signing_key().public().kid });
    #[rustfmt::skip]
    let cases = [
        // why                        token                                                                    status
        ("older than the move",       signed(&header, &claims, &theirs),                                       200),
        ("aud as a string",           signed(&header, &with(&claims, "aud", json!("a")), &theirs),             200),
        ("aud as a list",             signed(&header, &with(&claims, "aud", json!(["a"])), &theirs),           200),
        ("with jti",                  signed(&header, &with(&claims, "jti", json!("x")), &theirs),             200),
        ("with groups",               signed(&header, &with(&claims, "groups", json!(["admin"])), &theirs),    200),
        ("groups that are none",      signed(&header, &with(&claims, "groups", json!("admin")), &theirs),      200),
        ("from the moment of it",     signed(&header, &with(&claims, "iat", json!(START)), &theirs),           401),
        ("newer than the move",       signed(&header, &with(&claims, "iat", json!(START + 1)), &theirs),       401),
        ("without iat",               signed(&header, &with(&claims, "iat", Value::Null), &theirs),            401),
        ("iat a string",              signed(&header, &with(&claims, "iat", json!("1604573964")), &theirs),    401),
        ("expired",                   signed(&header, &with(&claims, "exp", json!(START)), &theirs),           401),
        ("another issuer",            signed(&header, &with(&claims, "iss", json!("x")), &theirs),             401),
        ("client_id of another",      signed(&header, &with(&claims, "client_id", json!("x")), &theirs),       401),
        ("the thumbprint as kid",     signed(&with(&header, "kid", json!(theirs.public().kid)), &claims, &theirs), 401),
        ("our own key, typ JWT",      signed(&own, &claims, signing_key()),                                    401),
    ];
    for (why, token, status) in cases {
        let reply = server.tokeninfo(&token).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 200 {
            assert_eq!(reply.body, claims_of(&token), "{why}: as it was signed");
            let judged = server.app.tokens.judge.judge(&token, Timestamp(START)).await.unwrap();
            assert!(judged.claims().groups.is_empty(), "{why}: no admin of ours gave them");
        }
    }
    let token = server.admin_token().await;
    let ours = crate::harness::jose_header_of(&token);
    assert_eq!(ours, json!({ "typ": "at+jwt", "alg": "RS256", "kid": "their-kid" }));
    assert_eq!(server.tokeninfo(&token).await.status, 200, "and it goes on signing");
    let jwks = server.get("/.well-known/jwks.json").await;
    let kids: Vec<&str> = jwks.body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert!(kids.contains(&"their-kid"), "{kids:?}");
}
