//! What a store holds and nobody can read whole: it opens nothing, holds nothing up, and is shown as
//! far as it can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use latchkey::assembly::{OpenStore, copy_store};
use latchkey::audit::AuditRecord;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::free_form::CUT;
use latchkey::domain::secret::ClientSecret;
use latchkey::domain::secret_hash::{Profile, SecretHash};
use latchkey::store::{Document, MemoryStore};
use mongodb::bson::{Bson, DateTime, doc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{GRANT, Reply, START, Server, nested, store_in};

const SECRET: &str = "hunter2-of-another-tool";

/// A client of another tool, with a secret.
fn document(id: &str, more: Document) -> Document {
    let secret = ClientSecret::from(SECRET.to_owned());
    let hash = SecretHash::of(&secret, Profile::Light).unwrap();
    let mut document = doc! {
        "clientId": id, "__STATE__": "PUBLIC", "secrets": [{ "hash": hash.as_str() }],
        "theirs": { "deep": [1, "x"] },
    };
    document.extend(more);
    document
}

async fn patch(server: &Server, path: &str, change: &Value) -> Reply {
    server.admin(Method::PATCH, path, change).await
}

fn named(client: &Value) -> Vec<&str> {
    let unreadable = client["unreadable"].as_array().map(Vec::as_slice).unwrap_or_default();
    unreadable.iter().map(|it| it["member"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn a_limit_that_cannot_be_read_is_not_no_limit() {
    let set = |name: &str, value: Value| json!({ name: value });
    #[rustfmt::skip]
    let cases: [(&str, Bson, Value); 12] = [
        ("audience",            7.into(),            set("audience", json!(["orders"]))),
        ("permissions",         vec![7].into(),      set("permissions", json!([]))),
        ("groups",              7.into(),            set("groups", json!([]))),
        ("scope",               7.into(),            set("scope", json!("a"))),
        ("allowedCustomClaims", 7.into(),            set("allowedCustomClaims", json!([]))),
        ("grantTypes",          7.into(),            set("grant_types", json!(["client_credentials"]))),
        ("accessTokenLifetime", "an hour".into(),    set("access_token_lifetime", json!(60))),
        ("quotaPerHour",        "many".into(),       set("quota_per_hour", json!(0))),
        ("quotaPerDay",         (-1).into(),         set("quota_per_day", json!(5))),
        ("legacyAudience",      true.into(),         set("legacyAudience", Value::Null)),
        ("authSigningAlg",      "rs256".into(),      set("token_endpoint_auth_signing_alg", Value::Null)),
        ("authMethod",          "mutual_tls".into(), set("token_endpoint_auth_method", json!("client_secret_basic"))),
    ];
    let documents =
        cases.iter().map(|(member, value, _)| document(member, doc! { *member: value }));
    let server = Server::holding(documents.collect()).await;
    for (id, _, repair) in &cases {
        let refused = server.token(Some((id, SECRET)), GRANT).await;
        assert_eq!((refused.status, refused.error()), (401, Some("invalid_client")), "{id}");
        let path = format!("/clients/{id}");
        let shown = server.admin_get(&path).await;
        assert_eq!((shown.status, named(&shown.body)), (200, vec![*id]), "{shown:?}");

        let repaired = patch(&server, &path, repair).await;
        assert_eq!((repaired.status, named(&repaired.body)), (200, vec![]), "{id}: {repaired:?}");
        let issued = server.token(Some((id, SECRET)), GRANT).await;
        assert_eq!(issued.status, 200, "{id}: {issued:?}");
        let theirs = server.document(id).await.get("theirs").cloned().map(Value::from);
        assert_eq!(theirs, Some(json!({ "deep": [1, "x"] })), "{id}");
    }
    let metrics = server.get("/-/metrics").await.text;
    let counted = "latchkey_unreadable_documents_total{kind=\"client\"} 12";
    assert!(metrics.contains(counted), "each once: {metrics}");
}

#[actix_web::test]
async fn an_epoch_that_cannot_be_read_ends_all_tokens() {
    let epoch = doc! { "tokenEpoch": "three", "updatedAt": DateTime::now() };
    let server = Server::holding(vec![document("svc", epoch)]).await;
    assert_eq!(server.token(Some(("svc", SECRET)), GRANT).await.status, 401);
    let before = server.minted(&json!({ "sub": "svc", "client_id": "svc", "epoch": 7 }));
    assert_eq!(server.tokeninfo(&before).await.status, 401);

    let repaired = patch(&server, "/clients/svc?revoke_tokens=true", &json!({})).await;
    assert_eq!((repaired.status, named(&repaired.body)), (200, vec![]), "{repaired:?}");
    assert_eq!(server.tokeninfo(&before).await.status, 401);
    let issued = server.token(Some(("svc", SECRET)), GRANT).await.text_of("access_token");
    assert_eq!(server.tokeninfo(&issued).await.status, 200);
}

#[actix_web::test]
async fn a_secret_ends_in_whatever_form_its_end_is_written() {
    let (past, future) = (i64::try_from(START).unwrap() - 1, i64::try_from(START).unwrap() + 1);
    #[rustfmt::skip]
    let cases: [(&str, Bson, u16); 9] = [
        ("seconds",          past.into(),                   401),
        ("seconds to come",  future.into(),                 200),
        ("milliseconds",     (past * 1000).into(),          401),
        ("ms to come",       (future * 1000).into(),        200),
        ("a day",            "2020-01-01".into(),           401),
        ("a day to come",    "2040-01-01".into(),           200),
        ("a text",           "soon".into(),                 401),
        ("a flag",           true.into(),                   401),
        ("nothing",          Bson::Null,                    200),
    ];
    for (why, end, status) in cases {
        let mut held = document("svc", doc! {});
        let secrets = held.get_array_mut("secrets").unwrap();
        secrets[0].as_document_mut().unwrap().insert("expiresAt", end);
        let server = Server::holding(vec![held]).await;
        assert_eq!(server.token(Some(("svc", SECRET)), GRANT).await.status, status, "{why}");
    }
}

#[actix_web::test]
async fn a_client_that_cannot_be_read_is_not_made_anew_without_its_limits() {
    let server = Server::holding(vec![document("svc", doc! { "audience": 7 })]).await;
    let refused = server.admin_post("/clients/svc/regenerate", &json!({})).await;
    assert_eq!((refused.status, refused.error()), (400, Some("invalid_client_metadata")));
    assert!(refused.text_of("error_description").contains("audience"), "{refused:?}");
}

/// What could be written and not be read again would have no record.
#[actix_web::test]
async fn what_is_kept_of_free_form_json_has_at_most_64_kib() {
    let server = Server::start().await;
    for (size, outcome) in [(65_536, "imported_with_new_secret"), (65_537, "refused")] {
        // Eight of them are `{"k":""}`.
        let metadata = json!({ "k": "x".repeat(size - 8) });
        let brought =
            json!({ "clients": [{ "clientId": format!("c{size}"), "metadata": metadata }] });
        let brought = server.admin_post("/clients/import", &brought).await;
        assert_eq!(brought.body["results"][0]["outcome"], outcome, "{size}: {}", brought.status);
    }
}

#[actix_web::test]
async fn free_form_json_has_at_most_32_levels() {
    let server = Server::start().await;
    let (id, _) = server.granted(json!({})).await;
    for (levels, is_good) in [(31, true), (32, true), (33, false), (64, false), (126, false)] {
        let metadata = json!({ "deep": nested(levels - 1) });
        let created = server
            .create_client(json!({ "client_name": "svc", "metadata": metadata.clone() }))
            .await;
        let changed =
            patch(&server, &format!("/clients/{id}"), &json!({ "metadata": metadata })).await;
        let brought = json!({
            "clients": [
                { "clientId": format!("deep{levels}"), "metadata": metadata },
                { "clientId": format!("good{levels}") },
            ],
        });
        let brought = server.admin_post("/clients/import", &brought).await;
        let told = if is_good { "imported_with_new_secret" } else { "refused" };
        if levels < 120 {
            assert_eq!(brought.body["results"][0]["outcome"], told, "{levels}: {brought:?}");
            assert_eq!(brought.body["results"][1]["outcome"], "imported_with_new_secret");
        } else {
            assert_eq!(brought.status, 400, "nobody could read such a body");
        }
        let subject = json!({ "type": "client", "id": id, "properties": nested(levels) });
        let question = json!({
            "subject": subject, "action": { "name": "GET" },
            "resource": { "type": "route", "id": "/" },
        });
        let decided = server.admin_post("/access/v1/evaluation", &question).await;
        for (why, reply, good) in
            [("POST", &created, 201), ("PATCH", &changed, 200), ("AuthZEN", &decided, 200)]
        {
            // Only an object may be there: an even number of levels ends in one.
            if why == "AuthZEN" && levels % 2 != 0 && levels < 33 {
                continue;
            }
            assert_eq!(reply.status, if is_good { good } else { 400 }, "{why} {levels}: {reply:?}");
            if !is_good {
                assert!(reply.text.contains("nested"), "{why}: {reply:?}");
            }
        }
        let of = |record: &Value| record["after"]["metadata"] == metadata;
        let audit = server.admin_get("/audit?limit=3").await;
        let records = audit.body["records"].as_array().unwrap();
        assert_eq!(records.iter().any(of), is_good, "{levels}: a change has its record");
    }
}

#[actix_web::test]
async fn what_another_tool_nested_deeper_is_cut_and_named() {
    let metadata = json!({ "deep": nested(100), "flat": 1 });
    let bson = Bson::try_from(metadata.clone()).unwrap();
    let server = Server::holding(vec![
        document("svc", doc! { "metadata": bson }),
        document("other", doc! {}),
    ])
    .await;
    assert_eq!(server.token(Some(("svc", SECRET)), GRANT).await.status, 200, "it limits nothing");
    let list = server.admin_get("/clients").await;
    let shown = &list.body["clients"][0];
    assert_eq!((&shown["client_id"], named(shown)), (&json!("svc"), vec!["metadata.deep"]));
    assert_eq!(shown["metadata"]["flat"], 1);
    assert!(shown["metadata"]["deep"].to_string().contains(CUT), "{shown}");

    let renamed = patch(&server, "/clients/svc", &json!({ "client_name": "renamed" })).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let kept = Value::from(server.document("svc").await.get("metadata").unwrap().clone());
    assert_eq!(kept, metadata, "nothing is lost");
    let refused = patch(&server, "/clients/svc", &json!({ "metadata": { "flat": 2 } })).await;
    assert_eq!(refused.status, 400, "not with what was cut: {refused:?}");
    let flat = json!({ "metadata": { "deep": null, "flat": 2 } });
    let repaired = patch(&server, "/clients/svc", &flat).await;
    assert_eq!((repaired.status, named(&repaired.body)), (200, vec![]));
    let audit = server.admin_get("/audit?client_id=svc").await;
    assert!(audit.body["records"][0]["before"]["metadata"]["deep"].to_string().contains(CUT));
    assert_eq!(audit.body["records"][0]["after"]["metadata"], json!({ "flat": 2 }));
}

/// A row that somebody damaged in the file.
#[actix_web::test]
async fn a_damaged_document_is_a_client_without_tokens_and_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let [bad, odd, deep, good] = [
        server.granted(json!({})).await,
        server.granted(json!({})).await,
        server.granted(json!({})).await,
        server.granted(json!({})).await,
    ];
    server.stop().await;
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    // It keeps what is not JSON from being written in this way.
    database.execute("DROP TRIGGER key_thumbprints_changed", []).unwrap();
    let spoil = |id: &str, sql: &str| {
        let sql = format!("UPDATE clients SET document = {sql} WHERE client_id = ?1");
        assert_eq!(database.execute(&sql, [id]).unwrap(), 1);
    };
    spoil(&bad.0, "'{'");
    // Extended JSON in forms that are none, beside members that are not ours.
    spoil(
        &odd.0,
        "json_set(document, '$.audience', 'orders', '$.theirs', json('{\"$date\":\"2020-01-01\"}'), \
         '$.quotaPerDay', json('{\"$numberLong\":\"7\"}'), \
         '$.legacyAudience', json('{\"$date\":\"2020-01-01\"}'))",
    );
    let levels = nested(300).to_string();
    spoil(&deep.0, &format!("json_set(document, '$.theirs', json('{levels}'))"));
    drop(database);

    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    assert_eq!(server.token(Some((&good.0, &good.1)), GRANT).await.status, 200);
    assert_eq!(server.token(Some((&deep.0, &deep.1)), GRANT).await.status, 200);
    let read = server.token(Some((&odd.0, &odd.1)), GRANT).await;
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(server.token(Some((&bad.0, &bad.1)), GRANT).await.status, 401);
    let list = server.admin_get("/clients").await;
    let clients = list.body["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 5, "{list:?}");
    let of = |id: &str| clients.iter().find(|it| it["client_id"] == id).unwrap();
    assert_eq!(named(of(&bad.0)), ["the document"]);
    let shown = of(&odd.0);
    assert_eq!((named(shown), &shown["audience"]), (vec![], &json!(["orders"])));
    assert_eq!(
        (&shown["quota_per_day"], &shown["legacyAudience"]),
        (&json!(7), &json!(1_577_836_800))
    );
    for id in [&odd.0, &deep.0] {
        let path = format!("/clients/{id}");
        let renamed = patch(&server, &path, &json!({ "client_name": "re\"named" })).await;
        assert_eq!((renamed.status, &renamed.body["client_name"]), (200, &json!("re\"named")));
    }
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let sql = "SELECT document ->> '$.theirs' FROM clients WHERE client_id = ?1";
    let kept: String = database.query_row(sql, [&deep.0], |row| row.get(0)).unwrap();
    assert_eq!(kept, levels, "nothing is lost");
    let damaged = format!("/clients/{}", bad.0);
    for (why, changed) in [
        ("PATCH", patch(&server, &damaged, &json!({ "client_name": "renamed" })).await),
        (
            "state",
            server.admin_post(&format!("{damaged}/state"), &json!({ "stateTo": "PUBLIC" })).await,
        ),
        ("secret", server.admin_post(&format!("{damaged}/secrets"), &json!({})).await),
    ] {
        assert_eq!(
            (changed.status, changed.error()),
            (409, Some("conflict")),
            "{why}: {changed:?}"
        );
        let said = changed.text_of("error_description");
        assert!(said.contains("restore its document from a backup"), "{why}: {said}");
    }
    let revoked = server.admin_post("/revocations", &json!({ "client_id": &bad.0 })).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");

    let copy = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let copied = copy_store(&server.store, &copy, |_| ()).await.unwrap();
    assert_eq!((copied.clients, copied.left_out.len()), (2, 3), "{copied:?}");
    assert!(copied.left_out.contains(&bad.0));

    let gone = server.admin(Method::DELETE, &format!("/clients/{}", bad.0), &Value::Null).await;
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(server.admin_get("/clients").await.body["clients"].as_array().unwrap().len(), 4);
}

#[actix_web::test]
async fn the_audit_trail_goes_on_past_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let (id, _) = server.granted(json!({})).await;
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let deep = |id: &str| {
        let metadata = nested(125);
        format!(
            r#"{{"id":"{id}","at":{START},"action":"client.updated","actor":"alice","after":{{"metadata":{metadata}}}}}"#
        )
    };
    let mut ids = BTreeSet::new();
    for number in 0..12 {
        let record = format!("{}{number:04}", AuditRecord::first_id(Timestamp(START)));
        let text = if number % 2 == 0 { deep(&record) } else { "{".to_owned() };
        let row = (&record, 7, "alice", "client.updated", &id, text);
        let sql = "INSERT INTO audit (id, at, actor, action, client_id, told, record) \
                   VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
        database.execute(sql, row).unwrap();
        ids.insert(record);
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.admin_get(&format!("/audit?limit=2{cursor}")).await;
        let records = page.body["records"].as_array().unwrap();
        assert_eq!(records.len(), 2, "{page:?}");
        found.extend(records.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found.len(), 14, "two that are good, too");
    assert!(ids.iter().all(|id| found.contains(id)), "{found:?}");
    let audit = server.admin_get(&format!("/audit?client_id={id}&actor=alice")).await;
    let actions: BTreeSet<&str> = audit.body["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, BTreeSet::from(["client.updated", "unreadable"]));
    let metrics = server.get("/-/metrics").await.text;
    let counted = "latchkey_unreadable_documents_total{kind=\"audit_record\"} 12";
    assert!(metrics.contains(counted), "{metrics}");
}
