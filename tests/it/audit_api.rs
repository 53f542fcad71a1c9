//! `GET /audit` and `latchkey audit`: who did what, and never a secret.

use std::sync::Arc;
use std::time::Instant;

use latchkey::assembly::OpenStore;
use latchkey::audit::Action;
use latchkey::audit::AuditQuery;
use latchkey::config::Settings;
use latchkey::domain::clock::DAY;
use latchkey::domain::jwk::Algorithm;
use latchkey::store::MemoryStore;
use serde_json::{Value, json};

use crate::fleet::PATIENCE;
use crate::harness::{ADMIN, GRANT, Reply, START, Server, TestClock, client_key};

fn records(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["records"].as_array().unwrap().clone()
}

async fn asked(server: &Server, query: &str) -> Vec<Value> {
    records(&server.admin_get(&format!("/audit?{query}")).await)
}

#[actix_web::test]
async fn records_are_found_by_what_they_say() {
    let server = Server::start().await;
    server.clock.set(START + 10);
    let (by_itself, _) = server.client_with_secret().await;
    server.clock.set(START + 20);
    let (by_admin, _) = server.granted(json!({})).await;

    let all = asked(&server, "").await;
    let of = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let actions: Vec<_> = all.iter().map(|record| of(record, "action")).collect();
    assert_eq!(actions, ["client.created", "client.registered", "admin.installed"]);
    let created = &all[0];
    assert_eq!((&created["at"], &created["actor"]), (&json!(START + 20), &json!("admin")));
    assert_eq!(
        (of(created, "client_id"), of(created, "address")),
        (by_admin.clone(), "127.0.0.1".to_owned())
    );
    assert!(!of(created, "request_id").is_empty());
    assert_eq!(created["after"]["client_name"], "svc");
    assert_eq!(created["after"]["secrets"][0].get("safe_to_remove"), None, "what was then");

    let rfc3339 = |at: u64| {
        let at = time::OffsetDateTime::from_unix_timestamp(at.try_into().unwrap()).unwrap();
        at.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    for (why, query, found) in [
        ("of a client", format!("client_id={by_itself}"), vec!["client.registered"]),
        ("by an actor", "actor=admin".to_owned(), vec!["client.created"]),
        ("by the server", "actor=latchkey:server".to_owned(), vec!["admin.installed"]),
        ("as it was called before", "actor=latchkey".to_owned(), vec![]),
        ("of a name", "action=client.created".to_owned(), vec!["client.created"]),
        ("of another", "action=client.deleted".to_owned(), vec![]),
        ("from", format!("from={}", START + 20), vec!["client.created"]),
        ("from a date", format!("from={}", rfc3339(START + 20)), vec!["client.created"]),
        ("to", format!("to={}", START + 10), vec!["admin.installed"]),
        ("to a date", format!("to={}", rfc3339(START + 10)), vec!["admin.installed"]),
        (
            "from and to",
            format!("from={}&to={}", START + 10, START + 20),
            vec!["client.registered"],
        ),
        ("long ago", "to=0".to_owned(), vec![]),
        ("far ahead", format!("from={}", u64::MAX), vec![]),
        ("not more than", "limit=1".to_owned(), vec!["client.created"]),
    ] {
        let actions: Vec<_> =
            asked(&server, &query).await.iter().map(|record| of(record, "action")).collect();
        assert_eq!(actions, found, "{why}");
    }
}

#[actix_web::test]
async fn records_are_kept_for_so_many_days() {
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let first = Server::on(store.clone(), |_| ()).await;
    first.granted(json!({})).await;
    first.clock.advance(DAY);
    first.app.feed.look().await.unwrap();
    first.granted(json!({})).await;
    assert_eq!(asked(&first, "action=client.created").await.len(), 2);
    first.stop().await;

    let clock = Arc::new(TestClock::default());
    clock.set(START + 2 * DAY.as_secs() - 1);
    let keeps = |settings: &mut Settings| settings.storage.audit_retention = Some(DAY);
    let second = Server::at(clock, store, keeps).await;
    let began = Instant::now();
    let kept = loop {
        let kept = asked(&second, "action=client.created").await;
        if kept.len() != 2 {
            break kept;
        }
        assert!(began.elapsed() < PATIENCE, "still: {kept:?}");
    };
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["at"], START + DAY.as_secs());
}

#[test]
fn every_action_of_the_contract_is_one_that_can_be_asked_for() {
    let contract: Value = serde_saphyr::from_str(include_str!("../../openapi.yaml")).unwrap();
    let names = contract["components"]["schemas"]["Action"]["enum"].as_array().unwrap();
    let source = include_str!("../../src/audit/record.rs");
    assert_eq!(source.matches("#[strum(serialize = \"").count(), names.len());
    for name in names {
        let name = name.as_str().unwrap();
        assert_eq!(name.parse::<Action>().map(Action::name).ok(), Some(name));
    }
}

#[actix_web::test]
async fn pages_are_complete_and_end() {
    let server = Server::start().await;
    for _ in 0..4 {
        server.granted_with_key(client_key(Algorithm::EdDSA), json!({})).await;
    }
    let all = asked(&server, "").await;
    assert_eq!(all.len(), 5);
    for limit in [1, 2, 4, 5, 6] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/audit?limit={limit}{cursor}");
            let reply = server.admin_get(&path).await;
            let page = records(&reply);
            assert!(page.len() <= limit && !page.is_empty(), "{reply:?}");
            found.extend(page);
            let Some(next) = reply.body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, all, "by {limit}");
    }
}

#[actix_web::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    let server = Server::start().await;
    for (query, named) in [
        ("clientid=x", "clientid"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "query"),
        ("from=yesterday", "from"),
        ("to=-1", "to"),
        ("to=1960-01-01T00:00:00Z", "to"),
        ("from=%2B1", "from"),
        ("action=client.unheard", "action"),
        ("action=", "action"),
        ("client_id=%0A", "client_id"),
        ("actor=", "actor"),
        ("cursor=%24", "cursor"),
        ("cursor=", "cursor"),
        ("actor=a&actor=b", "actor"),
    ] {
        let reply = server.admin_get(&format!("/audit?{query}")).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{query}");
        assert!(reply.text_of("error_description").contains(named), "{query}: {reply:?}");
    }
}

#[actix_web::test]
async fn only_those_who_may_read_it() {
    let server = Server::with(|settings| {
        settings.listen.admin_address = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let admin_url = server.admin_url.clone().unwrap();
    #[rustfmt::skip]
    let cases = [
        ("an auditor",       json!(["latchkey:audit:read"]),   200),
        ("an administrator", json!(["latchkey:admin"]),        200),
        ("a reader",         json!(["latchkey:clients:read"]), 403),
        ("anybody else",     json!([]),                        403),
    ];
    for (why, permissions, status) in cases {
        let (id, secret) = server.granted(json!({ "permissions": permissions })).await;
        let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
        let ask = |base: &str| server.http.get(format!("{base}/audit")).bearer_auth(&token);
        assert_eq!(server.send(ask(&admin_url)).await.status, status, "{why}");
        assert_eq!(server.send(ask(&server.url)).await.status, 404, "not on this listener");
    }
    let reply = server.send(server.http.get(format!("{admin_url}/audit"))).await;
    assert_eq!(reply.status, 401);
}

#[actix_web::test]
async fn no_secret_gets_into_a_record() {
    let server = Server::start().await;
    let (id, secret) = server.client_with_secret().await;
    let (other, granted) = server.granted(json!({ "permissions": ["read:orders"] })).await;
    let key = client_key(Algorithm::ES256);
    let keyed = server.client_with_key(key).await;
    let assertion = server.assertion(&keyed, key);
    let mut hidden = vec![ADMIN.1.to_owned(), secret.clone(), granted.clone(), assertion.clone()];
    for reply in [
        server.token(Some((&id, &secret)), GRANT).await,
        server.token(Some((&other, &granted)), GRANT).await,
        server.token_by(&assertion, "").await,
    ] {
        hidden.push(reply.text_of("access_token"));
    }
    server.token(Some((&id, "lk_wrong_guess")), GRANT).await;
    hidden.push("lk_wrong_guess".to_owned());
    hidden.push(key.to_pem().unwrap().as_str().lines().nth(1).unwrap().to_owned());
    for client in [&id, &other] {
        let document = server.document(client).await;
        for secret in document.get_array("secrets").unwrap() {
            let hash = secret.as_document().unwrap().get_str("hash").unwrap();
            hidden.push(hash.to_owned());
        }
    }
    let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
    let trail = server.app.audit_trail.records(&query).await.unwrap();
    assert!(trail.len() >= 4, "{trail:?}");
    let text = serde_json::to_string(&trail).unwrap();
    for secret in hidden {
        assert!(secret.len() > 8 && !text.contains(&secret), "{secret} is in a record");
    }
    assert!(!text.contains("argon2"), "{text}");
}
