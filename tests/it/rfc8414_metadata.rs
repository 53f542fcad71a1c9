//! RFC 8414 §2 and §3, RFC 7517 §5: what others need to know to work with this server.

use std::collections::BTreeSet;

use latchkey::clients::registration_mode::RegistrationMode;
use latchkey::config::{Config, RegistrationSetting};
use latchkey::domain::jwk::Algorithm;
use serde_json::json;

use crate::harness::{FORM, GRANT, Server, jose_header_of, settings};

const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

#[actix_web::test]
async fn s2_members() {
    let server = Server::start().await;
    let reply = server.get(SERVER).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "Ed25519",
    ];
    let expected = json!({
        "issuer": "http://issuer.test",
        "token_endpoint": "http://issuer.test/oauth/token",
        "jwks_uri": "http://issuer.test/.well-known/jwks.json",
        "registration_endpoint": "http://issuer.test/register",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": "http://issuer.test/oauth/revoke",
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": "http://issuer.test/oauth/introspect",
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": ["RS256"],
        "service_documentation": "http://issuer.test/documentation",
    });
    assert_eq!(reply.body, expected);
    assert!(!reply.text.contains("none"), "`none` nowhere");

    let openid = server.get(OPENID).await;
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(openid.body[name], *value, "{name}");
    }
    assert_eq!(openid.body["subject_types_supported"], json!(["public"]));
    assert_eq!(openid.body["id_token_signing_alg_values_supported"], json!(["RS256"]));
    // MSAL and openidconnect read no document without each of these.
    let required = [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ];
    for name in required {
        assert!(openid.body.get(name).is_some(), "OpenID Discovery §3: {name}");
    }
    let only_there = [
        "authorization_endpoint",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ];
    for name in only_there {
        assert!(reply.body.get(name).is_none(), "{name}");
    }
}

#[actix_web::test]
async fn openid_discovery_s3_the_authorization_endpoint_refuses_everything() {
    for prefix in ["", "/cc"] {
        let server =
            Server::with(|settings| prefix.clone_into(&mut settings.listen.service_prefix)).await;
        let path = format!("{prefix}/oauth/authorize");
        let openid = server.get(OPENID).await.body;
        assert_eq!(openid["authorization_endpoint"], format!("http://issuer.test{path}"));
        let login = "?response_type=code&client_id=x&redirect_uri=https%3A%2F%2Fevil.test";
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            for query in ["", login] {
                let url = format!("{}{path}{query}", server.url);
                let request = server.http.request(method.parse().unwrap(), url);
                let reply = server.send(request.header("content-type", FORM).body(GRANT)).await;
                assert_eq!(reply.status, 400, "{method} {query}");
                assert_eq!(reply.header("location"), None, "{method} {query}");
                assert_eq!(reply.header("cache-control"), Some("no-store"), "{method} {query}");
                if method == "HEAD" {
                    continue;
                }
                assert_eq!(reply.error(), Some("unauthorized_client"), "{method} {query}");
                assert_eq!(
                    reply.text_of("error_description"),
                    "this server has no login; use client_credentials"
                );
            }
        }
    }
}

#[actix_web::test]
async fn what_is_advertised_is_real() {
    let closed = Some(RegistrationSetting::Closed);
    for (why, open, admin) in
        [("open", true, false), ("closed", false, false), ("apart", true, true)]
    {
        let server = Server::with(|settings| {
            settings.identity.issuer = None;
            settings.registration.mode = if open { None } else { closed };
            settings.listen.admin_address = admin.then(|| "127.0.0.1:0".parse().unwrap());
        })
        .await;
        let metadata = server.get(OPENID).await.body;
        let issuer = metadata["issuer"].as_str().unwrap();
        assert_eq!(issuer, server.url.replace("127.0.0.1", "localhost"), "the default");
        assert_eq!(metadata.get("registration_endpoint").is_some(), open, "{why}");
        for (name, url) in
            metadata.as_object().unwrap().iter().filter(|(name, _)| *name != "issuer")
        {
            let Some(path) = url.as_str().and_then(|url| url.strip_prefix(issuer)) else {
                continue;
            };
            let reply = server.get(path).await;
            assert_ne!(reply.status, 404, "{why}: {name} at {path}");
        }
        let (id, secret) = server.granted(json!({})).await;
        let path = metadata["token_endpoint"].as_str().unwrap().strip_prefix(issuer).unwrap();
        let request =
            server.http.post(format!("{}{path}", server.url)).basic_auth(id, Some(secret));
        let reply = server.send(request.form(&[("grant_type", "client_credentials")])).await;
        assert_eq!(reply.status, 200, "{why}");
    }
}

#[actix_web::test]
async fn urls_come_from_configuration() {
    let url = |text: &str| Some(text.parse().unwrap());
    #[rustfmt::skip]
    let cases = [
        // why                       issuer                       public URL                   prefix   token endpoint
        ("a path",                   "https://as.test/tenant",    None,                        "",      "https://as.test/tenant/oauth/token"),
        ("a slash behind",           "https://as.test/",          None,                        "",      "https://as.test/oauth/token"),
        ("a path and a slash",       "https://as.test/tenant/",   None,                        "",      "https://as.test/tenant/oauth/token"),
        ("a prefix",                 "https://as.test",           None,                        "/cc",   "https://as.test/cc/oauth/token"),
        ("the prefix in the issuer", "https://as.test/cc",        None,                        "/cc",   "https://as.test/cc/oauth/token"),
        ("path and prefix",          "https://as.test/tenant",    None,                        "/cc",   "https://as.test/tenant/cc/oauth/token"),
        ("host named as the prefix", "http://auth",               None,                        "/auth", "http://auth/auth/oauth/token"),
        ("a plain name",             "client-credentials",        url("https://as.test"),      "",      "https://as.test/oauth/token"),
        ("a plain name, prefix",     "client-credentials",        url("https://as.test/x/cc"), "/cc",   "https://as.test/x/cc/oauth/token"),
        ("another URL",              "https://as.test",           url("https://pub.test"),     "",      "https://pub.test/oauth/token"),
        ("a URN",                    "urn:example:as",            url("https://as.test"),      "",      "https://as.test/oauth/token"),
    ];
    for (why, issuer, public, prefix, endpoint) in cases {
        let server = Server::with(|settings| {
            settings.identity.issuer = Some(issuer.to_owned());
            settings.identity.public_url = public;
            prefix.clone_into(&mut settings.listen.service_prefix);
        })
        .await;
        for host in ["evil.test", "localhost:1"] {
            let request = server.http.get(format!("{}{SERVER}", server.url)).header("host", host);
            let request =
                request.header("x-forwarded-host", host).header("forwarded", "host=evil.test");
            let reply = server.send(request).await;
            assert_eq!(reply.body["issuer"], issuer, "{why}: exactly as configured");
            assert_eq!(reply.body["token_endpoint"], endpoint, "{why}");
            assert!(!reply.text.contains(host), "{why}");
        }
        let request = server.http.post(format!("{}{prefix}/oauth/token", server.url));
        let request = request.basic_auth("admin", Some("a%2Bb%2Fc%25d%26e%3Df%3Ag+h%C3%A9"));
        let reply = server.send(request.form(&[("grant_type", "client_credentials")])).await;
        let token = reply.text_of("access_token");
        assert_eq!(crate::harness::claims_of(&token)["iss"], issuer, "{why}");
    }
    let name = Server::with(|settings| settings.identity.issuer = Some("a name".to_owned())).await;
    let port = name.url.rsplit(':').next().unwrap();
    let endpoint = format!("http://localhost:{port}/oauth/token");
    assert_eq!(name.get(SERVER).await.body["token_endpoint"], endpoint, "on loopback");
}

#[actix_web::test]
async fn s3_places() {
    #[rustfmt::skip]
    let cases = [
        // why                 issuer                     prefix  places, besides the root
        ("neither",            "https://as.test",         "",     vec![]),
        ("a prefix",           "https://as.test",         "/cc",  vec![("/cc", "")]),
        ("a path",             "https://as.test/a/b",     "",     vec![("/a/b", ""), ("", "/a/b")]),
        ("a path and a slash", "https://as.test/a/",      "",     vec![("/a", ""), ("", "/a"), ("", "/a/"), ("/a", "/")]),
        ("a slash",            "https://as.test/",        "",     vec![("", "/")]),
        ("the same of both",   "https://as.test/cc",      "/cc",  vec![("/cc", ""), ("", "/cc")]),
        ("path and prefix",    "https://as.test/a",       "/cc",  vec![("/cc", ""), ("/a", ""), ("", "/a")]),
        ("a plain name",       "client-credentials",      "/cc",  vec![("/cc", "")]),
    ];
    for (why, issuer, prefix, places) in cases {
        let server = Server::with(|settings| {
            settings.identity.issuer = Some(issuer.to_owned());
            prefix.clone_into(&mut settings.listen.service_prefix);
        })
        .await;
        for document in [SERVER, OPENID, JWKS] {
            let root = server.get(document).await;
            assert_eq!(root.status, 200, "{why}: {document}");
            for (before, behind) in &places {
                let path = format!("{before}{document}{behind}");
                let reply = server.get(&path).await;
                assert_eq!((reply.status, &reply.text), (200, &root.text), "{why}: {path}");
            }
            let elsewhere = server.get(&format!("/elsewhere{document}")).await;
            assert_eq!(elsewhere.status, 404, "{why}");
        }
    }
}

#[actix_web::test]
async fn the_operators_openid_configuration_is_merged_under_ours() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openid.json");
    let theirs = json!({
        "issuer": "https://evil.test", "token_endpoint": "https://evil.test", "jwks_uri": "x",
        "id_token_signing_alg_values_supported": ["none"], "grant_types_supported": ["password"],
        "authorization_endpoint": "https://login.test/authorize", "scopes_supported": ["a"],
    });
    std::fs::write(&file, theirs.to_string()).unwrap();
    let server =
        Server::with(|settings| settings.tokens.openid_configuration_file = Some(file)).await;
    let shown = server.get(OPENID).await.body;
    assert_eq!(shown["issuer"], "http://issuer.test");
    assert_eq!(shown["token_endpoint"], "http://issuer.test/oauth/token");
    assert_eq!(shown["jwks_uri"], "http://issuer.test/.well-known/jwks.json");
    assert_eq!(shown["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(shown["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(shown["authorization_endpoint"], "https://login.test/authorize");
    assert_eq!(shown["scopes_supported"], json!(["a"]));
    let plain = server.get(SERVER).await.body;
    assert_eq!(plain.get("authorization_endpoint"), None, "only in the OpenID document");
}

#[actix_web::test]
async fn rfc7517_s5_key_set() {
    for algorithm in Algorithm::FOR_TOKENS {
        let server = Server::with(|settings| settings.signing_keys.algorithm = algorithm).await;
        let reply = server.get(JWKS).await;
        let keys = reply.body["keys"].as_array().unwrap();
        assert!(!keys.is_empty());
        let mut kids = BTreeSet::new();
        for key in keys {
            let members: BTreeSet<&str> =
                key.as_object().unwrap().keys().map(String::as_str).collect();
            let public: &[&str] = match key["kty"].as_str() {
                Some("RSA") => &["kty", "n", "e", "kid", "alg", "use"],
                Some("EC") => &["kty", "crv", "x", "y", "kid", "alg", "use"],
                _ => &["kty", "crv", "x", "kid", "alg", "use"],
            };
            assert_eq!(members, public.iter().copied().collect(), "public members only");
            assert_eq!(key["use"], "sig");
            assert!(Algorithm::ALL.iter().any(|known| key["alg"] == known.as_str()));
            assert!(kids.insert(key["kid"].as_str().unwrap().to_owned()), "each kid once");
        }
        let token = server.admin_token().await;
        let header = jose_header_of(&token);
        let signs = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
        assert_eq!(signs["alg"], algorithm.as_str(), "what signs is shown");
        let openid = server.get(OPENID).await.body;
        let algorithms =
            openid["id_token_signing_alg_values_supported"].as_array().unwrap().clone();
        assert!(algorithms.contains(&json!(algorithm.as_str())));

        let cache = reply.header("cache-control").unwrap();
        assert!(cache.starts_with("public, max-age="), "{cache}");
        let etag = reply.header("etag").unwrap();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "{etag}");
        for (why, condition, status) in [
            ("the same", etag.to_owned(), 304),
            ("one of two", format!("\"x\", {etag}"), 304),
            ("weak", format!("W/{etag}"), 304),
            ("any", "*".to_owned(), 304),
            ("another", "\"x\"".to_owned(), 200),
        ] {
            let request = server.http.get(format!("{}{JWKS}", server.url));
            let again = server.send(request.header("if-none-match", condition)).await;
            assert_eq!(again.status, status, "{why}");
            assert_eq!(again.header("etag"), Some(etag), "{why}");
            assert_eq!(again.header("cache-control"), Some(cache), "{why}");
            assert_eq!(again.text.is_empty(), status == 304, "{why}");
        }
        let head = server.send(server.http.head(format!("{}{JWKS}", server.url))).await;
        assert_eq!((head.status, head.header("etag")), (200, Some(etag)));
    }
}

#[actix_web::test]
async fn cors() {
    let plain = Server::start().await;
    let some = Server::with(|s| s.listen.cors_origins = vec!["https://app.test".to_owned()]).await;
    let any = Server::with(|s| s.listen.cors_origins = vec!["*".to_owned()]).await;
    let ask = async |server: &Server, method: &str, path: &str, origin: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = server.http.request(method, format!("{}{path}", server.url));
        let request = request.header("origin", origin);
        server.send(request.header("access-control-request-method", "POST")).await
    };
    let allowed = "access-control-allow-origin";
    let (app, other) = ("https://app.test", "https://other.test");
    for path in [SERVER, OPENID, JWKS] {
        for (server, origin) in [(&plain, app), (&some, other), (&any, other)] {
            let reply = ask(server, "GET", path, origin).await;
            assert_eq!(reply.status, 200);
            let shown: Vec<_> = reply.headers.get_all(allowed).iter().collect();
            assert_eq!(shown.len(), 1, "{path}");
            assert!(shown[0] == "*" || shown[0] == origin, "{path}: {shown:?}");
        }
        let reply = ask(&some, "GET", path, app).await;
        let shown = reply.header(allowed).unwrap();
        assert!(shown == "*" || shown == app, "{path}: {shown}");
        assert_eq!(reply.headers.get_all(allowed).iter().count(), 1, "{path}");
    }
    for (method, path) in [
        ("POST", "/oauth/token"),
        ("POST", "/register"),
        ("GET", "/tokeninfo"),
        ("GET", "/clients"),
        ("OPTIONS", "/oauth/token"),
        ("GET", "/-/healthz"),
    ] {
        assert_eq!(ask(&plain, method, path, app).await.header(allowed), None, "{path}");
        assert_eq!(ask(&some, method, path, other).await.header(allowed), None, "{path}");
        assert_eq!(ask(&some, method, path, app).await.header(allowed), Some(app), "{path}");
        assert!(ask(&any, method, path, other).await.header(allowed).is_some(), "{path}");
    }
    // What is refused can be read by a page, too, with the headers that say what to do about it.
    #[rustfmt::skip]
    let refusals = [
        ("GET",   "/oauth/token",     405),
        ("POST",  "/oauth/token",     415),
        ("GET",   "/tokeninfo",       401),
        ("GET",   "/nowhere",         404),
        ("GET",   "/clients/a/b/c/d", 404),
        ("POST",  "/nowhere/",        404),
    ];
    for (method, path, status) in refusals {
        for (server, origin) in [(&some, app), (&any, other)] {
            let request =
                server.http.request(method.parse().unwrap(), format!("{}{path}", server.url));
            let reply = server.send(request.header("origin", origin).body("{}")).await;
            assert_eq!(reply.status, status, "{method} {path}");
            assert_eq!(reply.header(allowed), Some(origin), "{method} {path}");
            let vary = reply.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.split(", ").any(|name| name == "origin"), "{method} {path}: {vary}");
            let exposed = reply.header("access-control-expose-headers").unwrap().to_lowercase();
            for name in ["etag", "location", "retry-after", "www-authenticate"] {
                assert!(exposed.split(", ").any(|it| it == name), "{method} {path}: {exposed}");
            }
            assert!(reply.error().is_some(), "{method} {path}");
        }
        let request = some.http.request(method.parse().unwrap(), format!("{}{path}", some.url));
        let reply = some.send(request.header("origin", other).body("{}")).await;
        assert_eq!((reply.status, reply.header(allowed)), (status, None), "{method} {path}");
    }
    let preflight = ask(&some, "OPTIONS", "/oauth/token", app).await;
    assert_eq!(preflight.status, 200, "{preflight:?}");
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None, "never with cookies");
    let (id, secret) = some.client_with_secret().await;
    let request = some.http.post(format!("{}/oauth/token", some.url)).basic_auth(id, Some(secret));
    let request = request.header("origin", other).header("content-type", FORM);
    assert_eq!(some.send(request.body(GRANT)).await.status, 200, "an origin alone refuses nobody");
}

/// An issuer's path is the proxy's, unless the routes are below it here too.
#[test]
fn an_advertised_path_that_is_not_served_here_is_warned_of() {
    let url = |text: &str| Some(text.parse().unwrap());
    #[rustfmt::skip]
    let cases = [
        // why                       issuer                     public URL                  prefix   what it says
        ("a path",                   "https://as.test/tenant",  None,                       "",      vec!["https://as.test/tenant/oauth/token", " /oauth/token", "service_prefix to `/tenant`,", "strip `/tenant`"]),
        ("a path and a slash",       "https://as.test/a/b/",    None,                       "",      vec!["https://as.test/a/b/oauth/token", "service_prefix to `/a/b`,", "strip `/a/b`"]),
        ("path and prefix",          "https://as.test/tenant",  None,                       "/cc",   vec![" /cc/oauth/token", "service_prefix to `/tenant/cc`", "public_url to `https://as.test/tenant/cc`", "strip `/tenant`"]),
        ("a path that ends alike",   "https://as.test/a-cc",    None,                       "/cc",   vec!["strip `/a-cc`"]),
        ("in the public URL",        "a name",                  url("https://as.test/x"),   "",      vec!["service_prefix to `/x`,", "strip `/x`"]),
        ("no path",                  "https://as.test",         None,                       "",      vec![]),
        ("a slash",                  "https://as.test/",        None,                       "",      vec![]),
        ("a prefix",                 "https://as.test",         None,                       "/cc",   vec![]),
        ("the prefix in the issuer", "https://as.test/cc",      None,                       "/cc",   vec![]),
        ("elsewhere",                "https://as.test/tenant",  url("https://pub.test"),    "",      vec![]),
        ("as advised",               "https://as.test/tenant",  None,                       "/tenant", vec![]),
        ("as advised, with both",    "https://as.test/tenant",  url("https://as.test/tenant/cc"), "/tenant/cc", vec![]),
    ];
    for (why, issuer, public, prefix, said) in cases {
        let mut settings = settings();
        settings.identity.issuer = Some(issuer.to_owned());
        settings.identity.public_url = public;
        prefix.clone_into(&mut settings.listen.service_prefix);
        let warnings = Config::of(settings, 8080).unwrap().warnings();
        let warned = warnings.iter().find(|warning| warning.starts_with("the metadata says"));
        assert_eq!(warned.is_some(), !said.is_empty(), "{why}: {warnings:?}");
        for part in said {
            assert!(warned.unwrap().contains(part), "{why}: {part}: {warnings:?}");
        }
    }
}

#[test]
fn an_issuer_is_required_where_others_can_reach_the_server() {
    let url = || Some("https://as.test".parse().unwrap());
    #[rustfmt::skip]
    let cases = [
        // why                            listen            issuer                   public  token endpoint
        ("loopback",                      "127.0.0.1:0",    None,                    None,   Some("http://localhost:8080/oauth/token")),
        ("loopback of version 6",         "[::1]:0",        None,                    None,   Some("http://localhost:8080/oauth/token")),
        ("elsewhere",                     "0.0.0.0:0",      None,                    None,   None),
        ("elsewhere, with a public URL",  "0.0.0.0:0",      None,                    url(),  None),
        ("elsewhere, with an issuer",     "192.0.2.1:0",    Some("https://i.test"),  None,   Some("https://i.test/oauth/token")),
        ("elsewhere, a name",             "0.0.0.0:0",      Some("a name"),          None,   None),
        ("elsewhere, a name and a URL",   "0.0.0.0:0",      Some("a name"),          url(),  Some("https://as.test/oauth/token")),
    ];
    for (why, listen, issuer, public, endpoint) in cases {
        let mut settings = settings();
        settings.listen.address = listen.parse().unwrap();
        settings.identity.issuer = issuer.map(str::to_owned);
        settings.identity.public_url = public;
        let resolved = Config::of(settings, 8080).ok();
        let shown = resolved.as_ref().map(|resolved| resolved.url("/oauth/token"));
        assert_eq!(shown.as_deref(), endpoint, "{why}");
        let open = resolved.map(|resolved| matches!(resolved.registration, RegistrationMode::Open));
        assert_eq!(open, endpoint.map(|_| why.starts_with("loopback")), "{why}: registration");
    }
}
