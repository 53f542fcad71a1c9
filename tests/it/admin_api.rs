//! `/clients`: what an admin does.

use latchkey::domain::jwk::Algorithm;
use serde_json::{Value, json};

use crate::harness::{ADMIN, GRANT, Reply, START, Server, claims_of, client_key, store_in};

/// A token of a fresh client with these permissions.
async fn token_with(server: &Server, permissions: &[&str]) -> String {
    let (id, secret) = server.granted(json!({ "permissions": permissions })).await;
    server.token(Some((&id, &secret)), GRANT).await.text_of("access_token")
}

async fn ask(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Reply {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = server.http.request(method.clone(), format!("{}{path}", server.url));
    let request = if method == "POST" { request.json(body) } else { request };
    server.send(request.bearer_auth(token)).await
}

#[actix_web::test]
async fn permissions_are_needed() {
    let server = Server::start().await;
    let (id, _) = server.client_with_secret().await;
    let client = json!({ "client_name": "c" });
    let show = format!("/clients/{id}");
    let requests =
        [("POST", "/clients", 201), ("GET", "/clients", 200), ("GET", show.as_str(), 200)];
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], [bool; 3])] = &[
        // why                   permissions                                             may create, list, show
        ("nothing",              &[],                                                    [false, false, false]),
        ("to read",              &["latchkey:clients:read"],                             [false, true,  true]),
        ("to write",             &["latchkey:clients:write"],                            [true,  false, false]),
        ("both",                 &["latchkey:clients:read", "latchkey:clients:write"],   [true,  true,  true]),
        ("admin",                &["latchkey:admin"],                                    [true,  true,  true]),
        ("of another service",   &["clients:read", "admin"],                             [false, false, false]),
        ("a prefix",             &["latchkey:clients", "latchkey:"],                     [false, false, false]),
        ("other letter case",    &["Latchkey:Admin"],                                    [false, false, false]),
        ("a wildcard",           &["latchkey:*", "*"],                                   [false, false, false]),
    ];
    for (why, permissions, allowed) in cases {
        let token = token_with(&server, permissions).await;
        for ((method, path, good), allowed) in requests.iter().zip(allowed) {
            let reply = ask(&server, method, path, &token, &client).await;
            let why = format!("{why}: {method} {path}");
            assert_eq!(reply.status, if *allowed { *good } else { 403 }, "{why}: {reply:?}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
            if !allowed {
                assert_eq!(reply.error(), Some("insufficient_scope"), "{why}");
                let challenge = reply.header("www-authenticate").unwrap();
                assert!(challenge.contains(r#"error="insufficient_scope""#), "{why}");
            }
        }
    }
    for (method, path, _) in requests {
        let reply = ask(&server, method, path, "x", &client).await;
        assert_eq!((reply.status, reply.error()), (401, Some("invalid_token")), "{method} {path}");
        let request = server.http.request(method.parse().unwrap(), format!("{}{path}", server.url));
        let reply = server.send(request.basic_auth(ADMIN.0, Some(ADMIN.1))).await;
        assert_eq!(reply.status, 401, "a secret is no bearer token: {method} {path}");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(!challenge.contains("error"), "{method} {path}: {challenge}");
    }
}

#[actix_web::test]
async fn only_an_admin_grants_power_over_this_server() {
    let server = Server::start().await;
    let writer = token_with(&server, &["latchkey:clients:write", "latchkey:clients:read"]).await;
    let admin = server.admin_token().await;
    for (permission, by_writer) in [
        ("read:x", 201),
        ("latchkey:admin", 403),
        ("latchkey:clients:read", 403),
        ("latchkey:clients:write", 403),
        ("latchkey:anything", 403),
        ("latchkeys:admin", 201),
    ] {
        let body = json!({ "client_name": "c", "permissions": ["a", permission] });
        assert_eq!(
            ask(&server, "POST", "/clients", &writer, &body).await.status,
            by_writer,
            "{permission}"
        );
        assert_eq!(
            ask(&server, "POST", "/clients", &admin, &body).await.status,
            201,
            "{permission}"
        );
    }
}

/// A token is a snapshot: what was taken from its client since counts for nothing here.
#[actix_web::test]
async fn a_token_allows_what_its_client_still_holds() {
    let server = Server::start().await;
    let form = [("token", "x")];
    #[rustfmt::skip]
    let cases = [
        // permission               method   path                       body                              good
        ("latchkey:clients:read",   "GET",   "/clients",                json!(null),                      200),
        ("latchkey:clients:write",  "POST",  "/clients",                json!({ "client_name": "c" }),    201),
        ("latchkey:admin",          "POST",  "/clients/import",         json!({ "clients": [{}] }),       200),
        ("latchkey:audit:read",     "GET",   "/audit",                  json!(null),                      200),
        ("latchkey:keys:write",     "GET",   "/keys",                   json!(null),                      200),
        ("latchkey:tokens:revoke",  "POST",  "/revocations",            json!({ "jti": "x" }),            200),
        ("latchkey:decide",         "POST",  "/access/v1/evaluations",  json!({ "evaluations": [{}] }),   200),
        ("latchkey:introspect",     "FORM",  "/oauth/introspect",       json!(null),                      200),
    ];
    for (permission, method, path, body, good) in cases {
        let (id, secret) = server.granted(json!({ "permissions": [permission] })).await;
        let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
        let ask = async || match method {
            "FORM" => {
                let request = server.http.post(format!("{}{path}", server.url)).form(&form);
                server.send(request.bearer_auth(&token)).await
            }
            method => ask(&server, method, path, &token, &body).await,
        };
        assert_eq!(ask().await.status, good, "{permission}");
        let shown = format!("/clients/{id}");
        let taken = json!({ "permissions": ["read:x"] });
        assert_eq!(server.admin(reqwest::Method::PATCH, &shown, &taken).await.status, 200);
        let reply = ask().await;
        assert_eq!(
            (reply.status, reply.error()),
            (403, Some("insufficient_scope")),
            "{permission}"
        );
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{permission}: it is alive");
        let given = json!({ "permissions": [permission] });
        assert_eq!(server.admin(reqwest::Method::PATCH, &shown, &given).await.status, 200);
        assert_eq!(ask().await.status, good, "{permission}, given back");
    }

    let (id, secret) = server.granted(json!({ "permissions": [] })).await;
    let before = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
    let given = json!({ "permissions": ["latchkey:admin"] });
    let shown = format!("/clients/{id}");
    assert_eq!(server.admin(reqwest::Method::PATCH, &shown, &given).await.status, 200);
    let reply = ask(&server, "GET", "/clients", &before, &Value::Null).await;
    assert_eq!(reply.status, 403, "a token from before a grant does not grow");
}

/// Neither what another replica remembers nor what was so when the request began is enough.
#[actix_web::test]
async fn a_demoted_administrator_grants_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let clock = std::sync::Arc::new(crate::harness::TestClock::default());
    let store = std::sync::Arc::new(latchkey::store::MemoryStore::default());
    let start = async || {
        let store = latchkey::assembly::OpenStore::Memory(store.clone());
        Server::at(clock.clone(), store, |_| ()).await
    };
    // Nobody else is expected on a store in memory, so the second never forgets by itself.
    let (here, there) = (start().await, start().await);
    let made = here.granted(json!({ "permissions": ["latchkey:admin"] })).await;
    let token = there.token_of(&made).await;
    assert_eq!(ask(&there, "GET", "/clients", &token, &Value::Null).await.status, 200);
    let power = json!({ "client_name": "c", "permissions": ["latchkey:admin"] }).to_string();

    // Its body comes when it is no administrator any more.
    let address = there.url.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /clients HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{{",
        power.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(there.get("/-/healthz").await.status, 200);

    let shown = format!("/clients/{}", made.0);
    let taken = json!({ "permissions": ["latchkey:clients:write"] });
    assert_eq!(here.admin(reqwest::Method::PATCH, &shown, &taken).await.status, 200);
    slow.write_all(&power.as_bytes()[1..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");

    let (method, body) = (reqwest::Method::PATCH, json!({ "permissions": ["latchkey:admin"] }));
    for server in [&there, &here] {
        let request = server.http.request(method.clone(), format!("{}{shown}", server.url));
        let reply = server.send(request.bearer_auth(&token).json(&body)).await;
        assert_eq!((reply.status, reply.error()), (403, Some("insufficient_scope")));
        let power = serde_json::from_str(&power).unwrap();
        assert_eq!(ask(server, "POST", "/clients", &token, &power).await.status, 403);
        let path = format!("/clients/{}/secrets", ADMIN.0);
        assert_eq!(ask(server, "POST", &path, &token, &json!({})).await.status, 403);
    }
}

#[actix_web::test]
async fn what_a_client_is_given() {
    let server = Server::start().await;
    let asked = json!({
        "client_name": "c", "permissions": ["b", "a", "b"], "audience": ["y", "x", "y"],
        "scope": "s  t s", "__STATE__": "DRAFT", "metadata": { "team": { "n": [1, null] } },
        "groups": ["g", "g"], "allowedCustomClaims": ["customerName"],
        "access_token_lifetime": 60, "legacyAudience": START + 100,
        "quota_per_hour": 10, "quota_per_day": 0,
        "grant_types": ["client_credentials"], "response_types": [],
    });
    let created = server.create_client(asked).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let id = created.text_of("client_id");
    assert_eq!(created.header("location"), Some(format!("clients/{id}").as_str()));
    let expected = json!({
        "permissions": ["b", "a"], "audience": ["y", "x"], "scope": "s t", "__STATE__": "DRAFT",
        "metadata": { "team": { "n": [1, null] } }, "groups": ["g"],
        "allowedCustomClaims": ["customerName"], "access_token_lifetime": 60,
        "legacyAudience": START + 100, "quota_per_hour": 10, "quota_per_day": null,
    });
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(created.body[member], *value, "{member}, when it was made");
        assert_eq!(shown.body[member], *value, "{member}, later on");
    }
    assert!(created.body["client_secret"].is_string());
    assert_eq!(shown.body.get("client_secret"), None);
    assert_eq!(shown.body["secrets"][0]["expires_at"], 0);
    assert_eq!(shown.body["secrets"][0].get("hash"), None);
    assert_eq!(
        (&shown.body["creatorId"], &shown.body["updaterId"]),
        (&json!("admin"), &json!("admin"))
    );

    let key = client_key(Algorithm::EdDSA);
    let id = server.granted_with_key(key, json!({})).await;
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!(shown.body["keys"][0]["jwk"], key.public().to_json());
    assert_eq!(shown.body["secrets"], json!([]));

    let unknown = server.admin_get("/clients/who").await;
    assert_eq!((unknown.status, unknown.error()), (404, Some("not_found")));
    for path in
        ["/clients/%00", "/clients/a%0Ab", "/clients/%C3%A9", "/clients/..%2f..", "/clients/%ff"]
    {
        assert_eq!(server.admin_get(path).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn what_is_refused() {
    let server = Server::start().await;
    let long = "x".repeat(257);
    #[rustfmt::skip]
    let cases = [
        // why                            member                                              named in the answer
        ("unknown member",                json!({ "permision": [] }),                          "permision"),
        ("submitted id",                  json!({ "client_id": "mine" }),                      "client_id"),
        ("submitted secret",              json!({ "client_secret": "hunter2" }),               "client_secret"),
        ("document member",               json!({ "tokenEpoch": 1 }),                          "tokenEpoch"),
        ("state unknown",                 json!({ "__STATE__": "GONE" }),                      "__STATE__"),
        ("state in lower case",           json!({ "__STATE__": "public" }),                    "__STATE__"),
        ("permissions a string",          json!({ "permissions": "a" }),                       "permissions"),
        ("permissions with a number",     json!({ "permissions": [1] }),                       "permissions"),
        ("permissions null",              json!({ "permissions": null }),                      "permissions"),
        ("permission empty",              json!({ "permissions": [""] }),                      "permissions"),
        ("permission with a NUL",         json!({ "permissions": ["a\0"] }),                   "permissions"),
        ("permission too long",           json!({ "permissions": [long] }),                    "permissions"),
        ("audience with a space",         json!({ "audience": ["a b"] }),                      "audience"),
        ("audience empty",                json!({ "audience": [""] }),                         "audience"),
        ("scope with a quote",            json!({ "scope": "a\"" }),                           "scope"),
        ("scope a list",                  json!({ "scope": ["a"] }),                           "scope"),
        ("groups with a line break",      json!({ "groups": ["a\n"] }),                        "group"),
        ("groups that turn round",        json!({ "groups": ["a\u{202e}"] }),                  "group"),
        ("group that cannot be seen",     json!({ "groups": ["\u{200b}"] }),                   "group"),
        ("permission on two lines",       json!({ "permissions": ["a\u{2028}b"] }),            "permission"),
        ("claim that cannot be seen",     json!({ "allowedCustomClaims": ["\u{3164}"] }),      "claim"),
        ("group empty",                   json!({ "groups": [""] }),                           "group"),
        ("lifetime 0",                    json!({ "access_token_lifetime": 0 }),               "access_token_lifetime"),
        ("lifetime too long",             json!({ "access_token_lifetime": 86_401 }),          "access_token_lifetime"),
        ("lifetime negative",             json!({ "access_token_lifetime": -1 }),              "access_token_lifetime"),
        ("lifetime a fraction",           json!({ "access_token_lifetime": 1.5 }),             "access_token_lifetime"),
        ("lifetime a string",             json!({ "access_token_lifetime": "60" }),            "access_token_lifetime"),
        ("quota negative",                json!({ "quota_per_hour": -1 }),                      "quota_per_hour"),
        ("quota a fraction",              json!({ "quota_per_day": 1.5 }),                      "quota_per_day"),
        ("quota too large",               json!({ "quota_per_day": 1_000_000_000_001_u64 }),    "quota_per_day"),
        ("legacyAudience true",           json!({ "legacyAudience": true }),                   "legacyAudience"),
        ("legacyAudience a date",         json!({ "legacyAudience": "2027-01-01" }),           "legacyAudience"),
        ("metadata a list",               json!({ "metadata": [] }),                           "metadata"),
        ("metadata with a dot",           json!({ "metadata": { "a.b": 1 } }),                 "a.b"),
        ("metadata with a dollar",        json!({ "metadata": { "$set": 1 } }),                "$set"),
        ("metadata with one, deep",       json!({ "metadata": { "a": [{ "b": { "$c": 1 } }] } }), "$c"),
        ("metadata without a name",       json!({ "metadata": { "": 1 } }),                    "metadata"),
        ("metadata with a NUL",           json!({ "metadata": { "a\0": 1 } }),                 "metadata"),
        ("claim reserved: sub",           json!({ "allowedCustomClaims": ["a", "sub"] }),      "sub"),
        ("claim reserved: permissions",   json!({ "allowedCustomClaims": ["permissions"] }),   "permissions"),
        ("claim reserved: groups",        json!({ "allowedCustomClaims": ["groups"] }),        "groups"),
        ("claim reserved: client_id",     json!({ "allowedCustomClaims": ["client_id"] }),     "client_id"),
        ("claim reserved: cnf",           json!({ "allowedCustomClaims": ["cnf"] }),           "cnf"),
        ("claim reserved: act",           json!({ "allowedCustomClaims": ["act"] }),           "act"),
        ("claim reserved: epoch",         json!({ "allowedCustomClaims": ["epoch"] }),         "epoch"),
        ("claim reserved: cred",          json!({ "allowedCustomClaims": ["cred"] }),          "cred"),
        ("claim reserved, other name",    json!({ "allowed_custom_claims": ["iss"] }),         "iss"),
        ("claim empty",                   json!({ "allowedCustomClaims": [""] }),              "claim"),
        ("claims under both names",       json!({ "allowedCustomClaims": [], "allowed_custom_claims": [] }), "allowed"),
        ("method unknown",                json!({ "token_endpoint_auth_method": "none" }),     "token_endpoint_auth_method"),
        ("a key method without a key",    json!({ "token_endpoint_auth_method": "private_key_jwt" }), "key"),
        ("jwks_uri no URL",               json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "x" }), "jwks_uri"),
        ("jwks_uri without TLS",          json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://x.test" }), "jwks_uri"),
        ("jwks_uri for a secret method",  json!({ "jwks_uri": "https://x.test" }),             "key"),
        ("a proof of no key",             json!({ "proof": "x" }),                             "proof"),
    ];
    for (why, member, named) in cases {
        let mut body = json!({ "client_name": "c" });
        body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        let reply = server.create_client(body).await;
        assert_eq!(
            (reply.status, reply.error()),
            (400, Some("invalid_client_metadata")),
            "{why}: {reply:?}"
        );
        let told = reply.text_of("error_description");
        assert!(told.contains(named), "{why}: {told}");
    }
    let bounds =
        server.create_client(json!({ "client_name": "c", "access_token_lifetime": 86_400 })).await;
    assert_eq!(bounds.status, 201, "the longest");
    let admin = server.admin_token().await;
    for body in [json!(null), json!([]), json!("c")] {
        let reply = ask(&server, "POST", "/clients", &admin, &body).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{body}");
    }
}

#[actix_web::test]
async fn pages() {
    let server = Server::start().await;
    let mut made = vec![ADMIN.0.to_owned()];
    for _ in 0..7 {
        made.push(server.granted(json!({ "__STATE__": "DRAFT" })).await.0);
    }
    for limit in [1, 3, 4, 7, 8, 200] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = server.admin_get(&format!("/clients?limit={limit}{cursor}")).await;
            let clients = page.body["clients"].as_array().unwrap();
            assert!(clients.len() <= limit);
            found.extend(
                clients.iter().map(|client| client["client_id"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, made, "each once, oldest first, by {limit}");
        assert_eq!(pages, made.len().div_ceil(limit), "no empty page, by {limit}");
    }
    #[rustfmt::skip]
    let cases = [
        ("limit 0",            "limit=0"),
        ("limit too large",    "limit=201"),
        ("limit negative",     "limit=-1"),
        ("limit no number",    "limit=x"),
        ("limit empty",        "limit="),
        ("limit twice",        "limit=1&limit=2"),
        ("unknown parameter",  "page=2"),
        ("cursor empty",       "cursor="),
        ("cursor with signs",  "cursor=%24ne"),
        ("cursor too long",    &format!("cursor={}", "1".repeat(300))),
    ];
    for (why, query) in cases {
        let reply = server.admin_get(&format!("/clients?{query}")).await;
        assert_eq!(
            (reply.status, reply.error()),
            (400, Some("invalid_request")),
            "{why}: {reply:?}"
        );
    }
    for (cursor, status) in
        [("18446744073709551615", 200), ("99999999999999999999999", 400), ("abc", 400), ("-1", 400)]
    {
        let reply = server.admin_get(&format!("/clients?cursor={cursor}")).await;
        assert_eq!(reply.status, status, "{cursor}");
    }
}

#[actix_web::test]
async fn rfc9110_s13_1_1_if_match() {
    let server = Server::start().await;
    let (id, _) = server.client_with_secret().await;
    let token = server.admin_token().await;
    let url = format!("{}/clients/{id}", server.url);
    let tag = async || {
        let reply = server.admin_get(&format!("/clients/{id}")).await;
        reply.header("etag").unwrap().to_owned()
    };
    let stale = tag().await;
    let patch = async |tag: Option<&[u8]>, name: &str| {
        let mut request = server.http.patch(&url).bearer_auth(&token);
        if let Some(tag) = tag {
            request =
                request.header("if-match", reqwest::header::HeaderValue::from_bytes(tag).unwrap());
        }
        server.send(request.json(&json!({ "client_name": name }))).await
    };
    assert_eq!(patch(Some(stale.as_bytes()), "first").await.status, 200);
    let current = tag().await;
    let weak = format!("W/{current}");
    #[rustfmt::skip]
    let cases: [(&str, &[u8], u16); 6] = [
        ("the one before",   stale.as_bytes(),  412),
        ("a weak one",       weak.as_bytes(),   412),
        ("without quotes",   b"1",              412),
        ("empty",            b"",               412),
        ("no text",          b"\"\xff\"",       412),
        ("several others", b"\"a\", \"b\"",    412),
    ];
    for (why, tag, status) in cases {
        let reply = patch(Some(tag), why).await;
        assert_eq!((reply.status, reply.error()), (status, Some("precondition_failed")), "{why}");
    }
    assert_eq!(tag().await, current, "nothing was changed");
    let several = format!("\"a\", {current}");
    let reply = patch(Some(several.as_bytes()), "second").await;
    assert_eq!(reply.status, 200, "one of several");
    assert_eq!(reply.header("etag"), Some(&*tag().await), "what it is now");
    assert_eq!(patch(Some(b"*"), "third").await.status, 200, "any");
    assert_eq!(patch(None, "fourth").await.status, 200, "none asked for");
    for (method, below) in [("DELETE", ""), ("POST", "/state")] {
        let request = server.http.request(method.parse().unwrap(), format!("{url}{below}"));
        let request = request.json(&json!({ "stateTo": "DRAFT" })).header("if-match", &stale);
        assert_eq!(server.send(request.bearer_auth(&token)).await.status, 412, "{method}");
    }
}

#[actix_web::test]
async fn a_listener_for_admins() {
    let server = Server::with(|settings| {
        settings.listen.admin_address = Some("127.0.0.1:0".parse().unwrap());
        settings.listen.service_prefix = "/cc".to_owned();
    })
    .await;
    let admin = server.admin_url.clone().unwrap();
    let only_admin =
        ["/cc/clients", "/cc/clients/x", "/-/metrics", "/documentation", "/documentation/json"];
    let only_public = [
        "/cc/oauth/token",
        "/cc/register",
        "/cc/tokeninfo",
        "/cc/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    ];
    let both = ["/-/healthz", "/-/ready", "/-/check-up"];
    let status = async |base: &str, path: &str| {
        server.send(server.http.get(format!("{base}{path}"))).await.status
    };
    for path in only_admin {
        assert_eq!(status(&server.url, path).await, 404, "{path} for everybody");
        assert_ne!(status(&admin, path).await, 404, "{path} for admins");
    }
    for path in only_public {
        assert_ne!(status(&server.url, path).await, 404, "{path} for everybody");
        assert_eq!(status(&admin, path).await, 404, "{path} for admins");
    }
    for path in both {
        assert_eq!(status(&server.url, path).await, 200, "{path} for everybody");
        assert_eq!(status(&admin, path).await, 200, "{path} for admins");
    }
    let request = server.http.post(format!("{}/cc/clients", server.url));
    let reply = server.send(request.json(&json!({ "client_name": "c" }))).await;
    assert_eq!(reply.status, 404, "also to post");
}

#[actix_web::test]
async fn an_admin_is_not_locked_out_by_a_required_audience() {
    let server = Server::with(|settings| settings.tokens.require_audience = true).await;
    let reply = server.token(Some(ADMIN), GRANT).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(claims_of(&reply.text_of("access_token")).get("aud"), None);
    let (id, secret) = server.granted(json!({ "permissions": ["read:x"] })).await;
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.error(), Some("invalid_request"));
    let (id, secret) =
        server.granted(json!({ "permissions": ["latchkey:admin"], "audience": ["a"] })).await;
    let reply = server.token(Some((&id, &secret)), GRANT).await;
    assert_eq!(reply.error(), Some("invalid_request"), "it has one to ask for");
}

#[actix_web::test]
async fn a_configured_administrator_ends_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let named = |id: Option<&str>, secret: &str| {
        let (id, secret) = (id.map(str::to_owned), secret.to_owned());
        move |settings: &mut latchkey::config::Settings| {
            settings.admin.secret = id.is_some().then(|| secret.into());
            settings.admin.client_id = id;
        }
    };
    let status = async |server: &Server, id: &str, secret: &str| {
        server.token(Some((id, secret)), GRANT).await.status
    };

    let server = Server::on(store_in(folder.path()).await, named(None, "")).await;
    let text = std::fs::read_to_string(folder.path().join("admin.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = (file["client_id"].as_str().unwrap(), file["client_secret"].as_str().unwrap());
    assert_eq!(status(&server, first.0, first.1).await, 200);
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, named(Some("second"), "one")).await;
    assert_eq!(status(&server, first.0, first.1).await, 401, "of the first start");
    assert_eq!(status(&server, "second", "one").await, 200);
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, named(Some("second"), "two")).await;
    assert_eq!(status(&server, "second", "one").await, 401, "its former secret");
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, named(Some("third"), "three")).await;
    assert_eq!(status(&server, "second", "two").await, 401, "of the former name");
    assert_eq!(status(&server, "third", "three").await, 200);
}

/// Authors are told by clients and other platforms: what the server made it knows by itself.
#[actix_web::test]
async fn administrators_of_persons_are_not_ended() {
    let folder = tempfile::tempdir().unwrap();
    let named = |id: &'static str| {
        move |settings: &mut latchkey::config::Settings| {
            settings.admin.client_id = Some(id.to_owned());
        }
    };
    let admin = |id: &str, creator: &str, updater: &str| {
        mongodb::bson::doc! {
            "clientId": id, "name": id, "__STATE__": "PUBLIC", "permissions": ["latchkey:admin"],
            "creatorId": creator, "updaterId": updater, "version": 1_i64,
        }
    };
    let store = store_in(folder.path()).await;
    let before = vec![
        admin("of a start", "latchkey", "public"),
        admin("of a client `latchkey`", "latchkey", "latchkey"),
        admin("imported", "latchkey", "admin"),
        admin("renewed", "latchkey", "public"),
    ];
    assert_eq!(store.store().import(before).await.unwrap().new, 4);
    let server = Server::on(store, named("renewed")).await;
    let document = server.document("renewed").await;
    assert_eq!(document.get_str("provenance").unwrap(), "installed", "noted when it is set again");
    let token = server.token(Some(("renewed", ADMIN.1)), GRANT).await.text_of("access_token");

    let theirs = json!({ "clients": [
        { "clientId": "brought", "__STATE__": "PUBLIC", "creatorId": "latchkey" },
        { "clientId": "brought too", "__STATE__": "PUBLIC", "creatorId": "latchkey:server" },
        { "clientId": "of nobody", "__STATE__": "PUBLIC", "creatorId": "public" },
        { "clientId": "latchkey" }, { "clientId": "public" }, { "clientId": "latchkey:server" },
    ]});
    let results = ask(&server, "POST", "/clients/import", &token, &theirs).await;
    for (index, outcome) in [
        "imported_with_new_secret",
        "imported_with_new_secret",
        "imported_with_new_secret",
        "refused",
        "refused",
        "refused",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(results.body["results"][index]["outcome"], outcome, "{index}: {results:?}");
    }
    for id in ["brought", "brought%20too", "of%20nobody"] {
        let url = format!("{}/clients/{id}", server.url);
        let granted = json!({ "permissions": ["latchkey:admin"] });
        let patched = server.send(server.http.patch(&url).bearer_auth(&token).json(&granted)).await;
        assert_eq!((patched.status, &patched.body["creatorId"]), (200, &json!("renewed")), "{id}");
    }
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, named("next")).await;
    for (id, state) in [
        ("of a start", "DRAFT"),
        ("renewed", "DRAFT"),
        ("of a client `latchkey`", "PUBLIC"),
        ("imported", "PUBLIC"),
        ("brought", "PUBLIC"),
        ("brought too", "PUBLIC"),
        ("of nobody", "PUBLIC"),
        ("next", "PUBLIC"),
    ] {
        assert_eq!(server.document(id).await.get_str("__STATE__").unwrap(), state, "{id}");
    }
    assert_eq!(server.document("next").await.get_str("creatorId").unwrap(), "latchkey:server");
}

#[test]
fn an_administrator_is_not_called_what_stands_for_others() {
    for id in ["latchkey", "public", "latchkey:server", "latchkey:x", "\u{7}"] {
        let mut settings = crate::harness::settings();
        settings.admin.client_id = Some(id.to_owned());
        let refused = latchkey::config::Config::of(settings, 8080).unwrap_err().to_string();
        assert!(refused.contains("admin_client_id"), "{id}: {refused}");
    }
}
