//! The cases of the platform whose Client Credentials service this one takes the place of.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchkey::assembly::OpenStore;
use latchkey::clients::logins;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use latchkey::store::MemoryStore;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};

use crate::harness::{
    GRANT, Reply, START, Server, base64url, claims_of, client_key, header_of, jose_header_of,
    signed,
};

/// Every error also has what that platform's tools print.
fn is_printable(reply: &Reply, why: &str) {
    assert_eq!(reply.body["statusCode"], reply.status, "{why}: {reply:?}");
    for member in ["error", "error_description", "message"] {
        assert!(reply.body[member].is_string(), "{why}: {member}");
    }
}

fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_alphabetic())
}

#[actix_web::test]
async fn m_01_register_with_a_secret() {
    let server = Server::start().await;
    let reply = server.register(json!({ "client_name": "c1" })).await;
    assert_eq!(reply.status, 201);
    assert!(is_id(&reply.text_of("client_id")));
    assert_eq!(reply.body["client_secret_expires_at"], 0);
    assert_eq!(reply.body["client_id_issued_at"], START);
    let (id, secret) = (reply.text_of("client_id"), reply.text_of("client_secret"));
    let later = server.admin_get(&format!("/clients/{id}")).await;
    assert!(!later.text.contains(&secret));
    assert!(!server.document(&id).await.to_string().contains(&secret));
    is_printable(&server.register(json!({})).await, "no name");
}

#[actix_web::test]
async fn m_02_register_with_a_key() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256).public().to_json();
    let theirs = json!({
        "use": "sig", "kty": "RSA", "kid": "my-kid", "alg": "RSA256", "n": key["n"], "e": key["e"],
    });
    let reply = server
        .register(json!({
            "client_name": "c1", "token_endpoint_auth_method": "private_key_jwt", "public_key": theirs,
        }))
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(is_id(&reply.text_of("client_id")));
    assert_eq!(reply.body["client_id_issued_at"], START);
    assert_eq!(reply.body.get("client_secret"), None);
    assert_eq!(reply.body.get("client_secret_expires_at"), None);
    let document = server.document(&reply.text_of("client_id")).await;
    let kept = document.get_document("publicKey").unwrap();
    assert_eq!(kept.get_str("kid").unwrap(), "my-kid", "where their tools look for it");
    assert_eq!(document.get_str("__STATE__").unwrap(), "PUBLIC");
    assert_eq!(document.get_str("authMethod").unwrap(), "private_key_jwt");
}

#[actix_web::test]
async fn m_03_token_by_basic() {
    let server =
        Server::with(|settings| settings.tokens.lifetime = Duration::from_secs(3600)).await;
    let (id, secret) = server.client_with_secret().await;
    let reply = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(reply.status, 200);
    let token = reply.text_of("access_token");
    let expected = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
    assert_eq!(reply.body, expected);
    let header = jose_header_of(&token);
    assert_eq!(header["alg"], "RS256");
    let jwks = server.get("/.well-known/jwks.json").await;
    let key = jwks.body["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
    assert!(is_signed_by(&token, key.unwrap()), "it verifies against the key set");
    let claims = claims_of(&token);
    assert_eq!((&claims["sub"], &claims["permissions"]), (&json!(id), &json!([])));
    assert_eq!(claims["iss"], server.app.config.issuer);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    logins::flush(&server.app.clients.logins, &*server.app.health.store).await.unwrap();
    let login = *server.document(&id).await.get_datetime("lastLogin").unwrap();
    assert_eq!(login, DateTime::from_millis(i64::try_from(START).unwrap() * 1000));
}

/// Whether this key of a key set, with RS256, made the signature.
fn is_signed_by(token: &str, jwk: &Value) -> bool {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let number = |name: &str| decode(jwk[name].as_str().unwrap());
    let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)).is_ok()
}

#[actix_web::test]
async fn m_04_wrong_secret() {
    let server = Server::start().await;
    let (id, _) = server.client_with_secret().await;
    let wrong = server.token(Some((&id, "wrong")), GRANT).await;
    let unknown = server.token(Some(("abcdefghijklmnopqrstuvwxyzabcdef", "wrong")), GRANT).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.text, unknown.text);
    is_printable(&wrong, "wrong secret");
}

#[actix_web::test]
async fn m_05_the_openssl_recipe() {
    const RECIPE: &str = r#"
        header=$(printf '{"alg":"RS256","typ":"JWT","kid":"%s"}' "$KID" | openssl base64 -A | tr '+/' '-_' | tr -d '=')
        claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","jti":"%s","iat":%d,"exp":%d}' "$ID" "$ID" "$ISSUER" "$(openssl rand -hex 16)" $NOW $((NOW+3600)) | openssl base64 -A | tr '+/' '-_' | tr -d '=')
        signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$KEY" -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')
        printf '%s.%s.%s' "$header" "$claims" "$signature"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("private.pem");
    let key = client_key(Algorithm::RS256);
    std::fs::write(&file, key.to_pem().unwrap().as_bytes()).unwrap();
    let server = Server::start().await;
    let id = server.client_with_key(key).await;
    let made = Command::new("sh")
        .args(["-c", RECIPE])
        .envs([
            ("KID", key.public().kid.as_str()),
            ("ID", &id),
            ("ISSUER", &server.app.config.issuer),
        ])
        .env("KEY", &file)
        .env("NOW", START.to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let assertion = String::from_utf8(made.stdout).unwrap();
    assert_eq!(assertion.matches('.').count(), 2, "needs openssl: {assertion}");
    let form = format!("&client_id={id}&token_endpoint_auth_method=private_key_jwt");
    let reply = server.token_by(&assertion, &form).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let again = server.token_by(&assertion, &form).await;
    assert_eq!((again.status, again.error()), (401, Some("invalid_client")));
    is_printable(&again, "used before");
}

#[actix_web::test]
async fn m_06_assertions_that_lack_something() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256);
    let id = server.client_with_key(key).await;
    for (why, member, value, status) in [
        ("no jti", "jti", Value::Null, 401),
        ("aud is no issuer", "aud", json!("https://x.test"), 401),
        ("exp passed", "exp", json!(START - 1), 401),
        ("iat ahead", "iat", json!(START + 31), 401),
        ("iat ahead by the skew", "iat", json!(START + 30), 200),
    ] {
        let mut claims = server.assertion_claims(&id);
        claims[member] = value;
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 401 {
            assert_eq!(reply.error(), Some("invalid_client"), "{why}");
            is_printable(&reply, why);
        }
    }
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let reply = server.token_by(&signed(&header, &server.assertion_claims(&id), key), "").await;
    assert_eq!(reply.status, 200, "no kid, one key");
}

#[actix_web::test]
async fn m_07_custom_claims() {
    let server = Server::start().await;
    let key = client_key(Algorithm::RS256);
    let bare = server.client_with_key(key).await;
    let id = server.granted_with_key(key, json!({ "allowedCustomClaims": ["customerName"] })).await;
    let ask = async |id: &str, name: &str| {
        let mut claims = server.assertion_claims(id);
        claims[name] = json!("ACME");
        server.token_by(&signed(&header_of(key), &claims, key), "").await
    };
    let refused = ask(&bare, "customerName").await;
    assert_eq!((refused.status, refused.error()), (400, Some("invalid_request")));
    is_printable(&refused, "not allowed");
    let reply = ask(&id, "customerName").await;
    assert_eq!(claims_of(&reply.text_of("access_token"))["customerName"], "ACME");
    assert_eq!(ask(&id, "permissions").await.status, 400);
    for name in ["sub", "iss"] {
        assert_eq!(ask(&id, name).await.status, 401, "{name} is part of the proof");
    }
    for name in ["permissions", "sub", "iss"] {
        let body = json!({ "client_name": "c", "allowedCustomClaims": [name] });
        assert_eq!(server.create_client(body).await.status, 400, "{name}");
    }
}

#[actix_web::test]
async fn m_08_required_audience() {
    let server = Server::with(|settings| settings.tokens.require_audience = true).await;
    let (id, secret) = server.granted(json!({ "audience": ["aud1"] })).await;
    let none = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(none.status, 400);
    is_printable(&none, "none asked");
    let other = server.token(Some((&id, &secret)), &format!("{GRANT}&audience=aud2")).await;
    assert_eq!(other.status, 400);
    is_printable(&other, "not granted");
    let reply = server.token(Some((&id, &secret)), &format!("{GRANT}&audience=aud1")).await;
    assert_eq!(claims_of(&reply.text_of("access_token"))["aud"], json!(["aud1"]));
}

#[actix_web::test]
async fn m_09_tokeninfo() {
    let server = Server::with(|settings| {
        settings.tokens.accepted_audiences = vec!["aud1".parse().unwrap()];
    })
    .await;
    let (id, secret) = server.granted(json!({ "audience": ["aud1", "aud2"] })).await;
    let token = async |more: &str| {
        let form = format!("{GRANT}{more}");
        server.token(Some((&id, &secret)), &form).await.text_of("access_token")
    };
    let good = token("").await;
    let reply = server.tokeninfo(&good).await;
    assert_eq!((reply.status, reply.body), (200, claims_of(&good)));
    let none = server.get("/tokeninfo").await;
    assert_eq!(none.status, 401);
    is_printable(&none, "no header");
    let (head, tail) = good.split_once('.').unwrap();
    let without_kid = format!("{}.{tail}", base64url(r#"{"typ":"at+jwt","alg":"RS256"}"#));
    let changed = tail.replacen(&tail[9..10], if &tail[9..10] == "A" { "B" } else { "A" }, 1);
    for (why, token) in [
        ("tampered", format!("{head}.{changed}")),
        ("no kid", without_kid),
        ("aud is not accepted", token("&audience=aud2").await),
    ] {
        let reply = server.tokeninfo(&token).await;
        assert_eq!(reply.status, 401, "{why}");
        is_printable(&reply, why);
    }
    server.clock.set(START + 36_000);
    assert_eq!(server.tokeninfo(&good).await.status, 401, "expired");
}

#[actix_web::test]
async fn m_10_clients_begin_in_any_state() {
    let server = Server::start().await;
    let wanted = json!({ "permissions": ["p1"], "audience": ["a"], "__STATE__": "DRAFT" });
    let (id, secret) = server.granted(wanted).await;
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 401);

    // As their own tools publish it; here into another store, so that nothing is remembered.
    let mut document = server.document(&id).await;
    assert_eq!(document.get_str("__STATE__").unwrap(), "DRAFT");
    document.insert("__STATE__", "PUBLIC");
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let facts = server.store.store().agreed("pepper").await.unwrap().unwrap();
    store.store().agree("pepper", &facts).await.unwrap();
    store.store().import(vec![document]).await.unwrap();
    let published = Server::on(store, |_| ()).await;
    let reply = published.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(claims_of(&reply.text_of("access_token"))["permissions"], json!(["p1"]));

    let anonymous = server.post_json("/clients", &json!({ "client_name": "c" })).await;
    assert_eq!(anonymous.status, 401, "must require authentication");
    is_printable(&anonymous, "anonymous");
}

#[actix_web::test]
async fn m_14_status_and_prefix() {
    let server = Server::with(|settings| settings.listen.service_prefix = "/cc".to_owned()).await;
    let registered = server.post_json("/cc/register", &json!({ "client_name": "c" })).await;
    assert_eq!(registered.status, 201);
    assert_eq!(server.register(json!({ "client_name": "c" })).await.status, 404);
    let (id, secret) = (registered.text_of("client_id"), registered.text_of("client_secret"));
    let request = server.http.post(format!("{}/cc/oauth/token", server.url));
    let request = request.basic_auth(id, Some(secret));
    let reply = server.send(request.form(&[("grant_type", "client_credentials")])).await;
    assert_eq!(reply.status, 200);
    let request = server.http.get(format!("{}/cc/tokeninfo", server.url));
    let info = server.send(request.bearer_auth(reply.text_of("access_token"))).await;
    assert_eq!(info.status, 200);

    for path in ["/-/healthz", "/-/ready", "/-/check-up"] {
        let reply = server.get(path).await;
        let body =
            json!({ "status": "OK", "name": "latchkey", "version": env!("CARGO_PKG_VERSION") });
        assert_eq!((reply.status, reply.body), (200, body), "{path}");
        assert_eq!(server.get(&format!("/cc{path}")).await.status, 404, "{path}, prefixed");
        let head = server.send(server.http.head(format!("{}{path}", server.url))).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "HEAD {path}");
        let posted = server.post(path, "text/plain", "").await;
        assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    for path in ["/documentation/json", "/-/metrics"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
        assert_eq!(server.get(&format!("/cc{path}")).await.status, 404, "{path}, prefixed");
    }
}

/// A collection of theirs as it stands: no member of ours, a single key.
#[actix_web::test]
async fn their_documents_work_as_they_stand() {
    let key = client_key(Algorithm::RS256);
    let mut jwk = key.public().to_json();
    jwk["alg"] = "RSA256".into();
    jwk["kid"] = "their-kid".into();
    let theirs = doc! {
        "clientId": "abcdefghijklmnopqrstuvwxyzabcdef", "name": "theirs", "__STATE__": "PUBLIC",
        "authMethod": "private_key_jwt", "permissions": ["p1"], "audience": ["a"],
        "allowedCustomClaims": null, "publicKey": mongodb::bson::Bson::try_from(jwk).unwrap(),
        "creatorId": "public", "updaterId": "public",
        "createdAt": DateTime::from_millis(1_600_000_000_000),
        "updatedAt": DateTime::from_millis(1_600_000_000_000),
    };
    let server = Server::holding(vec![theirs]).await;
    let named = PrivateKey::from_pem(&key.to_pem().unwrap(), None).unwrap().named("their-kid");
    let id = "abcdefghijklmnopqrstuvwxyzabcdef";
    let reply = server.token_by(&server.assertion(id, &named), "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let claims = claims_of(&reply.text_of("access_token"));
    assert_eq!((&claims["permissions"], &claims["aud"]), (&json!(["p1"]), &json!(["a"])));
}
