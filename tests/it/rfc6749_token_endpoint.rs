//! RFC 6749 §3.2, §3.3, §4.4 and §5: what may be asked of the token endpoint, and what it answers.

use std::collections::BTreeSet;
use std::time::Duration;

use latchkey::domain::jwk::Algorithm;
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, FORM, GRANT, START, Server, basic, claims_of, client_key, header_of, jose_header_of,
    nested, signed, store_in,
};

#[actix_web::test]
async fn s3_2_parameters() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "scope": "a b", "audience": ["x", "y"] })).await;
    let all = "grant_type=client_credentials";

    #[rustfmt::skip]
    let cases = [
        // why                                   form                                           status error
        ("as it should be",                      all.to_owned(),                                200, None),
        ("nothing",                              String::new(),                                 400, Some("invalid_request")),
        ("no grant_type",                        "scope=a".to_owned(),                          400, Some("invalid_request")),
        ("empty grant_type",                     "grant_type=".to_owned(),                      400, Some("invalid_request")),
        ("grant_type without a value",           "grant_type".to_owned(),                       400, Some("invalid_request")),
        ("another grant",                        "grant_type=authorization_code".to_owned(),    400, Some("unsupported_grant_type")),
        ("password",                             "grant_type=password&username=u&password=p".to_owned(), 400, Some("unsupported_grant_type")),
        ("refresh_token",                        "grant_type=refresh_token".to_owned(),         400, Some("unsupported_grant_type")),
        ("grant_type in upper case",             "grant_type=CLIENT_CREDENTIALS".to_owned(),    400, Some("unsupported_grant_type")),
        ("grant_type with a space behind",       format!("{all}+"),                             400, Some("unsupported_grant_type")),
        ("grant_type twice",                     format!("{all}&{all}"),                        400, Some("invalid_request")),
        ("grant_type twice, two values",         format!("{all}&grant_type=password"),          400, Some("invalid_request")),
        ("grant_type twice, the names encoded",  format!("{all}&grant%5Ftype=client_credentials"), 400, Some("invalid_request")),
        ("scope twice",                          format!("{all}&scope=a&scope=b"),              400, Some("invalid_request")),
        ("scope twice, once empty",              format!("{all}&scope=a&scope="),               400, Some("invalid_request")),
        ("an unknown one",                       format!("{all}&colour=red"),     200, None),
        ("an unknown one twice",                 format!("{all}&foo=1&foo=2"),                  400, Some("invalid_request")),
        ("empty ones",                           format!("{all}&scope=&audience=&client_id=&foo="), 200, None),
        ("scope as a list",                      format!("{all}&scope[]=none"),                 200, None),
        ("scope as an object",                   format!("{all}&scope[$ne]=none"),              200, None),
        ("client_id as an object",               format!("{all}&client_id[$ne]=x"),             200, None),
        ("client_id as a list",                  format!("{all}&client_id[]=x"),                200, None),
        ("grant_type as a list",                 "grant_type[]=client_credentials".to_owned(),  400, Some("invalid_request")),
        ("name in upper case",                   "GRANT_TYPE=client_credentials".to_owned(),    400, Some("invalid_request")),
        ("separators too many",                  format!("&&{all}&&"),                          200, None),
        ("semicolons separate nothing",          format!("{all};scope=a"),                      400, Some("unsupported_grant_type")),
        ("no name",                              format!("{all}&=x"),                           200, None),
        ("name encoded",                         "%67rant_type=client%5Fcredentials".to_owned(), 200, None),
        ("percent sign alone",                   format!("{all}&x=%"),                          200, None),
        ("a NUL in a value",                     format!("{all}%00"),                           400, Some("unsupported_grant_type")),
    ];
    for (why, form, status, error) in cases {
        let reply = server.token(Some((&id, &secret)), &form).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{why}: {reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    }
    for (why, body, error) in [
        ("not UTF-8", &b"grant_type=client_credentials&x=\xff"[..], "invalid_request"),
        ("UTF-16", b"\xff\xfeg\0r\0", "invalid_request"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0", "invalid_request"),
    ] {
        let reply = server.post("/oauth/token", FORM, body).await;
        assert_eq!((reply.status, reply.error()), (400, Some(error)), "{why}");
    }
    // The grant is looked at before the client: nobody is told who exists.
    let reply = server.token(None, "grant_type=password").await;
    assert_eq!(reply.error(), Some("unsupported_grant_type"));
}

#[actix_web::test]
async fn s4_4_2_media_types_and_methods() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    #[rustfmt::skip]
    let cases = [
        // why                    content type                                        status
        ("a form",                Some(FORM),                                         200),
        ("with a charset",        Some("application/x-www-form-urlencoded; charset=utf-8"), 200),
        ("with a charset, loud",  Some("Application/X-WWW-Form-URLEncoded;CHARSET=UTF-8"), 200),
        ("JSON",                  Some("application/json"),                           415),
        ("multipart",             Some("multipart/form-data; boundary=x"),            415),
        ("text",                  Some("text/plain"),                                 415),
        ("empty type",            Some(""),                                           415),
        ("nonsense",              Some("application/x-www-form-urlencodedx"),         415),
        ("no type",               None,                                               415),
    ];
    for (why, media_type, status) in cases {
        let mut request = server.http.post(format!("{}/oauth/token", server.url)).body(GRANT);
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let reply = server.send(request.header("authorization", basic(&id, &secret))).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 415 {
            assert_eq!(reply.error(), Some("invalid_request"), "{why}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{why}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
        }
    }
    let twice = server.http.post(format!("{}/oauth/token", server.url)).body(GRANT);
    let twice = twice.header("content-type", FORM).header("content-type", "application/json");
    assert_eq!(server.send(twice).await.status, 415, "two types");

    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = server.http.request(method.clone(), format!("{}/oauth/token", server.url));
        let reply = server.send(request).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
        if method != "HEAD" {
            assert_eq!(reply.error(), Some("invalid_request"), "{method}");
        }
    }
}

/// What a stranger sends does not come back at length.
#[actix_web::test]
async fn what_is_refused_is_quoted_briefly() {
    let server = Server::with(|settings| settings.listen.body_limit = 1_000_000).await;
    let long = "x".repeat(60_000);
    let repeated = format!("{long}=1&{long}=2");
    let metadata = json!({ "client_name": "c", "token_endpoint_auth_method": long });
    let admin = |body: Value| server.create_client(body);
    let unknown = json!({ "client_name": "c", (long.clone()): 1 });
    let wrong = json!({ "client_name": "c", "permissions": [long] });
    let answers = [
        ("a repeated parameter", server.form("/oauth/token", None, &repeated).await),
        ("the same elsewhere", server.form("/oauth/revoke", None, &repeated).await),
        ("a method", server.post_json("/register", &metadata).await),
        ("a member", admin(unknown).await),
        ("a permission", admin(wrong).await),
        (
            "a parameter of a query",
            server.admin_get(&format!("/clients?{}=1", &long[..20_000])).await,
        ),
    ];
    for (why, reply) in answers {
        assert_eq!(reply.status, 400, "{why}: {}", reply.text.len());
        assert!(reply.text.len() < 1500, "{why}: {}", reply.text.len());
        assert!(!reply.text.contains(&"x".repeat(65)), "{why}: {}", reply.text);
    }
    let imported =
        json!({ "clients": [{ "clientId": "a", (long.clone()): 1, "credentials": long }] });
    let imported = server.admin_post("/clients/import", &imported).await;
    assert!(imported.text.len() < 1500, "{}", imported.text.len());
}

/// Nor does it if it has in it what a quotation ends with.
#[actix_web::test]
async fn what_is_refused_is_quoted_briefly_whatever_is_in_it() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.granted_with_key(key, json!({})).await;
    let (client, keys) = (format!("/clients/{id}"), format!("/clients/{id}/keys"));
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    #[rustfmt::skip]
    let names = [
        ("long",              "Z".repeat(3_000)),
        ("a backtick",        format!("a`{}", "Z".repeat(3_000))),
        ("backticks",         "Z`".repeat(1_500)),
        ("a quotation mark",  format!("a\"{}", "Z".repeat(3_000))),
        ("quotation marks",   "\"Z".repeat(1_500)),
        ("words of ours",     "`, expected Z".repeat(300)),
        ("it commands",       "Z\u{9b}\n`".repeat(700)),
    ];
    for (why, name) in &names {
        let (encoded, member) = (encode(name), json!({ (name.as_str()): 1 }));
        let form = format!("{encoded}=1&{encoded}=2");
        let with = |member: &str, value: Value| {
            let mut body = json!({ "client_name": "c" });
            body[member] = value;
            body
        };
        let short: String = name.chars().filter(|c| !c.is_control()).take(250).collect();
        let mut keyed = json!({ "public_key": client_key(Algorithm::EdDSA).public().to_json() });
        keyed["public_key"]["kid"] = json!(short);
        server.admin_post(&keys, &keyed).await;
        let mut claims = server.assertion_claims(&id);
        claims[name.as_str()] = json!(1);
        let assertion = signed(&header_of(key), &claims, key);
        let target = short.replace(' ', "");
        let asked = format!("&audience={}", encode(&target));
        let patch = async |body| server.admin(reqwest::Method::PATCH, &client, body).await;
        #[rustfmt::skip]
        let answers = [
            ("a parameter",          server.form("/oauth/token", None, &form).await),
            ("one to revoke",        server.form("/oauth/revoke", None, &form).await),
            ("one to introspect",    server.form("/oauth/introspect", None, &form).await),
            ("one of a query",       server.admin_get(&format!("/clients?{encoded}=1")).await),
            ("one of the audit",     server.admin_get(&format!("/audit?{encoded}=1")).await),
            ("one of a removal",     server.admin(reqwest::Method::DELETE, &format!("{keys}/x?{encoded}=1"), &Value::Null).await),
            ("a member",             server.create_client(with(name, json!(1))).await),
            ("one that changes",     patch(&member).await),
            ("one of a key",         server.admin_post(&keys, &member).await),
            ("one of a revocation",  server.admin_post("/revocations", &member).await),
            ("one of a rotation",    server.admin_post("/keys/rotate", &member).await),
            ("a value",              server.create_client(with("permissions", json!(name))).await),
            ("one that changes it",  patch(&json!({ "permissions": name })).await),
            ("a claim",              server.create_client(with("allowedCustomClaims", json!([name]))).await),
            ("metadata",             server.create_client(with("metadata", json!({ (format!("${name}")): 1 }))).await),
            ("the name of a key",    server.admin_post(&keys, &keyed).await),
            ("a claim of its own",   server.token_by(&assertion, "").await),
            ("an audience",          server.token_by(&server.assertion(&id, key), &asked).await),
        ];
        for (what, reply) in answers {
            assert_eq!(reply.status, 400, "{what}, {why}: {reply:?}");
            let told = reply.text_of("error_description");
            assert!(told.matches('Z').count() <= 64, "{what}, {why}: {told}");
            assert!(told.contains('Z') && told.is_ascii(), "{what}, {why}: {told}");
        }
    }
}

#[actix_web::test]
async fn rfc9110_s8_4_content_codings() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    #[rustfmt::skip]
    let cases = [
        // why                        codings                        status
        ("none",                      &[][..],                       200),
        ("identity",                  &["identity"],                 200),
        ("identity, loud",            &["Identity"],                 200),
        ("empty",                     &[""],                         200),
        ("identity twice",            &["identity, identity"],       200),
        ("identity on two lines",     &["identity", "identity"],     200),
        ("gzip",                      &["gzip"],                     415),
        ("one that nobody knows",     &["x-unknown"],                415),
        ("behind identity",           &["identity,gzip"],            415),
        ("on a second line",          &["identity", "br"],           415),
        ("a name that begins alike",  &["identity2"],                415),
        ("no text",                   &["\u{ff}"],                   415),
    ];
    for (why, codings, status) in cases {
        let request = server.http.post(format!("{}/oauth/token", server.url));
        let request = request.header("content-type", FORM).body(GRANT);
        let mut request = request.header("authorization", basic(&id, &secret));
        for coding in codings {
            request = request.header("content-encoding", coding.as_bytes());
        }
        let reply = server.send(request).await;
        let accepted = (status == 415).then_some("identity");
        assert_eq!((reply.status, reply.header("accept-encoding")), (status, accepted), "{why}");
    }
    let json = server.post("/oauth/token", "application/json", "{}").await;
    assert_eq!((json.status, json.header("accept-encoding")), (415, None), "another type");
}

/// Each route that has a body, as the contract lists them.
#[actix_web::test]
async fn rfc9110_s8_4_content_codings_everywhere() {
    let server = Server::start().await;
    let token = server.admin_token().await;
    let own = server.register(json!({ "client_name": "svc" })).await;
    let granted = json!({ "permissions": ["latchkey:decide"], "client_name": "pdp" });
    let pdp = server.create_client(granted).await;
    let pair = (pdp.text_of("client_id"), pdp.text_of("client_secret"));
    let decides = server.token_of(&pair).await;
    let (id, own_token) = (own.text_of("client_id"), own.text_of("registration_access_token"));
    let contract: Value = server.get("/documentation/json").await.body;
    let mut seen = 0;
    for (path, operations) in contract["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation.get("requestBody").is_none() {
                continue;
            }
            seen += 1;
            let form = operation["requestBody"]["content"].get(FORM).is_some();
            let bearer = match path.as_str() {
                path if path.starts_with("/register/") => &own_token,
                path if path.starts_with("/access/") => &decides,
                _ => &token,
            };
            let url = format!("{}{}", server.url, path.replace("{client_id}", &id));
            let method: reqwest::Method = method.to_uppercase().parse().unwrap();
            for body in [&b"\x1f\x8b\x08\0\0\0\0\0"[..], if form { b"a=b" } else { b"{}" }] {
                let request = server.http.request(method.clone(), &url);
                let request = request.bearer_auth(bearer).header("content-encoding", "gzip");
                let media_type = if form { FORM } else { "application/json" };
                let reply =
                    server.send(request.header("content-type", media_type).body(body)).await;
                let shown = (reply.status, reply.header("accept-encoding"), reply.error());
                let expected = (415, Some("identity"), Some("invalid_request"));
                assert_eq!(shown, expected, "{method} {path}: {reply:?}");
            }
        }
    }
    assert!(seen > 12, "{seen}");
}

/// A token endpoint is configured with a slash and without.
#[actix_web::test]
async fn routes_with_a_slash_at_the_end() {
    let server = Server::with(|settings| {
        settings.listen.service_prefix = "/cc".to_owned();
        settings.identity.issuer = Some("https://as.test/a/".to_owned());
    })
    .await;
    let base = "/cc";
    let own = server.post_json(&format!("{base}/register/"), &json!({ "client_name": "c" })).await;
    assert_eq!(own.status, 201);
    let (id, secret) = (own.text_of("client_id"), own.text_of("client_secret"));
    let path = format!("{base}/oauth/token/");
    let issued = server.form(&path, Some((&id, &secret)), GRANT).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    let token = issued.text_of("access_token");
    let form = format!("token={token}");
    for path in ["/oauth/introspect/", "/oauth/revoke/"] {
        let reply = server.form(&format!("{base}{path}"), Some((&id, &secret)), &form).await;
        assert_eq!(reply.status, 200, "{path}");
    }
    let admin =
        server.form(&path, Some(crate::harness::ADMIN), GRANT).await.text_of("access_token");
    let one = format!("/cc/clients/{id}/");
    #[rustfmt::skip]
    let cases = [
        ("GET",  "/cc/tokeninfo/",                             200),
        ("GET",  "/cc/clients/",                               200),
        ("GET",  &*one,                                       200),
        ("GET",  "/cc/keys/",                                  200),
        ("GET",  "/cc/audit/",                                 200),
        ("GET",  "/cc/.well-known/jwks.json/",                 200),
        ("GET",  "/.well-known/oauth-authorization-server/",   200),
        ("GET",  "/.well-known/oauth-authorization-server/a",  200),
        ("GET",  "/.well-known/oauth-authorization-server/a/", 200),
        ("GET",  "/a/.well-known/openid-configuration/",       200),
        ("GET",  "/-/healthz/",                                200),
        ("GET",  "/-/metrics/",                                200),
        ("PUT",  "/cc/oauth/token/",                           405),
        ("GET",  "/cc/oauth/token//",                          404),
        ("GET",  "/cc/oauth/",                                 404),
        ("GET",  "/cc/",                                       404),
    ];
    for (method, path, status) in cases {
        let method = method.parse().unwrap();
        let request = server.http.request(method, format!("{}{path}", server.url));
        let reply = server.send(request.bearer_auth(&admin)).await;
        assert_eq!(reply.status, status, "{path}");
    }
}

#[actix_web::test]
async fn limits() {
    let server = Server::with(|settings| {
        settings.listen.body_limit = 1000;
        settings.listen.header_limit = 4000;
    })
    .await;
    let (id, secret) = server.client_with_secret().await;
    for (why, length, status) in [("at the limit", 1000, 200), ("over the limit", 1001, 413)] {
        let form = format!("{GRANT}&x={}", "y".repeat(length - GRANT.len() - 3));
        let reply = server.token(Some((&id, &secret)), &form).await;
        assert_eq!(reply.status, status, "{why}");
        if status == 413 {
            assert_eq!(reply.error(), Some("invalid_request"), "{why}");
        }
    }
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let request = server.http.post(format!("{}/oauth/token", server.url)).body(body);
    let reply = server.send(request.header("content-type", FORM)).await;
    assert_eq!((reply.status, reply.error()), (413, Some("invalid_request")), "in chunks");

    for (why, length, status) in [("below the limit", 3000, 200), ("over the limit", 4000, 431)] {
        let request = server.http.get(format!("{}/.well-known/jwks.json", server.url));
        let reply = server.send(request.header("x-long", "y".repeat(length))).await;
        assert_eq!(reply.status, status, "{why}");
        if status == 431 {
            assert_eq!(reply.error(), Some("invalid_request"), "{why}");
        }
    }
    let request = server.http.get(format!("{}/tokeninfo?{}", server.url, "x".repeat(5000)));
    assert_eq!(server.send(request).await.status, 431, "a long query counts too");
}

#[actix_web::test]
async fn s3_3_scope() {
    let server = Server::start().await;
    let (id, secret) =
        server.granted(json!({ "scope": "read write:x admin", "permissions": ["p", "q"] })).await;
    let (bare, bare_secret) = server.client_with_secret().await;
    #[rustfmt::skip]
    let cases = [
        // why                     asked                    status  in the answer and in the token
        ("nothing",                "",                      200, Some("read write:x admin")),
        ("empty",                  "&scope=",               200, Some("read write:x admin")),
        ("a space",                "&scope=+",              200, Some("read write:x admin")),
        ("one",                    "&scope=read",           200, Some("read")),
        ("two, in their order",    "&scope=admin+read",     200, Some("admin read")),
        ("all",                    "&scope=read+write:x+admin", 200, Some("read write:x admin")),
        ("none that is granted",   "&scope=other",          400, None),
        ("one that is not",        "&scope=read+other",     400, None),
        ("other letter case",      "&scope=READ",           400, None),
        ("part of one",            "&scope=write",          400, None),
        ("a permission",           "&scope=p",              400, None),
        ("a wildcard",             "&scope=*",              400, None),
        ("quote",                  "&scope=%22",            400, None),
        ("line break",             "&scope=read%0Aadmin",   400, None),
        ("tab",                    "&scope=read%09admin",   400, None),
        ("not ASCII",              "&scope=%C3%A9",         400, None),
    ];
    for (why, asked, status, held) in cases {
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}{asked}")).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 400 {
            assert_eq!(reply.error(), Some("invalid_scope"), "{why}");
            continue;
        }
        assert_eq!(
            reply.body["scope"].as_str(),
            held,
            "{why}: also where it is what was asked for"
        );
        let claims = claims_of(&reply.text_of("access_token"));
        assert_eq!(claims["scope"].as_str(), held, "{why}");
        assert_eq!(claims["permissions"], json!(["p", "q"]), "{why}: scope narrows no permissions");
    }
    let reply = server.token(Some((&bare, &bare_secret)), GRANT).await;
    assert_eq!(reply.body.get("scope"), None, "nothing granted, nothing shown");
    assert_eq!(claims_of(&reply.text_of("access_token")).get("scope"), None);
    let reply = server.token(Some((&bare, &bare_secret)), &format!("{GRANT}&scope=a")).await;
    assert_eq!(reply.error(), Some("invalid_scope"), "nothing granted, something asked");
}

#[actix_web::test]
async fn groups_are_those_that_an_administrator_gave() {
    let server = Server::start().await;
    let (id, secret) = server.granted(json!({ "groups": ["staff", "eu"] })).await;
    let (bare, bare_secret) = server.client_with_secret().await;
    for (why, id, secret, groups) in [
        ("two", &id, &secret, Some(json!(["staff", "eu"]))),
        ("none: no claim at all", &bare, &bare_secret, None),
    ] {
        let token = server.token(Some((id, secret)), GRANT).await.text_of("access_token");
        assert_eq!(claims_of(&token).get("groups"), groups.as_ref(), "{why}");
        assert_eq!(server.tokeninfo(&token).await.body.get("groups"), groups.as_ref(), "{why}");
    }
}

#[actix_web::test]
async fn rfc8707_s2_audience() {
    let plain = Server::start().await;
    let required = Server::with(|settings| settings.tokens.require_audience = true).await;
    let default =
        Server::with(|settings| settings.tokens.default_audience = vec!["d".parse().unwrap()])
            .await;
    let both = Server::with(|settings| {
        settings.tokens.default_audience = vec!["d".parse().unwrap()];
        settings.tokens.require_audience = true;
    })
    .await;
    let none = || json!([]);
    let two = || json!(["https://x.test/a", "y"]);
    let x = "https%3A%2F%2Fx.test%2Fa";

    #[rustfmt::skip]
    let cases = [
        // why                            server     granted  asked                                 status aud
        ("none granted, none asked",      &plain,    none(), String::new(),                         200, None),
        ("none asked: all of its own",    &plain,    two(),  String::new(),                         200, Some(two())),
        ("empty is none",                 &plain,    two(),  "&audience=".to_owned(),               200, Some(two())),
        ("a space is none",               &plain,    two(),  "&audience=+".to_owned(),              200, Some(two())),
        ("one of two, in a list",         &plain,    two(),  "&audience=y".to_owned(),              200, Some(json!(["y"]))),
        ("repeated",                      &plain,    two(),  format!("&audience=y&audience={x}"),   200, Some(json!(["y", "https://x.test/a"]))),
        ("in one parameter",              &plain,    two(),  format!("&audience={x}+y"),            200, Some(two())),
        ("the same twice",                &plain,    two(),  "&audience=y&audience=y".to_owned(),   200, Some(json!(["y"]))),
        ("repeated, once empty",          &plain,    two(),  "&audience=&audience=y".to_owned(),    200, Some(json!(["y"]))),
        ("not granted",                   &plain,    two(),  "&audience=z".to_owned(),              400, None),
        ("one not granted",               &plain,    two(),  "&audience=y+z".to_owned(),            400, None),
        ("none granted",                  &plain,    none(), "&audience=y".to_owned(),              400, None),
        ("other letter case",             &plain,    two(),  "&audience=Y".to_owned(),              400, None),
        ("part of one",                   &plain,    two(),  "&audience=https%3A%2F%2Fx.test".to_owned(), 400, None),
        ("required, none asked",          &required, two(),  String::new(),                         400, None),
        ("required, empty",               &required, two(),  "&audience=".to_owned(),               400, None),
        ("required and asked",            &required, two(),  "&audience=y".to_owned(),              200, Some(json!(["y"]))),
        ("required, not granted",         &required, none(), "&audience=y".to_owned(),              400, None),
        ("default, none of its own",      &default,  none(), String::new(),                         200, Some(json!(["d"]))),
        ("default, some of its own",      &default,  two(),  String::new(),                         200, Some(two())),
        ("default is not granted",        &default,  none(), "&audience=d".to_owned(),              400, None),
        ("default does not do for asked", &both,     none(), String::new(),                         400, None),
    ];
    for (why, server, granted, asked, status, aud) in cases {
        let (id, secret) = server.granted(json!({ "audience": granted })).await;
        let reply = server.token(Some((&id, &secret)), &format!("{GRANT}{asked}")).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 200 {
            let claims = claims_of(&reply.text_of("access_token"));
            assert_eq!(claims.get("aud"), aud.as_ref(), "{why}");
        } else {
            let empty = !asked.contains("audience=") || asked == "&audience=";
            let error = if empty { "invalid_request" } else { "invalid_target" };
            assert_eq!(reply.error(), Some(error), "{why}");
        }
    }
    let (id, secret) = plain.granted(json!({ "audience": ["y"] })).await;
    for bad in ["a%0Ab", "%00", &"x".repeat(513)] {
        let form = format!("{GRANT}&audience={bad}");
        let reply = plain.token(Some((&id, &secret)), &form).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{bad:?}");
    }
}

#[actix_web::test]
async fn audiences_of_the_assertion_and_of_the_form() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let id = server.granted_with_key(key, json!({ "audience": ["a", "b"] })).await;
    #[rustfmt::skip]
    let cases = [
        // why                    assertion           form                   status aud or error
        ("assertion alone",       json!(["a"]),       "",                    200, json!(["a"])),
        ("a string in it",        json!("b"),         "",                    200, json!(["b"])),
        ("twice the same in it",  json!(["a", "a"]),  "",                    200, json!(["a"])),
        ("both the same",         json!(["a"]),       "&audience=a",         200, json!(["a"])),
        ("in another order",      json!(["a", "b"]),  "&audience=b+a",       200, json!(["b", "a"])),
        ("twice the same, both",  json!(["a", "a"]),  "&audience=a",         200, json!(["a"])),
        ("empty and the form",    json!([]),          "&audience=a",         200, json!(["a"])),
        ("they differ",           json!(["a"]),       "&audience=b",         400, json!("invalid_request")),
        ("one is more",           json!(["a", "b"]),  "&audience=a",         400, json!("invalid_request")),
        ("not granted",           json!(["c"]),       "",                    400, json!("invalid_target")),
    ];
    for (why, requested, form, status, expected) in cases {
        let mut claims = server.assertion_claims(&id);
        claims["requested_audiences"] = requested;
        let reply = server.token_by(&signed(&header_of(key), &claims, key), form).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        let shown = match status {
            200 => claims_of(&reply.text_of("access_token"))["aud"].clone(),
            _ => reply.body["error"].clone(),
        };
        assert_eq!(shown, expected, "{why}");
    }
}

#[actix_web::test]
async fn s5_2_unauthorized_client() {
    let hash = bcrypt::hash("hunter2", 4).unwrap();
    let client = |id: &str, grants: Vec<&str>| {
        doc! { "clientId": id, "__STATE__": "PUBLIC", "grantTypes": grants, "secrets": [{ "hash": &hash }] }
    };
    let server = Server::holding(vec![
        client("may", vec!["authorization_code", "client_credentials"]),
        client("may-not", vec!["authorization_code"]),
        client("nothing", vec![]),
    ])
    .await;
    for (id, status, error) in [
        ("may", 200, None),
        ("may-not", 400, Some("unauthorized_client")),
        ("nothing", 400, Some("unauthorized_client")),
    ] {
        let reply = server.token(Some((id, "hunter2")), GRANT).await;
        assert_eq!((reply.status, reply.error()), (status, error), "{id}");
        let reply = server.token(Some((id, "wrong")), GRANT).await;
        assert_eq!(reply.error(), Some("invalid_client"), "{id}: first prove who you are");
    }
}

#[actix_web::test]
async fn s5_1_the_answer_and_the_token() {
    let server = Server::start().await;
    let (id, secret) = server
        .granted(json!({
            "permissions": ["read:x", "\u{e9}"], "audience": ["a"], "access_token_lifetime": 60,
        }))
        .await;
    let reply = server.token(Some((&id, &secret)), GRANT).await;
    let members: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "token_type", "expires_in"]);
    assert_eq!(reply.body["token_type"], "Bearer");
    assert_eq!(reply.body["expires_in"], 60, "the client's own lifetime");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));

    let token = reply.text_of("access_token");
    let header = jose_header_of(&token);
    let kid = server.app.signing.ring.active_kid();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "RS256", "kid": kid }));
    let claims = claims_of(&token);
    assert_eq!(claims["iss"], server.app.config.issuer);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(id), &json!(id)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(START), &json!(START + 60)));
    assert_eq!(claims["permissions"], json!(["read:x", "\u{e9}"]));
    assert_eq!(claims["aud"], json!(["a"]), "a list, also of one");
    assert_eq!(claims["epoch"], 0);
    assert_eq!(claims["cred"], secret[3..11], "the id that is part of the secret");
    let names: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["aud", "client_id", "cred", "epoch", "exp", "iat", "iss", "jti", "permissions", "sub"];
    assert_eq!(names, BTreeSet::from(expected));

    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let issued = server.token(Some((&id, &secret)), GRANT).await;
        let jti = claims_of(&issued.text_of("access_token"))["jti"].as_str().unwrap().to_owned();
        assert_eq!(jti.len(), 22, "128 bits in base64url");
        assert!(seen.insert(jti));
    }
}

#[actix_web::test]
async fn every_algorithm_signs_and_verifies() {
    for algorithm in Algorithm::FOR_TOKENS {
        let server = Server::with(|settings| settings.signing_keys.algorithm = algorithm).await;
        let (id, secret) = server.client_with_secret().await;
        let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
        assert_eq!(jose_header_of(&token)["alg"], algorithm.as_str());
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{algorithm}");
    }
}

#[actix_web::test]
async fn lifetimes() {
    let server = Server::with(|settings| {
        settings.tokens.lifetime = Duration::from_secs(100);
        settings.tokens.max_lifetime = Duration::from_secs(200);
    })
    .await;
    for (why, grants, lifetime) in [
        ("of the server", json!({}), 100),
        ("shorter", json!({ "access_token_lifetime": 1 }), 1),
        ("longest", json!({ "access_token_lifetime": 200 }), 200),
    ] {
        let (id, secret) = server.granted(grants).await;
        let reply = server.token(Some((&id, &secret)), GRANT).await;
        assert_eq!(reply.body["expires_in"], lifetime, "{why}");
        let claims = claims_of(&reply.text_of("access_token"));
        assert_eq!(claims["exp"], START + lifetime, "{why}");
    }
    // What another tool wrote into the store is held to the same.
    let long = doc! {
        "clientId": "long", "__STATE__": "PUBLIC", "accessTokenLifetime": 1_000_000_000_i64,
        "secrets": [{ "hash": bcrypt::hash("hunter2", 4).unwrap() }],
    };
    let server = Server::holding(vec![long]).await;
    let reply = server.token(Some(("long", "hunter2")), GRANT).await;
    assert_eq!(reply.body["expires_in"], 86400);
}

#[actix_web::test]
async fn custom_claims() {
    let server = Server::start().await;
    let key = client_key(Algorithm::ES256);
    let allowed = json!({ "allowedCustomClaims": ["customerName", "deep"] });
    let id = server.granted_with_key(key, allowed).await;
    let bare = server.granted_with_key(key, json!({})).await;
    #[rustfmt::skip]
    let cases = [
        // why                    client  claims                                        status
        ("allowed",               &id,    json!({ "customerName": "ACME" }),            200),
        ("allowed, not a string", &id,    json!({ "deep": { "a": [1, null, "\u{e9}"] } }), 200),
        ("allowed and null",      &id,    json!({ "deep": null }),                      200),
        ("both",                  &id,    json!({ "customerName": 1, "deep": 2 }),      200),
        ("32 levels",             &id,    json!({ "deep": nested(32) }),                200),
        ("33 levels",             &id,    json!({ "deep": nested(33) }),                400),
        ("121 levels",            &id,    json!({ "deep": nested(121) }),               400),
        ("one not allowed",       &id,    json!({ "customerName": 1, "other": 2 }),     400),
        ("none allowed",          &bare,  json!({ "customerName": "ACME" }),            400),
        ("letter case",           &id,    json!({ "customername": "ACME" }),            400),
        ("permissions",           &id,    json!({ "permissions": ["admin"] }),          400),
        ("scope",                 &id,    json!({ "scope": "admin" }),                  400),
        ("client_id",             &id,    json!({ "client_id": "x" }),                  400),
        ("groups",                &id,    json!({ "groups": ["admin"] }),               400),
        ("epoch",                 &id,    json!({ "epoch": 9 }),                        400),
        ("cred",                  &id,    json!({ "cred": "x" }),                       400),
        ("cnf",                   &id,    json!({ "cnf": {} }),                         400),
        ("act",                   &id,    json!({ "act": { "sub": "x" } }),             400),
    ];
    for (why, client, custom, status) in cases {
        let mut claims = server.assertion_claims(client);
        claims.as_object_mut().unwrap().extend(custom.as_object().unwrap().clone());
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 400 {
            assert_eq!(reply.error(), Some("invalid_request"), "{why}");
            continue;
        }
        let token = reply.text_of("access_token");
        let shown = server.tokeninfo(&token).await.body;
        for (name, value) in custom.as_object().unwrap() {
            assert_eq!(claims_of(&token).get(name), Some(value), "{why}");
            assert_eq!(shown.get(name), Some(value), "{why}, at /tokeninfo");
        }
    }

    // What another tool let in by the store is no way past the reserved names.
    let jwk = mongodb::bson::Bson::try_from(key.public().to_json()).unwrap();
    let careless = doc! {
        "clientId": "careless", "__STATE__": "PUBLIC", "authMethod": "private_key_jwt",
        "publicKey": jwk, "allowedCustomClaims": ["permissions", "client_id", "epoch", "fine"],
    };
    let server = Server::holding(vec![careless]).await;
    for (claim, status) in [("permissions", 400), ("client_id", 400), ("epoch", 400), ("fine", 200)]
    {
        let mut claims = server.assertion_claims("careless");
        claims[claim] = json!("x");
        let reply = server.token_by(&signed(&header_of(key), &claims, key), "").await;
        assert_eq!(reply.status, status, "{claim}");
    }
}

#[actix_web::test]
async fn last_login_is_written_behind_and_by_a_clean_stop() {
    let login =
        |document: &mongodb::bson::Document| document.get_datetime("lastLogin").ok().copied();
    let date = |at: u64| Some(DateTime::from_millis(i64::try_from(at).unwrap() * 1000));
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    assert_eq!(login(&server.document(&id).await), None, "not yet");
    server.token(Some((&id, "wrong")), GRANT).await;
    server.token(Some((&id, &secret)), GRANT).await;
    let mut written = None;
    for _ in 0..300 {
        written = login(&server.document(&id).await);
        if written.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(written, date(START));
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!(shown.body["last_login_at"], START);

    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let (id, secret) = server.client_with_secret().await;
    server.clock.advance(Duration::from_secs(7));
    server.token(Some((&id, &secret)), GRANT).await;
    server.stop().await;
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let shown = server.admin_get(&format!("/clients/{id}")).await;
    assert_eq!(shown.body["last_login_at"], START + 7);
    server.stop().await;
}

#[actix_web::test]
async fn s5_2_every_error_is_json_with_legal_words() {
    let server = Server::start().await;
    let nasty = "%22%5C%0A%C3%A9%00%3Cscript%3E";
    for (why, form) in [
        ("repeated", format!("{GRANT}&{nasty}=1&{nasty}=2")),
        ("scope", format!("{GRANT}&scope={nasty}")),
        ("audience", format!("{GRANT}&audience={nasty}")),
        ("grant", format!("grant_type={nasty}")),
        ("client", format!("{GRANT}&client_id={nasty}&client_secret={nasty}")),
    ] {
        for credentials in [None, Some(ADMIN)] {
            let reply = server.token(credentials, &form).await;
            assert!((400..500).contains(&reply.status), "{why}: {reply:?}");
            let body: &Value = &reply.body;
            let described = body["error_description"].as_str().unwrap();
            let legal = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
            assert!(described.chars().all(legal), "{why}: {described:?}");
            assert!(
                body["error"].as_str().unwrap().chars().all(|c| c == '_' || c.is_ascii_lowercase())
            );
            assert_eq!(body["statusCode"], reply.status, "{why}");
            assert_eq!(body["message"], body["error_description"], "{why}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{why}");
        }
    }
    let reply = server.get("/nowhere").await;
    assert_eq!((reply.status, reply.error()), (404, Some("not_found")));
    assert_eq!(reply.body["statusCode"], 404);
}
