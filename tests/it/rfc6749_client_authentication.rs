//! RFC 6749 §2.3: who is asking, proved by a secret.

use std::sync::Arc;
use std::time::Duration;

use latchkey::assembly::OpenStore;
use latchkey::domain::jwk::Algorithm;
use latchkey::domain::secret::ClientSecret;
use latchkey::domain::secret_hash::{Profile, SecretHash};
use latchkey::store::MemoryStore;
use mongodb::bson::{Bson, DateTime, doc};
use serde_json::json;

use crate::harness::{ADMIN, GRANT, Reply, START, Server, basic, client_key, store_in};
use crate::store_contract::audit_record;

/// What every failed authentication looks like, whatever was wrong.
fn shown(reply: &Reply) -> (u16, &str, Option<&str>, Option<&str>) {
    let (challenge, cache) = (reply.header("www-authenticate"), reply.header("cache-control"));
    (reply.status, reply.text.as_str(), challenge, cache)
}

#[actix_web::test]
async fn s2_3_1_every_failure_reads_the_same() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let (other, other_secret) = server.client_with_secret().await;
    let by_key = server.client_with_key(client_key(Algorithm::ES256)).await;
    let (draft, draft_secret) = server.granted(json!({ "__STATE__": "DRAFT" })).await;
    let (trash, trash_secret) = server.granted(json!({ "__STATE__": "TRASH" })).await;
    let (deleted, deleted_secret) = server.granted(json!({ "__STATE__": "DELETED" })).await;
    let forged = format!("{}{}", &secret[..63], if secret.ends_with('x') { 'y' } else { 'x' });
    let long = "x".repeat(5000);

    #[rustfmt::skip]
    let cases: &[(&str, Option<(&str, &str)>)] = &[
        // why                                    credentials
        ("no credentials",                        None),
        ("unknown client",                        Some(("who", &secret))),
        ("unknown client that looks like ours",   Some(("abcdefghijklmnopqrstuvwxyzabcdef", &secret))),
        ("client id of other letter case",        Some((&id.to_uppercase(), &secret))),
        ("wrong secret, as an operator's",        Some((&id, "wrong"))),
        ("wrong secret, of our form",             Some((&id, &forged))),
        ("the secret of another client",          Some((&id, &other_secret))),
        ("empty secret",                          Some((&id, ""))),
        ("empty client id",                       Some(("", &secret))),
        ("secret with a space behind",            Some((&id, &format!("{secret} ")))),
        ("secret with a NUL behind",              Some((&id, &format!("{secret}\0")))),
        ("secret with a line break behind",       Some((&id, &format!("{secret}\n")))),
        ("client id with a line break behind",    Some((&format!("{id}\n"), &secret))),
        ("client id with a NUL behind",           Some((&format!("{id}\0"), &secret))),
        ("very long client id",                   Some((&long, &secret))),
        ("very long secret",                      Some((&id, &long))),
        ("not ASCII",                             Some(("\u{e9}", "\u{e9}"))),
        ("a query for a document store",          Some(("{\"$ne\":null}", "{\"$ne\":null}"))),
        ("the hash instead of the secret",        Some((&id, "$argon2id$v=19$m=19456,t=2,p=1$"))),
        ("an operator's secret, wrong",           Some((ADMIN.0, "wrong"))),
        ("registered for private_key_jwt",        Some((&by_key, &secret))),
        ("DRAFT",                                 Some((&draft, &draft_secret))),
        ("TRASH",                                 Some((&trash, &trash_secret))),
        ("DELETED",                               Some((&deleted, &deleted_secret))),
    ];
    let reference = server.token(None, GRANT).await;
    assert_eq!((reference.status, reference.error()), (401, Some("invalid_client")));
    let challenge = reference.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic realm=\""), "{challenge}");
    assert_eq!(reference.header("cache-control"), Some("no-store"));
    for (why, credentials) in cases {
        let by_header = server.token(*credentials, GRANT).await;
        assert_eq!(shown(&by_header), shown(&reference), "{why}, in the header");
        let Some((id, secret)) = credentials else { continue };
        if id.is_empty() {
            continue; // in a body that is an absent client_id
        }
        let form = form_urlencoded::Serializer::new(GRANT.to_owned())
            .append_pair("client_id", id)
            .append_pair("client_secret", secret)
            .finish();
        let by_body = server.token(None, &form).await;
        assert_eq!(shown(&by_body), shown(&reference), "{why}, in the body");
    }
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
    assert_eq!(server.token(Some((&other, &other_secret)), GRANT).await.status, 200);
}

#[actix_web::test]
async fn s2_3_1_both_ways_and_both_encodings() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let (post_id, post_secret) =
        server.granted(json!({ "token_endpoint_auth_method": "client_secret_post" })).await;
    for (why, id, secret) in [("basic", &id, &secret), ("post", &post_id, &post_secret)] {
        let in_body = format!("{GRANT}&client_id={id}&client_secret={secret}");
        assert_eq!(server.token(None, &in_body).await.status, 200, "registered for {why}, in body");
        let issued = server.token(Some((id, secret)), GRANT).await;
        assert_eq!(issued.status, 200, "registered for {why}, in header");
        let plain = server.token_as(basic(id, secret).as_bytes(), GRANT).await;
        assert_eq!(plain.status, 200, "registered for {why}, in header, not encoded");
    }
    for (why, text) in [("client_id", &id), ("client_secret", &secret)] {
        let same: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        assert_eq!(same, *text, "{why} is the same in every encoding");
    }

    // The operator's secret has every character that encodings change.
    assert_eq!(server.token(Some(ADMIN), GRANT).await.status, 200);
    let plain = server.token_as(basic(ADMIN.0, ADMIN.1).as_bytes(), GRANT).await;
    assert_eq!(plain.status, 401, "halves are decoded, so what was not encoded is another secret");
    let form = form_urlencoded::Serializer::new(GRANT.to_owned())
        .append_pair("client_id", ADMIN.0)
        .append_pair("client_secret", ADMIN.1)
        .finish();
    assert_eq!(server.token(None, &form).await.status, 200);
}

#[actix_web::test]
async fn rfc7617_s2_authorization_header() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let good = basic(&id, &secret);
    let encoded = good.strip_prefix("Basic ").unwrap();
    let unpadded = encoded.trim_end_matches('=');
    let percent = id.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));

    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        // why                        header                                          status
        ("as it should be",           good.clone().into_bytes(),                       200),
        ("lower case scheme",         format!("basic {encoded}").into_bytes(),         200),
        ("upper case scheme",         format!("BASIC {encoded}").into_bytes(),         200),
        ("two spaces",                format!("Basic  {encoded}").into_bytes(),        200),
        ("no padding",                format!("Basic {unpadded}").into_bytes(),        200),
        ("every byte encoded",        basic(&percent, &secret).into_bytes(),           200),
        ("half encoded",              basic(&percent[..3], &secret).into_bytes(),      401),
        ("no space",                  format!("Basic{encoded}").into_bytes(),          401),
        ("scheme alone",              b"Basic".to_vec(),                               401),
        ("scheme and a space",        b"Basic ".to_vec(),                              401),
        ("empty",                     b"".to_vec(),                                    401),
        ("no base64",                 b"Basic !!!!".to_vec(),                          401),
        ("base64 and more",           format!("Basic {encoded} x").into_bytes(),       401),
        ("base64url",                 b"Basic __-_".to_vec(),                          401),
        ("no colon",                  b"Basic YWJj".to_vec(),                          401),
        ("not UTF-8 inside",          b"Basic /zr/".to_vec(),                          401),
        ("not ASCII",                 "Basic \u{e9}".as_bytes().to_vec(),              401),
        ("Bearer",                    format!("Bearer {secret}").into_bytes(),         401),
        ("Digest",                    format!("Digest {encoded}").into_bytes(),        401),
        ("secret without a scheme",   encoded.as_bytes().to_vec(),                     401),
        ("a colon more",              basic(&id, &format!("{secret}:")).into_bytes(),  401),
    ];
    let reference = server.token(None, GRANT).await;
    for (why, header, status) in cases {
        let reply = server.token_as(&header, GRANT).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 401 {
            assert_eq!(shown(&reply), shown(&reference), "{why}");
        }
    }
}

#[actix_web::test]
async fn s2_3_one_method_per_request() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let (other, _) = server.client_with_secret().await;
    let key = client_key(Algorithm::ES256);
    let by_key = server.client_with_key(key).await;
    let assertion = server.assertion(&by_key, key);
    let kind = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let header = Some((id.as_str(), secret.as_str()));

    #[rustfmt::skip]
    let cases = [
        // why                           header  form                                                           status
        ("header and the same id",       header, format!("client_id={id}"),                                     200),
        ("header and an empty id",       header, "client_id=".to_owned(),                                       200),
        ("header and an empty secret",   header, "client_secret=".to_owned(),                                   200),
        ("header and another id",        header, format!("client_id={other}"),                                  400),
        ("header and secret",            header, format!("client_id={id}&client_secret={secret}"),              400),
        ("header and a wrong secret",    header, format!("client_id={id}&client_secret=x"),                     400),
        ("header and assertion",         header, format!("{kind}&client_assertion={assertion}"),                400),
        ("header and assertion type",    header, kind.to_owned(),                                               400),
        ("secret and assertion",         None,   format!("client_id={id}&client_secret={secret}&{kind}&client_assertion={assertion}"), 400),
        ("secret and assertion type",    None,   format!("client_id={id}&client_secret={secret}&{kind}"),       400),
        ("secret without an id",         None,   format!("client_secret={secret}"),                             400),
        ("an id and nothing else",       None,   format!("client_id={id}"),                                     401),
        ("an id and an empty secret",    None,   format!("client_id={id}&client_secret="),                      401),
    ];
    for (why, header, form, status) in cases {
        let reply = server.token(header, &format!("{GRANT}&{form}")).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        let error = [(400, "invalid_request"), (401, "invalid_client")];
        let expected = error.iter().find(|(code, _)| *code == status).map(|(_, error)| *error);
        assert_eq!(reply.error(), expected, "{why}");
    }

    let twice = server
        .http
        .post(format!("{}/oauth/token", server.url))
        .header("authorization", basic(&id, &secret))
        .header("authorization", basic(&id, &secret))
        .form(&[("grant_type", "client_credentials")]);
    let reply = server.send(twice).await;
    assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "two headers");
}

#[actix_web::test]
async fn s2_3_1_no_credentials_in_the_query() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    for (why, query) in [
        ("both", format!("client_id={id}&client_secret={secret}")),
        ("secret", format!("client_secret={secret}")),
        ("encoded name", format!("client%5Fsecret={secret}")),
        ("assertion", "client_assertion=a.b.c".to_owned()),
        ("empty secret", "client_secret=".to_owned()),
    ] {
        for credentials in [None, Some((id.as_str(), secret.as_str()))] {
            let url = format!("{}/oauth/token?{query}", server.url);
            let mut request = server.http.post(url).form(&[("grant_type", "client_credentials")]);
            if let Some((id, secret)) = credentials {
                request = request.basic_auth(id, Some(secret));
            }
            let reply = server.send(request).await;
            assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{why}");
        }
    }
    let url = format!("{}/oauth/token?grant_type=client_credentials", server.url);
    let request = server.http.post(url).basic_auth(&id, Some(&secret));
    let reply =
        server.send(request.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "grant in the query");
}

#[actix_web::test]
async fn s2_3_a_key_client_may_use_no_secret_and_the_reverse() {
    let key = client_key(Algorithm::ES256);
    let server = Server::holding(vec![
        doc! {
            "clientId": "key", "authMethod": "private_key_jwt", "__STATE__": "PUBLIC",
            "publicKey": Bson::try_from(key.public().to_json()).unwrap(),
            "secrets": [{ "hash": bcrypt::hash("hunter2", 4).unwrap() }],
        },
        doc! {
            "clientId": "secret", "authMethod": "client_secret_basic", "__STATE__": "PUBLIC",
            "publicKey": Bson::try_from(key.public().to_json()).unwrap(),
            "secrets": [{ "hash": bcrypt::hash("hunter2", 4).unwrap() }],
        },
    ])
    .await;
    let reference = server.token(None, GRANT).await;
    for (why, reply, status) in [
        ("key client, key", server.token_by(&server.assertion("key", key), "").await, 200),
        ("key client, secret", server.token(Some(("key", "hunter2")), GRANT).await, 401),
        ("secret client, key", server.token_by(&server.assertion("secret", key), "").await, 401),
        ("secret client, secret", server.token(Some(("secret", "hunter2")), GRANT).await, 200),
    ] {
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 401 {
            assert_eq!(shown(&reply), shown(&reference), "{why}");
        }
    }
}

/// NIST SP 800-63B §5.1.2.2: what nobody can guess needs no slow hash; what a person chose does.
#[actix_web::test]
async fn a_secret_is_hashed_as_slowly_as_it_needs() {
    const LIGHT: &str = "$argon2id$v=19$m=8,t=1,p=1$";
    const SLOW: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let hash_of = async |id: &str| {
        let document = server.document(id).await;
        let secrets = document.get_array("secrets").unwrap().clone();
        secrets[0].as_document().unwrap().get_str("hash").unwrap().to_owned()
    };
    assert!(hash_of(&id).await.starts_with(LIGHT), "what was made here");
    assert!(hash_of(ADMIN.0).await.starts_with(SLOW), "what the operator set");

    // What was made here before there were light ones.
    let client = server.app.clients.repository.read(&id.parse().unwrap()).await.unwrap().unwrap();
    let mut costly = client.clone();
    let presented = ClientSecret::from(secret.clone());
    costly.secrets[0].verifier.hash = SecretHash::of(&presented, Profile::Slow).unwrap();
    assert!(
        server.app.clients.repository.replace(&client, &costly, &audit_record()).await.unwrap()
    );
    for (why, presented, status) in [("wrong", format!("{secret}x"), 401), ("right", secret, 200)] {
        let reply = server.token(Some((&id, &presented)), GRANT).await;
        assert_eq!(reply.status, status, "{why}");
    }
    let replaced = async {
        while !hash_of(&id).await.starts_with(LIGHT) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), replaced).await.expect("it is replaced");
}

#[actix_web::test]
async fn imported_secrets_verify_and_are_hashed_anew() {
    let seconds = |at: u64| DateTime::from_millis(i64::try_from(at).unwrap() * 1000);
    let hash = || bcrypt::hash("hunter2", 4).unwrap();
    let (long, longer) = ("x".repeat(72), "x".repeat(73));
    let client = |id: &str, secrets: Vec<Bson>| {
        doc! { "clientId": id, "__STATE__": "PUBLIC", "secrets": secrets, "theirs": "stays" }
    };
    let server = Server::holding(vec![
        client("plain", vec![doc! { "hash": hash() }.into()]),
        client(
            "two",
            vec![
                doc! { "hash": bcrypt::hash("other", 4).unwrap() }.into(),
                doc! { "hash": hash() }.into(),
            ],
        ),
        client("ends", vec![doc! { "hash": hash(), "expiresAt": seconds(START + 100) }.into()]),
        client("broken", vec![doc! { "hash": "$2y$" }.into(), doc! { "hash": "hunter2" }.into()]),
        client("none", vec![]),
        client("long", vec![doc! { "hash": bcrypt::hash(&long, 4).unwrap() }.into()]),
        client("dear", vec![doc! { "hash": hash().replace("$04$", "$31$") }.into()]),
        doc! { "clientId": "stateless", "secrets": [{ "hash": hash() }] },
    ])
    .await;

    #[rustfmt::skip]
    let cases = [
        // why                                client       secret             status
        ("bcrypt",                            "plain",     "hunter2",          200),
        ("bcrypt, wrong",                     "plain",     "hunter3",          401),
        ("bcrypt, repeated behind a NUL",     "plain",     "hunter2\0hunter2", 401),
        ("bcrypt, NUL behind",                "plain",     "hunter2\0",        401),
        ("bcrypt, 73 octets",                 "long",      &longer,            401),
        ("bcrypt, 72 octets",                 "long",      &long,              200),
        ("bcrypt, of cost 31",                "dear",      "hunter2",          401),
        ("the second of two",                 "two",       "hunter2",          200),
        ("the first of two",                  "two",       "other",            200),
        ("not ended yet",                     "ends",      "hunter2",          200),
        ("hashes that are none",              "broken",    "hunter2",          401),
        ("no secret at all",                  "none",      "hunter2",          401),
        ("a document without a state",        "stateless", "hunter2",          401),
    ];
    for (why, client, secret, status) in cases {
        assert_eq!(server.token(Some((client, secret)), GRANT).await.status, status, "{why}");
    }

    let mut hashed = false;
    for _ in 0..200 {
        let document = server.document("plain").await;
        let secrets = document.get_array("secrets").unwrap();
        hashed =
            secrets[0].as_document().unwrap().get_str("hash").unwrap().starts_with("$argon2id$");
        assert_eq!(document.get_str("theirs").unwrap(), "stays");
        if hashed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(hashed, "the hash was not replaced");
    assert_eq!(server.token(Some(("plain", "hunter2")), GRANT).await.status, 200);
    assert_eq!(server.token(Some(("plain", "hunter3")), GRANT).await.status, 401);

    for (why, now, status) in [
        ("the last second", START + 99, 200),
        ("the moment at which it ends", START + 100, 401),
        ("and after", START + 101, 401),
    ] {
        server.clock.set(now);
        assert_eq!(server.token(Some(("ends", "hunter2")), GRANT).await.status, status, "{why}");
    }
}

#[actix_web::test]
async fn a_secret_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let (id, secret) = server.client_with_secret().await;
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
    assert_eq!(server.token(Some((&id, "wrong")), GRANT).await.status, 401);
}

#[actix_web::test]
async fn an_administrator_with_a_useless_secret_is_refused_at_the_start() {
    let made_elsewhere = Server::start().await.client_with_secret().await.1;
    for (why, secret, starts) in [
        ("spaces and signs", "a b\u{e9}%+/", true),
        ("a line break in it", "a\nb", false),
        ("a NUL in it", "a\0b", false),
        ("our prefix", "lk_hunter2", false),
        ("made for another client", made_elsewhere.as_str(), false),
    ] {
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        let started = Server::attempt(store, |settings| {
            settings.admin.secret = Some(secret.to_owned().into());
        })
        .await;
        match started {
            Ok(server) => {
                let reply = server.token(Some((ADMIN.0, secret)), GRANT).await;
                assert_eq!((reply.status, starts), (200, true), "{why}");
            }
            Err(error) => assert!(!starts && !error.is_temporary(), "{why}: {error}"),
        }
    }
}
