//! RFC 7009: a client calls back a token of its own.

use futures_util::future::join_all;
use latchkey::audit::AuditQuery;
use latchkey::config::Settings;
use latchkey::domain::jwk::Algorithm;
use serde_json::json;

use crate::harness::{FORM, GRANT, Reply, Server, basic, claims_of, client_key, store_in};

const REVOKE: &str = "/oauth/revoke";

#[actix_web::test]
async fn s2_2_whose_token_ends() {
    let server = Server::start().await;
    let (one, two) = (server.client_with_secret().await, server.client_with_secret().await);
    let by_one = Some((one.0.as_str(), one.1.as_str()));
    let by_two = Some((two.0.as_str(), two.1.as_str()));
    #[rustfmt::skip]
    let cases = [
        // why                          caller  form before the token             lives
        ("another client's",            by_two, "",                               true),
        ("one's own",                   by_one, "",                               false),
        ("one's own, hinted right",     by_one, "token_type_hint=access_token&",  false),
        ("one's own, hinted wrong",     by_one, "token_type_hint=refresh_token&", false),
        ("one's own, unknown hint",     by_one, "token_type_hint=bogus&",         false),
        ("with an unknown parameter",   by_one, "scope[]=x&",                     false),
    ];
    for (why, caller, before, lives) in cases {
        let token = server.token_of(&one).await;
        assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}: now it is remembered");
        let form = format!("{before}token={token}");
        for _ in 0..2 {
            let reply = server.form(REVOKE, caller, &form).await;
            assert_eq!((reply.status, reply.text.as_str()), (200, "{}"), "{why}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{why}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
        }
        assert_eq!(server.tokeninfo(&token).await.status == 200, lives, "{why}");
    }
}

#[actix_web::test]
async fn s2_2_what_is_no_token_is_no_error() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let caller = Some((client.0.as_str(), client.1.as_str()));
    let expired = server.token_of(&client).await;
    server.clock.advance(std::time::Duration::from_secs(36_000));
    server.app.feed.look().await.unwrap(); // its key is promised anew
    let good = server.token_of(&client).await;
    let (head, tail) = good.split_at(good.len() - 8);
    let forged = format!("{head}{}", tail.chars().rev().collect::<String>());
    let long = "x".repeat(8000);
    for (why, token) in [
        ("garbage", "x"),
        ("expired", &expired),
        ("a forged signature", &forged),
        ("very long", &long),
        ("an identifier", "45ghiukldjahdnhzdauz"),
    ] {
        let reply = server.form(REVOKE, caller, &format!("token={token}")).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"), "{why}");
    }
    assert!(server.app.health.revocations.is_empty(), "nothing is kept of what ends nothing");
    assert_eq!(server.tokeninfo(&good).await.status, 200);
}

#[actix_web::test]
async fn s2_1_who_may_ask() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let off = server.granted(json!({ "__STATE__": "DRAFT" })).await;
    let key = client_key(Algorithm::ES256);
    let keyed = server.client_with_key(key).await;
    let (id, secret) = &client;
    let token = server.token_of(&client).await;
    let ask = async |header: Option<String>, form: String| {
        let mut request = server.http.post(format!("{}{REVOKE}", server.url));
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        server.send(request.header("content-type", FORM).body(form)).await
    };
    let it = format!("token={token}");
    #[rustfmt::skip]
    let cases = [
        // why                         header                         form                                                      status  error
        ("no credentials",             None,                          it.clone(),                                               401, "invalid_client"),
        ("unknown client",             Some(basic("who", secret)),    it.clone(),                                               401, "invalid_client"),
        ("wrong secret",               Some(basic(id, "wrong")),      it.clone(),                                               401, "invalid_client"),
        ("unpublished client",         Some(basic(&off.0, &off.1)),   it.clone(),                                               401, "invalid_client"),
        ("another scheme",             Some(format!("Bearer {token}")), it.clone(),                                             401, "invalid_client"),
        ("registered for a key",       Some(basic(&keyed, secret)),   it.clone(),                                               401, "invalid_client"),
        ("two ways at once",           Some(basic(id, secret)),       format!("{it}&client_id={id}&client_secret={secret}"),    400, "invalid_request"),
        ("two clients",                Some(basic(id, secret)),       format!("{it}&client_id=who"),                            400, "invalid_request"),
        ("no token",                   Some(basic(id, secret)),       String::new(),                                            400, "invalid_request"),
        ("an empty token",             Some(basic(id, secret)),       "token=".to_owned(),                                      400, "invalid_request"),
        ("a repeated token",           Some(basic(id, secret)),       format!("{it}&{it}"),                                     400, "invalid_request"),
    ];
    for (why, header, form, status, error) in cases {
        let reply = ask(header, form).await;
        assert_eq!((reply.status, reply.error()), (status, Some(error)), "{why}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{why}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{why}");
    }
    let query = format!("{REVOKE}?client_id={id}&client_secret={secret}");
    assert_eq!(server.form(&query, None, &it).await.status, 400, "credentials in the query");
    let json = server.post(REVOKE, "application/json", "{}").await;
    assert_eq!((json.status, json.error()), (415, Some("invalid_request")));
    let get = server.get(REVOKE).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    assert_eq!(server.tokeninfo(&token).await.status, 200, "nothing of this has ended it");

    let post = format!("{it}&client_id={id}&client_secret={secret}");
    assert_eq!(ask(None, post).await.status, 200, "the credentials in the form");
    assert_eq!(server.tokeninfo(&token).await.status, 401);
    let token = server.token_by(&server.assertion(&keyed, key), "").await.text_of("access_token");
    let assertion = server.assertion(&keyed, key);
    let proof = format!(
        "client_assertion={assertion}&token={token}\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    assert_eq!(ask(None, proof.clone()).await.status, 200, "an assertion");
    assert_eq!(server.tokeninfo(&token).await.status, 401);
    assert_eq!(ask(None, proof).await.status, 401, "an assertion is used once");
}

#[actix_web::test]
async fn a_token_for_another_audience_can_be_called_back() {
    let server = Server::with(|settings| {
        settings.tokens.accepted_audiences = vec!["here".parse().unwrap()];
    })
    .await;
    let client = server.granted(json!({ "audience": ["elsewhere"] })).await;
    let token = server.token_of(&client).await;
    let caller = Some((client.0.as_str(), client.1.as_str()));
    assert_eq!(server.form(REVOKE, caller, &format!("token={token}")).await.status, 200);
    assert_eq!(server.app.health.revocations.len(), 1);
}

#[actix_web::test]
async fn it_is_recorded_once_however_many_ask_at_once() {
    let server = Server::start().await;
    let client = server.client_with_secret().await;
    let token = server.token_of(&client).await;
    let caller = Some((client.0.as_str(), client.1.as_str()));
    let form = format!("token={token}");
    let replies = join_all((0..20).map(|_| server.form(REVOKE, caller, &form))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(server.tokeninfo(&token).await.status, 401);

    let action = Some("tokens.revoked".to_owned());
    let query = AuditQuery { action, limit: 10, ..AuditQuery::default() };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.actor, client.0);
    assert_eq!(record.client_id.as_ref().map(ToString::to_string), Some(client.0.clone()));
    assert_eq!(record.after["jti"], claims_of(&token)["jti"]);
    let text = serde_json::to_string(record).unwrap();
    assert!(!text.contains(token.rsplit('.').next().unwrap()), "no token is in a record: {text}");
}

#[actix_web::test]
async fn what_was_answered_is_kept() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let with_keys = |settings: &mut Settings| settings.signing_keys.folder = keys.path().to_owned();
    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    let client = server.client_with_secret().await;
    let (dead, alive) = (server.token_of(&client).await, server.token_of(&client).await);
    let caller = Some((client.0.as_str(), client.1.as_str()));
    assert_eq!(server.form(REVOKE, caller, &format!("token={dead}")).await.status, 200);
    server.stop().await;

    let server = Server::on(store_in(folder.path()).await, with_keys).await;
    assert_eq!(server.tokeninfo(&dead).await.status, 401);
    assert_eq!(server.tokeninfo(&alive).await.status, 200);
    assert_eq!(server.token(caller, GRANT).await.status, 200);
}

/// Each revocation is kept until its token expires, and its record for much longer.
#[actix_web::test]
async fn one_at_a_time_there_is_a_rate_and_a_burst_has_one_record() {
    let server = Server::with(|settings| settings.clients.revocation_rate = 3).await;
    let made = server.register(json!({ "client_name": "svc" })).await;
    let pair = |reply: &Reply| (reply.text_of("client_id"), reply.text_of("client_secret"));
    let (client, other) = (pair(&made), server.client_with_secret().await);
    let revoke = async |client: &(String, String), token: &str| {
        let caller = Some((client.0.as_str(), client.1.as_str()));
        server.form(REVOKE, caller, &format!("token={token}")).await
    };
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.push(server.token_of(&client).await);
    }
    #[rustfmt::skip]
    let cases = [
        // why                            after  token  status  lives afterwards
        ("the first",                     0,     0,     200,    false),
        ("the second",                    0,     1,     200,    false),
        ("the third",                     0,     2,     200,    false),
        ("one too many",                  0,     3,     429,    true),
        ("what ended is not counted",     0,     0,     200,    false),
        ("a second too early",            19,    3,     429,    true),
        ("when there is room",            1,     3,     200,    false),
        ("and no more",                   0,     4,     429,    true),
    ];
    for (why, after, token, status, lives) in cases {
        server.clock.advance(std::time::Duration::from_secs(after));
        let reply = revoke(&client, &tokens[token]).await;
        assert_eq!(reply.status, status, "{why}: {reply:?}");
        if status == 429 {
            let wait = if why == "a second too early" { "1" } else { "20" };
            assert_eq!(reply.header("retry-after"), Some(wait), "{why}");
            assert_eq!(reply.error(), Some("temporarily_unavailable"), "{why}");
        }
        assert_eq!(server.tokeninfo(&tokens[token]).await.status == 200, lives, "{why}");
    }
    let others = server.token_of(&other).await;
    assert_eq!(revoke(&other, &others).await.status, 200, "each has its own rate");
    assert_eq!(revoke(&client, "x").await.status, 200, "what is no token costs nothing");

    let query = AuditQuery {
        action: Some("tokens.revoked".to_owned()),
        client_id: Some(client.0.clone()),
        limit: 10,
        ..AuditQuery::default()
    };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.after["jti"], claims_of(&tokens[0])["jti"]);
    assert_eq!(record.after["covers_until"], crate::harness::START + 600);

    let url = format!("{}/register/{}/regenerate", server.url, client.0);
    let shown = made.text_of("registration_access_token");
    let new = pair(&server.send(server.http.post(url).bearer_auth(shown)).await);
    let token = server.token_of(&new).await;
    assert_eq!(revoke(&new, &token).await.status, 429, "a new id brings no new rate");
}
