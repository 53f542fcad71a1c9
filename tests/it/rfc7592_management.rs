//! RFC 7592: a client looks after its own registration.

use std::time::Duration;

use futures_util::future::join;
use latchkey::clients::logins;
use latchkey::config::RegistrationSetting;
use latchkey::domain::clock::Clock;
use latchkey::domain::jwk::Algorithm;
use serde_json::{Value, json};

use crate::harness::{ADMIN, GRANT, Reply, START, Server, client_key};

/// A client of its own, and what it shows.
struct Registered<'a> {
    server: &'a Server,
    id: String,
    token: String,
    /// Empty if it has a key.
    secret: String,
}

impl<'a> Registered<'a> {
    fn of(server: &'a Server, reply: &Reply) -> Self {
        Self {
            server,
            id: reply.text_of("client_id"),
            token: reply.text_of("registration_access_token"),
            secret: reply.text_of("client_secret"),
        }
    }

    async fn with_secret(server: &'a Server) -> Self {
        Self::of(server, &server.register(json!({ "client_name": "svc" })).await)
    }

    async fn with_keys(server: &'a Server, keys: &[Value]) -> Self {
        let metadata = json!({
            "client_name": "svc", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": keys },
        });
        Self::of(server, &server.register(metadata).await)
    }

    /// Asks with this token, below the registration.
    async fn ask_as(&self, token: &str, method: &str, below: &str, body: &Value) -> Reply {
        let url = format!("{}/register/{}{below}", self.server.url, self.id);
        let request = self.server.http.request(method.parse().unwrap(), url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        self.server.send(request).await
    }

    async fn ask(&self, method: &str, below: &str, body: Value) -> Reply {
        self.ask_as(&self.token, method, below, &body).await
    }

    /// Puts these members, beside those that every update must have.
    async fn put(&self, more: &Value) -> Reply {
        let mut metadata = json!({ "client_id": self.id, "client_name": "svc" });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("PUT", "", metadata).await
    }

    /// What it is told when it asks for a token with this secret.
    async fn login(&self, secret: &str) -> Reply {
        self.server.token(Some((&self.id, secret)), GRANT).await
    }

    async fn document(&self) -> String {
        self.server.document(&self.id).await.to_string()
    }
}

/// The day on which every test begins.
const START_DAY: u64 = START - START % 86_400;

/// The id that a secret of ours carries.
fn id_in(secret: &str) -> &str {
    &secret[3..11]
}

#[actix_web::test]
async fn s3_a_registration_says_where_and_with_what() {
    let server = Server::with(|settings| {
        settings.identity.public_url = Some("https://auth.example".parse().unwrap());
        settings.listen.service_prefix = "/cc".to_owned();
    })
    .await;
    let metadata = json!({ "client_name": "svc" });
    let by_admin = {
        let request = server.http.post(format!("{}/cc/clients", server.url)).json(&metadata);
        let request_token = server.http.post(format!("{}/cc/oauth/token", server.url));
        let encode =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let form = [("grant_type", "client_credentials")];
        let login = request_token.basic_auth(encode(ADMIN.0), Some(encode(ADMIN.1))).form(&form);
        let token = server.send(login).await.text_of("access_token");
        server.send(request.bearer_auth(token)).await
    };
    for (why, reply) in [
        ("by itself", server.post_json("/cc/register", &metadata).await),
        ("by an admin", by_admin),
    ] {
        assert_eq!(reply.status, 201, "{why}: {reply:?}");
        let (id, token) = (reply.text_of("client_id"), reply.text_of("registration_access_token"));
        let uri = format!("https://auth.example/cc/register/{id}");
        assert_eq!(reply.body["registration_client_uri"], uri, "{why}");
        let random = token.strip_prefix("lkr_").unwrap();
        assert_eq!(random.len(), 43, "{why}");

        let kept = server.document(&id).await;
        assert_eq!(kept.get_array("registrationTokens").unwrap().len(), 1, "{why}");
        assert!(!kept.to_string().contains(random), "{why}: its SHA-256 is kept, not the token");

        let request = server.http.get(format!("{}/cc/register/{id}", server.url));
        assert_eq!(server.send(request.bearer_auth(token)).await.status, 200, "{why}");
    }
}

#[actix_web::test]
async fn s2_1_read() {
    let server = Server::start().await;
    let own = Registered::with_secret(&server).await;
    let granted = json!({
        "client_name": "svc", "permissions": ["p"], "audience": ["a"], "metadata": { "m": 1 },
    });
    let granted = Registered::of(&server, &server.create_client(granted).await);
    for own in [own, granted] {
        let expected = json!({
            "client_id": own.id,
            "client_id_issued_at": START,
            "client_name": "svc",
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["client_credentials"],
            "response_types": [],
            "registration_client_uri": format!("http://issuer.test/register/{}", own.id),
            "registration_access_token": own.token,
        });
        let kept = async || {
            server.document(&own.id).await.get_array("registrationTokens").unwrap().clone()
        };
        let before = kept().await;
        for (turn, last_used) in [("first", Value::Null), ("again", json!(START_DAY))] {
            let mut reply = own.ask("GET", "", Value::Null).await;
            let tokens = reply.body.as_object_mut().unwrap().shift_remove("registration_tokens");
            assert_eq!((reply.status, &reply.body), (200, &expected), "{turn}: nothing privileged");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let [token] = &tokens.as_ref().unwrap().as_array().unwrap()[..] else { panic!() };
            assert_eq!(token["id"].as_str().unwrap().len(), 16, "{turn}");
            assert_eq!((&token["created_at"], &token["last_used_at"]), (&json!(START), &last_used));
            logins::flush(&server.app.clients.logins, &*server.app.health.store).await.unwrap();
        }
        assert_eq!(kept().await, before, "reading replaces no token");
        let shown = server.admin_get(&format!("/clients/{}", own.id)).await.body;
        assert_eq!(shown["registration_tokens"][0]["last_used_at"], START_DAY);
        assert_eq!(shown["last_login_at"], Value::Null, "it got no access token");
    }

    let key = client_key(Algorithm::ES256).public().to_json();
    let reply = Registered::with_keys(&server, std::slice::from_ref(&key))
        .await
        .ask("GET", "", Value::Null)
        .await;
    assert_eq!(reply.body["jwks"]["keys"], json!([key]));
}

#[actix_web::test]
async fn s2_who_is_refused_hears_the_same() {
    let server = Server::start().await;
    let [own, other, gone, trash, unknown] = [
        Registered::with_secret(&server).await,
        Registered::with_secret(&server).await,
        Registered::with_secret(&server).await,
        Registered::with_secret(&server).await,
        Registered {
            server: &server,
            id: "nobody".to_owned(),
            token: String::new(),
            secret: String::new(),
        },
    ];
    assert_eq!(gone.ask("DELETE", "", Value::Null).await.status, 204);
    let admin = server.admin_token().await;
    let url = format!("{}/clients/{}/state", server.url, trash.id);
    let request = server.http.post(url).json(&json!({ "stateTo": "TRASH" }));
    assert_eq!(server.send(request.bearer_auth(&admin)).await.status, 204);

    let access = own.login(&own.secret).await.text_of("access_token");
    let cut = &own.token[..own.token.len() - 1];
    #[rustfmt::skip]
    let cases: [(&str, &Registered<'_>, &str); 10] = [
        // why                    client    token
        ("wrong token",           &own,     "lkr_x"),
        ("cut token",             &own,     cut),
        ("another's token",       &own,     &other.token),
        ("its secret",            &own,     &own.secret),
        ("its access token",      &own,     &access),
        ("an admin's token",      &own,     &admin),
        ("a client that is gone", &gone,    &gone.token),
        ("one that never was",    &unknown, &own.token),
        ("one in the trash",      &trash,   &trash.token),
        ("one in the trash, wrong", &trash, "lkr_x"),
    ];
    let routes = [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/secrets"),
        ("DELETE", "/secrets/x"),
        ("POST", "/keys"),
        ("DELETE", "/keys/x"),
        ("POST", "/regenerate"),
    ];
    let expected = own.ask_as("lkr_y", "GET", "", &Value::Null).await;
    assert_eq!((expected.status, expected.error()), (401, Some("invalid_token")));
    for (why, client, token) in cases {
        for (method, below) in routes {
            let body = if method == "DELETE" { Value::Null } else { json!({ "no": "member" }) };
            let reply = client.ask_as(token, method, below, &body).await;
            let at = format!("{why}: {method} {below}");
            assert_eq!((reply.status, &reply.text), (401, &expected.text), "{at}");
            let challenge = reply.header("www-authenticate");
            assert_eq!(challenge, expected.header("www-authenticate"), "{at}");
        }
    }

    for client in [&own, &gone, &trash, &unknown] {
        for (method, below) in routes {
            let url = format!("{}/register/{}{below}", server.url, client.id);
            let request = server.http.request(method.parse().unwrap(), url);
            let reply = server.send(request).await;
            assert_eq!((reply.status, reply.error()), (401, Some("invalid_token")), "no token");
            assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer realm="latchkey""#));
        }
    }
    let url = format!("{}/register/{}", server.url, own.id);
    let request = server.http.get(url).bearer_auth(&own.token).bearer_auth(&own.token);
    assert_eq!(server.send(request).await.status, 401, "two tokens: which would count?");
    assert_eq!(own.ask("GET", "", Value::Null).await.status, 200, "nothing of it did anything");
}

#[actix_web::test]
async fn s2_a_draft_may_look_after_itself_and_registration_may_be_closed() {
    let server =
        Server::with(|settings| settings.registration.mode = Some(RegistrationSetting::Closed))
            .await;
    let draft = json!({ "client_name": "svc", "__STATE__": "DRAFT" });
    let own = Registered::of(&server, &server.create_client(draft).await);
    assert_eq!(own.ask("GET", "", Value::Null).await.status, 200);
    assert_eq!(own.put(&json!({})).await.status, 200);
    assert_eq!(own.login(&own.secret).await.status, 401, "it does not publish itself");
}

/// It would be there when an administrator publishes the client.
#[actix_web::test]
async fn a_draft_adds_no_credentials() {
    let server = Server::start().await;
    let draft = json!({ "client_name": "svc", "__STATE__": "DRAFT" });
    let own = Registered::of(&server, &server.create_client(draft).await);
    let key = client_key(Algorithm::ES256).public().to_json();
    let to_key = json!({
        "client_id": own.id, "client_name": "svc", "jwks": { "keys": [key] },
        "token_endpoint_auth_method": "private_key_jwt",
    });
    let renamed = json!({ "client_id": own.id, "client_name": "renamed" });
    let secret = format!("/secrets/{}", id_in(&own.secret));
    #[rustfmt::skip]
    let cases = [
        // why            method    below          body                            as a draft  published
        ("a secret",      "POST",   "/secrets",    json!({}),                      403,        201),
        ("a key",         "POST",   "/keys",       json!({ "public_key": key }),   403,        201),
        ("another method", "PUT",   "",            to_key,                         403,        200),
        ("another name",  "PUT",    "",            renamed,                        200,        200),
        ("reading",       "GET",    "",            Value::Null,                    200,        200),
        ("fewer secrets", "DELETE", &*secret,      Value::Null,                    204,        404),
        ("a new pair",    "POST",   "/regenerate", Value::Null,                    403,        201),
    ];
    for (why, method, below, body, status, _) in &cases {
        let reply = own.ask(method, below, body.clone()).await;
        assert_eq!(reply.status, *status, "{why}: {reply:?}");
        assert_eq!(reply.error(), (*status == 403).then_some("access_denied"), "{why}");
    }
    let path = format!("/clients/{}/state", own.id);
    assert_eq!(server.admin_post(&path, &json!({ "stateTo": "PUBLIC" })).await.status, 204);
    for (why, method, below, body, _, status) in cases {
        let reply = own.ask(method, below, body).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
    }
}

/// It is a credential like others: whoever registered a client may hold it still.
#[actix_web::test]
async fn what_ends_registration_access_tokens() {
    let server = Server::start().await;
    let patch = |query: &str, body: Value| ("PATCH", query.to_owned(), body);
    let revoke = |body: Value| ("REVOKE", String::new(), body);
    #[rustfmt::skip]
    let cases = [
        // why                                  method, below the client, body                                    ends it
        ("an administrator",                    ("DELETE", "/registration-tokens/TOKEN".to_owned(), Value::Null), true),
        ("of another name",                     ("DELETE", "/registration-tokens/x".to_owned(), Value::Null),     false),
        ("a secret, with tokens",               ("DELETE", "/secrets/SECRET?revoke_tokens=true".to_owned(), Value::Null), true),
        ("a secret alone",                      ("DELETE", "/secrets/SECRET".to_owned(), Value::Null),            false),
        ("a change, with tokens",               patch("?revoke_tokens=true", json!({ "client_name": "x" })),      true),
        ("a change alone",                      patch("", json!({ "client_name": "x" })),                         false),
        ("power over this server",              patch("", json!({ "permissions": ["latchkey:clients:read"] })),   true),
        ("another permission",                  patch("", json!({ "permissions": ["read:x"] })),                  false),
        ("out of use",                          ("STATE", "DRAFT".to_owned(), Value::Null),                       true),
        ("a revocation of the client",          revoke(json!({ "client_id": "ID" })),                             true),
        ("by its date",                         revoke(json!({ "client_id": "ID", "issued_before": START })),     true),
        ("by a date before",                    revoke(json!({ "client_id": "ID", "issued_before": START - 1 })), false),
        ("of this credential",                  revoke(json!({ "client_id": "ID", "credential": "TOKEN" })),      true),
        ("of another",                          revoke(json!({ "client_id": "ID", "credential": "SECRET" })),     false),
    ];
    for (why, (method, below, body), ends) in cases {
        let own = Registered::with_secret(&server).await;
        let path = format!("/clients/{}", own.id);
        let shown = server.admin_get(&path).await.body;
        let token = shown["registration_tokens"][0]["id"].as_str().unwrap().to_owned();
        let filled = |text: &str| {
            let text = text.replace("TOKEN", &token).replace("SECRET", id_in(&own.secret));
            text.replace("ID", &own.id)
        };
        let body: Value = serde_json::from_str(&filled(&body.to_string())).unwrap();
        match method {
            "STATE" => {
                for state in [&*below, "PUBLIC"] {
                    let to = json!({ "stateTo": state });
                    let reply = server.admin_post(&format!("{path}/state"), &to).await;
                    assert_eq!(reply.status, 204, "{why}");
                }
            }
            "REVOKE" => assert_eq!(server.admin_post("/revocations", &body).await.status, 200),
            method => {
                let path = format!("{path}{}", filled(&below));
                let reply = server.admin(method.parse().unwrap(), &path, &body).await;
                let status = if why == "of another name" { 404 } else { reply.status };
                assert!(reply.status == status && (status < 300 || status == 404), "{reply:?}");
            }
        }
        let left = server.admin_get(&path).await.body["registration_tokens"].clone();
        assert_eq!(left.as_array().unwrap().is_empty(), ends, "{why}");
        let reply = own.ask("POST", "/secrets", json!({})).await;
        assert_eq!(reply.status, if ends { 401 } else { 201 }, "{why}: {reply:?}");
    }

    // Of its own accord: those that it did not show.
    let own = Registered::with_secret(&server).await;
    let unused = own.put(&json!({})).await.text_of("registration_access_token");
    let path = format!("/secrets/{}?revoke_tokens=true", id_in(&own.secret));
    assert_eq!(own.ask("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(own.ask_as(&unused, "GET", "", &Value::Null).await.status, 401);
    assert_eq!(own.ask("GET", "", Value::Null).await.status, 200);
}

#[actix_web::test]
async fn what_has_power_is_not_looked_after_by_itself() {
    let server = Server::start().await;
    let permissions = ["latchkey:clients:read"];
    let made =
        server.create_client(json!({ "client_name": "c", "permissions": permissions })).await;
    let path = format!("/clients/{}/regenerate", made.text_of("client_id"));
    let again = server.admin_post(&path, &Value::Null).await;
    for reply in [made, again] {
        assert_eq!(reply.status, 201, "{reply:?}");
        for member in ["registration_access_token", "registration_client_uri"] {
            assert_eq!(reply.body.get(member), None, "{member}");
        }
    }

    // Granted by another tool, past this server.
    let own = Registered::with_secret(&server).await;
    let found =
        server.app.clients.repository.read(&own.id.parse().unwrap()).await.unwrap().unwrap();
    let mut powerful = found.clone();
    powerful.permissions = vec![permissions[0].parse().unwrap()];
    let record = crate::store_contract::audit_record();
    assert!(server.app.clients.repository.replace(&found, &powerful, &record).await.unwrap());
    assert_eq!(own.ask("GET", "", Value::Null).await.status, 401);
    assert_eq!(own.ask("POST", "/secrets", json!({})).await.status, 401);
}

/// What stood there before their dates were noted.
#[actix_web::test]
async fn a_digest_alone_is_read_too() {
    use aws_lc_rs::digest::{SHA256, digest};
    use mongodb::bson::{Binary, DateTime, doc, spec::BinarySubtype};

    let bytes = digest(&SHA256, b"lkr_known").as_ref().to_vec();
    let alone = Binary { subtype: BinarySubtype::Generic, bytes };
    let created = DateTime::from_millis(1_700_000_000_000);
    let server = Server::holding(vec![doc! {
        "clientId": "svc", "name": "svc", "__STATE__": "PUBLIC", "createdAt": created,
        "version": 1_i64, "registrationTokens": [alone],
    }])
    .await;
    let (id, token, secret) = ("svc".to_owned(), "lkr_known".to_owned(), String::new());
    let own = Registered { server: &server, id, token, secret };
    let reply = own.ask("GET", "", Value::Null).await;
    assert_eq!((reply.status, &reply.body["client_id"]), (200, &json!("svc")), "{reply:?}");
    assert_eq!(reply.body["registration_tokens"][0]["created_at"], 1_700_000_000);
    assert_eq!(own.put(&json!({})).await.status, 200, "and is written in the new form");
    assert_eq!(own.ask("GET", "", Value::Null).await.status, 200);
}

#[actix_web::test]
async fn s2_2_what_is_for_others_to_say_is_refused() {
    let server = Server::start().await;
    let own = Registered::with_secret(&server).await;
    let other = Registered::with_secret(&server).await;
    let jwk = client_key(Algorithm::ES256).public().to_json();
    #[rustfmt::skip]
    let cases = [
        // why                           members                                              named in the answer
        ("no client_id",                 json!({ "client_id": null }),                        "client_id"),
        ("another's client_id",          json!({ "client_id": other.id }),                    "client_id"),
        ("client_id a list",             json!({ "client_id": [own.id] }),                    "client_id"),
        ("its registration token",       json!({ "registration_access_token": own.token }),   "registration_access_token"),
        ("its registration URI",         json!({ "registration_client_uri": "x" }),           "registration_client_uri"),
        ("when its secret ends",         json!({ "client_secret_expires_at": 0 }),            "client_secret_expires_at"),
        ("when it was registered",       json!({ "client_id_issued_at": START }),             "client_id_issued_at"),
        ("a secret of its choice",       json!({ "client_secret": "hunter2" }),               "client_secret"),
        ("another's secret",             json!({ "client_secret": other.secret }),            "client_secret"),
        ("client_secret null",           json!({ "client_secret": null }),                    "client_secret"),
        ("no name",                      json!({ "client_name": null }),                      "client_name"),
        ("another grant",                json!({ "grant_types": ["password"] }),              "grant_types"),
        ("a method without a key",       json!({ "token_endpoint_auth_method": "private_key_jwt" }), "key"),
        ("a key for a secret",           json!({ "public_key": jwk }),                        "private_key_jwt"),
        ("jwks_uri",                     json!({ "jwks_uri": "https://x.test" }),             "private_key_jwt"),
    ];
    let before = own.document().await;
    for (why, members, named) in cases {
        let reply = own.put(&members).await;
        assert_eq!(
            (reply.status, reply.error()),
            (400, Some("invalid_client_metadata")),
            "{why}: {reply:?}"
        );
        let told = reply.text_of("error_description");
        assert!(told.contains(named), "{why}: {told}");
    }
    let absent = own.ask("PUT", "", json!({ "client_name": "svc" })).await;
    assert_eq!((absent.status, absent.error()), (400, Some("invalid_client_metadata")));
    let list = own.ask("PUT", "", json!([])).await;
    assert_eq!((list.status, list.error()), (400, Some("invalid_request")));
    assert_eq!(own.document().await, before, "nothing was changed");
    assert_eq!(own.login(&own.secret).await.status, 200);
}

#[actix_web::test]
async fn s2_2_privileged_members_are_ignored() {
    let server = Server::start().await;
    let granted = json!({
        "client_name": "svc", "permissions": ["p"], "audience": ["a"], "scope": "s", "groups": ["g"],
        "metadata": { "m": 1 }, "allowedCustomClaims": ["c"], "access_token_lifetime": 60,
        "legacyAudience": START,
    });
    let own = Registered::of(&server, &server.create_client(granted.clone()).await);
    let reply = own
        .put(&json!({
            "client_name": "renamed", "client_secret": own.secret,
            "token_endpoint_auth_method": "client_secret_post",
            "permissions": ["latchkey:admin"], "audience": ["b"], "scope": "t", "groups": ["admin"],
            "metadata": {}, "allowedCustomClaims": ["d"], "access_token_lifetime": 86_400,
            "legacyAudience": 9_999_999_999_u64, "__STATE__": "DRAFT", "tokenEpoch": 9,
            "creatorId": "root", "contacts": ["a@b.test"],
        }))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body["client_name"], "renamed");
    assert_eq!(reply.body["token_endpoint_auth_method"], "client_secret_post");
    for name in ["permissions", "audience", "metadata", "contacts", "client_secret"] {
        assert_eq!(reply.body.get(name), None, "{name} is not echoed");
    }
    let shown = server.admin_get(&format!("/clients/{}", own.id)).await.body;
    for (member, value) in granted.as_object().unwrap().iter().skip(1) {
        assert_eq!(shown[member], *value, "{member}");
    }
    assert_eq!((&shown["__STATE__"], &shown["creatorId"]), (&json!("PUBLIC"), &json!(ADMIN.0)));
    assert_eq!(shown["updaterId"], own.id, "it changed itself");
    assert_eq!(own.login(&own.secret).await.status, 200, "its secret stays");
}

#[actix_web::test]
async fn s2_2_from_a_secret_to_a_key_and_back() {
    let server = Server::start().await;
    let (es, ed) = (client_key(Algorithm::ES256), client_key(Algorithm::EdDSA));
    let mut own = Registered::with_secret(&server).await;
    let first_secret = own.secret.clone();
    let to_keys = |keys: &[Value]| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": keys } });

    let reply = own.put(&to_keys(&[es.public().to_json()])).await;
    assert_eq!((reply.status, reply.body.get("client_secret")), (200, None), "{reply:?}");
    assert_eq!(reply.body["jwks"]["keys"], json!([es.public().to_json()]));
    assert_eq!(own.login(&first_secret).await.status, 401);
    assert_eq!(server.token_by(&server.assertion(&own.id, es), "").await.status, 200);
    own.token = reply.text_of("registration_access_token");

    server.clock.advance(Duration::from_secs(100));
    let reply = own.put(&to_keys(&[ed.public().to_json(), es.public().to_json()])).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let shown = server.admin_get(&format!("/clients/{}", own.id)).await.body;
    let created: Vec<(&Value, u64)> = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (&key["jwk"]["kid"], key["created_at"].as_u64().unwrap()))
        .collect();
    let (es_kid, ed_kid) = (json!(es.public().kid), json!(ed.public().kid));
    assert_eq!(created, [(&ed_kid, START + 100), (&es_kid, START)], "a key that stays is not new");
    for key in [es, ed] {
        assert_eq!(server.token_by(&server.assertion(&own.id, key), "").await.status, 200);
    }
    own.token = reply.text_of("registration_access_token");

    let reply = own.put(&json!({ "token_endpoint_auth_method": "client_secret_basic" })).await;
    assert_eq!((reply.status, reply.body.get("jwks")), (200, None), "{reply:?}");
    let secret = reply.text_of("client_secret");
    assert_eq!(reply.body["client_secret_expires_at"], 0);
    assert_eq!(own.login(&secret).await.status, 200);
    assert_eq!(own.login(&first_secret).await.status, 401, "what ended stays so");
    assert_eq!(server.token_by(&server.assertion(&own.id, ed), "").await.status, 401);
}

#[actix_web::test]
async fn s2_2_the_old_token_is_good_until_the_new_one_is_used() {
    let server = Server::start().await;
    let own = Registered::with_secret(&server).await;
    let asked = async |token: &str| own.ask_as(token, "GET", "", &Value::Null).await.status;

    let lost = own.put(&json!({})).await.text_of("registration_access_token");
    assert_ne!(lost, own.token);
    assert_eq!(asked(&own.token).await, 200, "the answer may have been lost");
    let new = own.put(&json!({})).await.text_of("registration_access_token");
    assert_eq!(asked(&lost).await, 401, "an answer that nobody used is replaced by the next");
    assert_eq!(asked(&own.token).await, 200, "still");

    let reply = own.ask_as(&new, "GET", "", &Value::Null).await;
    assert_eq!((reply.status, reply.text_of("registration_access_token")), (200, new.clone()));
    assert_eq!(asked(&own.token).await, 401, "the new one was used");
    assert_eq!(asked(&new).await, 200);
    let kept = server.document(&own.id).await;
    assert_eq!(kept.get_array("registrationTokens").unwrap().len(), 1);
}

#[actix_web::test]
async fn s2_3_delete() {
    let server = Server::start().await;
    let own = Registered::with_secret(&server).await;
    let token = own.login(&own.secret).await.text_of("access_token");
    assert_eq!(server.tokeninfo(&token).await.status, 200);

    let reply = own.ask("DELETE", "", Value::Null).await;
    assert_eq!((reply.status, reply.text.as_str()), (204, ""));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let dead = server.tokeninfo(&token).await;
    assert_eq!((dead.status, dead.error()), (401, Some("invalid_token")), "at once");
    assert_eq!(own.login(&own.secret).await.error(), Some("invalid_client"));
    assert_eq!(own.ask("DELETE", "", Value::Null).await.status, 401, "again");
    assert_eq!(server.admin_get(&format!("/clients/{}", own.id)).await.status, 404);
}

#[actix_web::test]
async fn a_client_replaces_its_secret_with_an_overlap() {
    let server = Server::start().await;
    let own = Registered::with_secret(&server).await;
    let old_token = own.login(&own.secret).await.text_of("access_token");

    let reply = own.ask("POST", "/secrets", json!({ "overlap": 60, "expires_in": 600 })).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let new = reply.text_of("client_secret");
    let expected = json!({
        "id": id_in(&new),
        "client_id": own.id,
        "client_secret": new,
        "client_secret_expires_at": START + 600,
        "secrets": [
            { "id": id_in(&own.secret), "created_at": START, "expires_at": START + 60 },
            { "id": id_in(&new), "created_at": START, "expires_at": START + 600 },
        ],
    });
    assert_eq!(reply.body, expected);
    for (at, old, young) in [(0, 200, 200), (59, 200, 200), (60, 401, 200), (600, 401, 401)] {
        server.clock.set(START + at);
        assert_eq!(own.login(&own.secret).await.status, old, "the old one after {at} s");
        assert_eq!(own.login(&new).await.status, young, "the new one after {at} s");
    }
    assert_eq!(server.tokeninfo(&old_token).await.status, 200, "its end is not that of tokens");

    let reply = own.ask("POST", "/secrets", Value::Null).await;
    assert_eq!((reply.status, &reply.body["client_secret_expires_at"]), (201, &json!(0)));
    assert_eq!(reply.body["secrets"].as_array().unwrap().len(), 1, "those that ended are gone");
}

#[actix_web::test]
async fn a_client_deletes_a_secret() {
    let server = Server::start().await;
    for (query, after) in [("", 200), ("?revoke_tokens=false", 200), ("?revoke_tokens=true", 401)] {
        let own = Registered::with_secret(&server).await;
        let added = own.ask("POST", "/secrets", json!({})).await.text_of("client_secret");
        let with_old = own.login(&own.secret).await.text_of("access_token");
        let with_new = own.login(&added).await.text_of("access_token");

        let path = format!("/secrets/{}", id_in(&own.secret));
        let reply = own.ask("DELETE", &format!("{path}{query}"), Value::Null).await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{query}");
        assert_eq!(own.login(&own.secret).await.status, 401, "{query}");
        assert_eq!(server.tokeninfo(&with_old).await.status, after, "{query}");
        assert_eq!(
            server.tokeninfo(&with_new).await.status,
            200,
            "{query}: not those of the other"
        );
        assert_eq!(own.login(&added).await.status, 200, "{query}");

        let again = own.ask("DELETE", &format!("{path}{query}"), Value::Null).await;
        assert_eq!((again.status, again.error()), (404, Some("not_found")), "{query}");
    }
    let own = Registered::with_secret(&server).await;
    for query in ["revoke_tokens=yes", "revoke_tokens=", "revoke=true"] {
        let path = format!("/secrets/{}?{query}", id_in(&own.secret));
        let reply = own.ask("DELETE", &path, Value::Null).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{query}");
    }
    assert_eq!(own.login(&own.secret).await.status, 200);
}

#[actix_web::test]
async fn a_client_replaces_its_key_with_an_overlap() {
    let server = Server::start().await;
    let (es, ed) = (client_key(Algorithm::ES256), client_key(Algorithm::EdDSA));
    let own = Registered::with_keys(&server, &[es.public().to_json()]).await;
    let status = async |key| server.token_by(&server.assertion(&own.id, key), "").await.status;
    assert_eq!(status(ed).await, 401);

    let new = json!({ "public_key": ed.public().to_json(), "overlap": 60 });
    let reply = own.ask("POST", "/keys", new.clone()).await;
    assert_eq!((reply.status, &reply.body["kid"]), (201, &json!(ed.public().kid)), "{reply:?}");
    assert_eq!(reply.body["keys"][0]["expires_at"], START + 60);
    assert_eq!(reply.body["keys"][1]["jwk"], ed.public().to_json());
    assert_eq!((status(es).await, status(ed).await), (200, 200));
    let again = own.ask("POST", "/keys", new).await;
    assert_eq!((again.status, again.error()), (400, Some("invalid_client_metadata")));

    let token = server.token_by(&server.assertion(&own.id, es), "").await.text_of("access_token");
    let path =
        format!("/keys/{}?revoke_tokens=true", reply.body["keys"][0]["id"].as_str().unwrap());
    assert_eq!(own.ask("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(server.tokeninfo(&token).await.status, 401);
    assert_eq!((status(es).await, status(ed).await), (401, 200));
}

#[actix_web::test]
async fn what_is_no_request_for_a_credential() {
    let server = Server::with(|settings| settings.clients.max_secrets = 2).await;
    let own = Registered::with_secret(&server).await;
    let jwk = |algorithm| client_key(algorithm).public().to_json();
    let two = json!({ "keys": [jwk(Algorithm::ES256), jwk(Algorithm::EdDSA)] });
    #[rustfmt::skip]
    let cases = [
        // why                   where         body
        ("unknown member",       "/secrets",   json!({ "overlaps": 1 })),
        ("overlap negative",     "/secrets",   json!({ "overlap": -1 })),
        ("overlap a string",     "/secrets",   json!({ "overlap": "60" })),
        ("no life",              "/secrets",   json!({ "expires_in": 0 })),
        ("a secret of its own",  "/secrets",   json!({ "client_secret": "hunter2" })),
        ("no key",               "/keys",      json!({})),
        ("two keys",             "/keys",      json!({ "jwks": two })),
        ("unknown member",       "/keys",      json!({ "public_key": jwk(Algorithm::ES256), "x": 1 })),
        ("a life that is none",  "/keys",      json!({ "public_key": jwk(Algorithm::ES256), "expires_in": 1.5 })),
        ("a symmetric key",      "/keys",      json!({ "public_key": { "kty": "oct", "k": "c2VjcmV0" } })),
        ("jwks_uri",             "/keys",      json!({ "jwks_uri": "https://x.test" })),
        ("an overlap",           "/regenerate", json!({ "overlap": 60 })),
        ("an end",               "/regenerate", json!({ "expires_in": 60 })),
        ("a name",               "/regenerate", json!({ "client_name": "c" })),
    ];
    for (why, below, body) in cases {
        let reply = own.ask("POST", below, body).await;
        assert_eq!(
            (reply.status, reply.error()),
            (400, Some("invalid_client_metadata")),
            "{why}: {below}: {reply:?}"
        );
    }
    assert_eq!(own.ask("POST", "/secrets", Value::Null).await.status, 201);
    let third = own.ask("POST", "/secrets", Value::Null).await;
    assert_eq!(
        (third.status, third.error()),
        (400, Some("invalid_client_metadata")),
        "max_secrets"
    );
    assert_eq!(own.ask("POST", "/secrets", json!({ "overlap": 0 })).await.status, 201);
    assert_eq!(own.login(&own.secret).await.status, 401, "an overlap of nothing");
}

#[actix_web::test]
async fn regenerate_replaces_the_pair() {
    let server = Server::start().await;
    let granted = json!({ "client_name": "svc", "permissions": ["p"], "audience": ["a"] });
    let old = Registered::of(&server, &server.create_client(granted).await);
    let dead = old.login(&old.secret).await.text_of("access_token");

    let reply = old.ask("POST", "/regenerate", Value::Null).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.body.get("permissions"), None, "nothing privileged");
    let new = Registered::of(&server, &reply);
    assert_ne!((&new.id, &new.secret, &new.token), (&old.id, &old.secret, &old.token));
    assert_eq!(server.tokeninfo(&dead).await.status, 401);
    assert_eq!(old.login(&old.secret).await.status, 401);
    assert_eq!(old.ask("GET", "", Value::Null).await.status, 401);

    let read_by = async |token: &String| {
        let own = Registered { token: token.clone(), ..Registered::of(&server, &reply) };
        own.ask("GET", "", Value::Null).await.status
    };
    assert_eq!(read_by(&old.token).await, 200, "the new token has not been used");
    assert_eq!(read_by(&new.token).await, 200);
    assert_eq!(read_by(&old.token).await, 401, "the new token was used");

    let token = new.login(&new.secret).await.text_of("access_token");
    let claims = server.tokeninfo(&token).await.body;
    assert_eq!((&claims["permissions"], &claims["aud"]), (&json!(["p"]), &json!(["a"])));
    let shown = new.ask("GET", "", Value::Null).await;
    assert_eq!((shown.status, &shown.body["client_id"]), (200, &json!(new.id)));
}

#[actix_web::test]
async fn regenerate_keeps_keys_or_takes_others() {
    let server = Server::start().await;
    let (es, ed) = (client_key(Algorithm::ES256), client_key(Algorithm::EdDSA));
    let brought = json!({ "public_key": ed.public().to_json() });
    for (why, body, good, bad) in
        [("its own", Value::Null, es, ed), ("another one", brought, ed, es)]
    {
        let old = Registered::with_keys(&server, &[es.public().to_json()]).await;
        let reply = old.ask("POST", "/regenerate", body).await;
        assert_eq!((reply.status, reply.body.get("client_secret")), (201, None), "{why}");
        let id = reply.text_of("client_id");
        let status = async |id: &str, key| {
            let assertion = server.assertion(id, key);
            server.token_by(&assertion, "").await.status
        };
        assert_eq!(status(&id, good).await, 200, "{why}");
        assert_eq!(status(&id, bad).await, 401, "{why}");
        assert_eq!(status(&old.id, es).await, 401, "{why}: the old one");
    }

    let old = Registered::with_keys(&server, &[es.public().to_json()]).await;
    let id = server.admin_get(&format!("/clients/{}", old.id)).await.body["keys"][0]["id"].clone();
    let path = format!("/keys/{}", id.as_str().unwrap());
    assert_eq!(old.ask("DELETE", &path, Value::Null).await.status, 204);
    let reply = old.ask("POST", "/regenerate", Value::Null).await;
    assert_eq!(
        (reply.status, reply.error()),
        (400, Some("invalid_client_metadata")),
        "no key left"
    );
    assert_eq!(old.ask("GET", "", Value::Null).await.status, 200);
}

/// What to ask for, by a former id and the name of a key.
type Order = fn(&str, &str) -> Value;

/// Which orders, given about the id that a client had before its last one or first of all.
#[actix_web::test]
async fn a_revocation_by_a_former_id_reaches_the_client() {
    let server = Server::start().await;
    let es = client_key(Algorithm::ES256);
    #[rustfmt::skip]
    let cases: [(&str, usize, Order, bool); 6] = [
        // why                        times  order                                                            its token has ended
        ("its last id",               1,     |id, _| json!({ "client_id": id }),                              true),
        ("its first id",              3,     |id, _| json!({ "client_id": id }),                              true),
        ("by its date",               2,     |id, _| json!({ "client_id": id, "issued_before": START }),      true),
        ("by a date before",          2,     |id, _| json!({ "client_id": id, "issued_before": START - 60 }), false),
        ("of the key that it kept",   2,     |id, key| json!({ "client_id": id, "credential": key }),         true),
        ("of another one",            2,     |id, _| json!({ "client_id": id, "credential": "other" }),       false),
    ];
    for (why, times, order, ends) in cases {
        let first = Registered::with_keys(&server, &[es.public().to_json()]).await;
        let mut now = Registered { id: first.id.clone(), ..first };
        let mut ids = Vec::new();
        for _ in 0..times {
            ids.push(now.id.clone());
            now = Registered::of(&server, &now.ask("POST", "/regenerate", Value::Null).await);
        }
        let shown = server.admin_get(&format!("/clients/{}", now.id)).await;
        assert_eq!(shown.body["former_client_ids"], json!(ids), "{why}");
        let key = shown.body["keys"][0]["id"].as_str().unwrap().to_owned();
        let assertion = server.assertion(&now.id, es);
        let token = server.token_by(&assertion, "").await.text_of("access_token");
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}");

        let reply = server.admin_post("/revocations", &order(&ids[0], &key)).await;
        assert_eq!(reply.status, 200, "{why}: {reply:?}");
        assert_eq!(server.tokeninfo(&token).await.status == 401, ends, "{why}");
    }
}

/// A client that gets away under a new id is found there, or does not get it.
#[actix_web::test]
async fn a_revocation_races_a_new_id() {
    let server = Server::start().await;
    for _ in 0..20 {
        let old = Registered::with_secret(&server).await;
        let order = json!({ "client_id": old.id });
        let (made, revoked) = join(
            old.ask("POST", "/regenerate", Value::Null),
            server.admin_post("/revocations", &order),
        )
        .await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        match made.status {
            201 => {
                let new = Registered::of(&server, &made);
                let named = revoked.body["revoked"].to_string().contains(&new.id);
                assert!(named, "{made:?} {revoked:?}");
                assert_eq!(new.ask("GET", "", Value::Null).await.status, 401);
            }
            401 | 409 => assert_eq!(old.ask("GET", "", Value::Null).await.status, 401),
            _ => panic!("{made:?}"),
        }
    }
}

#[actix_web::test]
async fn a_revocation_of_everything_ends_registration_access_tokens_for_good() {
    let server = Server::start().await;
    let before = Registered::with_secret(&server).await;
    server.clock.advance(Duration::from_secs(60));
    let after = Registered::with_secret(&server).await;
    let order = json!({ "all": true, "issued_before": server.clock.now().0 - 1 });
    assert_eq!(server.admin_post("/revocations", &order).await.status, 200);
    let statuses = async || {
        let before = before.ask("GET", "", Value::Null).await.status;
        (before, after.ask("GET", "", Value::Null).await.status)
    };
    assert_eq!(statuses().await, (401, 200));
    server.clock.advance(Duration::from_secs(400 * 24 * 3600));
    let now = server.clock.now();
    server.app.health.revocations.forget_expired(now);
    assert_eq!(statuses().await, (401, 200), "when every access token has expired");
}

/// Each change costs a slow hash or a write. To end something is never refused.
#[actix_web::test]
async fn changes_have_a_rate_and_ends_have_none() {
    let server = Server::with(|settings| settings.clients.registration_rate = 1).await;
    let own = Registered::of(&server, &server.register(json!({ "client_name": "svc" })).await);
    let secret = format!("/secrets/{}", id_in(&own.secret));
    #[rustfmt::skip]
    let cases = [
        // what                     method    path           body         refused
        ("reading",                 "GET",    "",            Value::Null, false),
        ("the one of this minute",  "POST",   "/secrets",    json!({}),   false),
        ("another",                 "POST",   "/secrets",    json!({}),   true),
        ("replacing",               "PUT",    "",            json!({}),   true),
        ("a key",                   "POST",   "/keys",       json!({}),   true),
        ("a new pair",              "POST",   "/regenerate", Value::Null, true),
        ("reading still",           "GET",    "",            Value::Null, false),
        ("ending a secret",         "DELETE", &secret,       Value::Null, false),
        ("ending a key",            "DELETE", "/keys/x",     Value::Null, false),
        ("removing",                "DELETE", "",            Value::Null, false),
    ];
    for (what, method, path, body, refused) in cases {
        let reply = own.ask(method, path, body).await;
        assert_eq!(reply.status == 429, refused, "{what}: {reply:?}");
    }
}

/// The rate is for those who proved something, so nobody who shares their address uses it up.
#[actix_web::test]
async fn strangers_use_up_nothing_for_others() {
    let server = Server::with(|settings| settings.clients.registration_rate = 1).await;
    let own = Registered::of(&server, &server.register(json!({ "client_name": "svc" })).await);
    server.clock.advance(Duration::from_secs(60));
    for _ in 0..20 {
        for junk in
            ["", "{", "[]", "{}", r#"{"client_name":""}"#, r#"{"client_name":"x","jwks":1}"#]
        {
            let reply = server.post("/register", "application/json", junk).await;
            assert_eq!(reply.status, 400, "{junk}: {reply:?}");
        }
        for (method, below) in [("PUT", ""), ("POST", "/secrets"), ("DELETE", "")] {
            let reply = own.ask_as("lkr_x", method, below, &Value::Null).await;
            assert_eq!(reply.status, 401, "{method} {below}");
        }
    }
    assert_eq!(server.register(json!({ "client_name": "svc" })).await.status, 201);
    assert_eq!(server.register(json!({ "client_name": "svc" })).await.status, 429);
    assert_eq!(own.ask("POST", "/secrets", json!({})).await.status, 201, "it has its own rate");
    let leaked = format!("/secrets/{}?revoke_tokens=true", id_in(&own.secret));
    assert_eq!(own.ask("DELETE", &leaked, Value::Null).await.status, 204);

    let server = Server::with(|settings| {
        settings.clients.registration_rate = 1;
        settings.registration.mode = Some(RegistrationSetting::Token);
        settings.registration.initial_access_token = Some("right".to_owned().into());
    })
    .await;
    let ask = async |token: &str| {
        let request = server.http.post(format!("{}/register", server.url)).bearer_auth(token);
        server.send(request.json(&json!({ "client_name": "svc" }))).await.status
    };
    for _ in 0..20 {
        assert_eq!(ask("wrong").await, 401);
    }
    assert_eq!((ask("right").await, ask("right").await), (201, 429));
}

#[actix_web::test]
async fn a_new_id_brings_no_new_rate() {
    let server = Server::with(|settings| settings.clients.registration_rate = 1).await;
    let old = Registered::with_secret(&server).await;
    let reply = old.ask("POST", "/regenerate", Value::Null).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let new = Registered::of(&server, &reply);
    assert_eq!(new.ask("POST", "/regenerate", Value::Null).await.status, 429);
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(new.ask("POST", "/regenerate", Value::Null).await.status, 201);
}
