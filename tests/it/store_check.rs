//! `latchkey store check`, and a server on a store that is damaged: one bad item fails nothing else.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use latchkey::assembly::{Inspection, OpenStore, check_store, copy_store};
use latchkey::config::StoreUrl;
use latchkey::store::MemoryStore;
use mongodb::bson::{Bson, DateTime, doc};
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::command_line::{Home, register, token};
use crate::harness::{GRANT, Server, store_in};
use crate::stores::{Place, on_every_server};

on_every_server! {
    documents_of_other_tools_fail_nothing
}

/// How large a page of the database is.
const PAGE: usize = 4096;

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("latchkey.db")).unwrap()
}

pub async fn check(folder: &Path) -> Inspection {
    let url: StoreUrl = format!("file:{}", folder.display()).parse().unwrap();
    check_store(&url, |_| ()).await.unwrap()
}

/// What is wrong with these, in words that must be in it.
pub fn said(found: &Inspection, kind: &str, name: &str) -> String {
    let problems = found.problems.iter().filter(|it| it.kind == kind && it.name.contains(name));
    let said: Vec<String> = problems.map(|it| format!("{}; {}", it.what, it.advice)).collect();
    assert_eq!(said.len(), 1, "{kind} {name}: {found:?}");
    said.concat()
}

fn named(client: &Value) -> bool {
    client["unreadable"]
        .as_array()
        .is_some_and(|it| it.iter().any(|it| it["member"] == "the document"))
}

/// Rows as a disk, or somebody with a tool, may leave them.
#[actix_web::test]
async fn a_damaged_row_fails_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let good = server.granted(json!({})).await;
    let spoils: [(&str, &str); 6] = [
        ("cut off", "substr(document, 1, 40)"),
        ("another document", "'[]'"),
        ("not text", "CAST(X'7bff7d' AS TEXT)"),
        (
            "a state that is not text",
            "CAST(replace(document, 'PUBLIC', CAST(X'5055ff' AS TEXT)) AS TEXT)",
        ),
        ("another's", "json_set(document, '$.clientId', 'another')"),
        ("nobody's", "json_remove(document, '$.clientId')"),
    ];
    let mut damaged = Vec::new();
    for (why, sql) in spoils {
        let pair = server.granted(json!({})).await;
        let token = server.token_of(&pair).await;
        damaged.push((why, sql, pair, token));
    }
    let revoked = server.token_of(&good).await;
    let order = json!({ "jti": crate::harness::claims_of(&revoked)["jti"] });
    assert_eq!(server.admin_post("/revocations", &order).await.status, 200);
    server.stop().await;

    let file = database(folder.path());
    // It keeps what is not JSON from being written in this way.
    file.execute("DROP TRIGGER key_thumbprints_changed", []).unwrap();
    for (why, sql, (id, _), _) in &damaged {
        let sql = format!("UPDATE clients SET document = {sql} WHERE client_id = ?1");
        assert_eq!(file.execute(&sql, [id]).unwrap(), 1, "{why}");
    }
    file.execute_batch(
        "UPDATE revocations SET revoked = '{'; \
         INSERT INTO audit VALUES (CAST(X'ff' AS TEXT), 1800000000, 'a', 'b', NULL, 0, '{}'); \
         INSERT INTO audit VALUES ('006b49d20000000001abcdefghij', 1800000000, CAST(X'ff' AS TEXT), 'b', \
         NULL, 0, CAST(X'7bff' AS TEXT)); \
         INSERT INTO quotas VALUES (CAST(X'ff' AS TEXT), 'hour', 1, 'r', 99999999999, 1); \
         INSERT INTO signing_keys VALUES ('broken', CAST(X'ff' AS TEXT)); \
         INSERT INTO used_assertions VALUES ('svc', X'07', 99999999999)",
    )
    .unwrap();
    drop(file);

    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    assert_eq!(server.get("/-/ready").await.status, 200);
    assert_eq!(server.tokeninfo(&revoked).await.status, 401, "its name says what was revoked");
    assert_eq!(server.token(Some((&good.0, &good.1)), GRANT).await.status, 200);
    let list = server.admin_get("/clients?limit=100").await;
    let clients = list.body["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 2 + damaged.len(), "{list:?}");
    let found = check(folder.path()).await;
    assert_eq!(found.clients, 2 + damaged.len());
    for (why, _, (id, secret), token) in &damaged {
        assert!(clients.iter().any(|it| it["client_id"] == **id && named(it)), "{why}: {list:?}");
        let path = format!("/clients/{id}");
        let shown = server.admin_get(&path).await;
        assert!(shown.status == 200 && named(&shown.body), "{why}: {shown:?}");
        assert_eq!(server.token(Some((id, secret)), GRANT).await.status, 401, "{why}");
        let is_public = ["another's", "nobody's"].contains(why);
        let status = server.tokeninfo(token).await.status;
        assert_eq!(status, if is_public { 200 } else { 401 }, "{why}: its state is known or not");
        assert!(said(&found, "client", id).contains("latchkey clients delete"), "{why}");
    }
    assert!(said(&found, "revocation", "token:").contains("in force"));
    assert!(said(&found, "signing_key", "broken").contains("retired"));
    assert!(said(&found, "audit_record", "006b49d2").contains("shown as far"));
    assert_eq!(server.admin_get("/audit?limit=100").await.status, 200);

    let copy = OpenStore::Memory(std::sync::Arc::new(MemoryStore::default()));
    let copied = copy_store(&server.store, &copy, |_| ()).await.unwrap();
    assert_eq!((copied.clients, copied.left_out.len()), (2, damaged.len()), "{copied:?}");
    for (why, _, (id, _), _) in &damaged {
        let gone = server.admin(Method::DELETE, &format!("/clients/{id}"), &Value::Null).await;
        assert_eq!(gone.status, 204, "{why}: {gone:?}");
    }
    assert_eq!(server.admin_get("/clients").await.body["clients"].as_array().unwrap().len(), 2);
}

/// Overwrites the page of the file on which this text is. Which ids were on it is not known.
pub fn spoil_page_with(folder: &Path, text: impl AsRef<[u8]>) {
    let mut file =
        fs::File::options().read(true).write(true).open(folder.join("latchkey.db")).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    // The last one: a root page that has been split still has what was on it.
    let place = memchr::memmem::rfind(&bytes, text.as_ref()).unwrap();
    spoil_page(&mut file, place / PAGE);
}

/// Overwrites the first page of this table or index.
pub fn spoil_root(folder: &Path, name: &str) {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    // To read it also folds what may still be in the log into the file.
    let root: i64 = database(folder).query_row(sql, [name], |row| row.get(0)).unwrap();
    let mut file = fs::File::options().write(true).open(folder.join("latchkey.db")).unwrap();
    spoil_page(&mut file, usize::try_from(root - 1).unwrap());
}

fn spoil_page(file: &mut fs::File, number: usize) {
    file.seek(SeekFrom::Start((number * PAGE) as u64)).unwrap();
    file.write_all(&[0xa5; PAGE]).unwrap();
}

#[actix_web::test]
async fn a_damaged_page_of_clients_fails_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let mut pairs = Vec::new();
    for _ in 0..60 {
        pairs.push(server.client_with_secret().await);
    }
    let bad = pairs[30].clone();
    let token = server.token_of(&bad).await;
    server.stop().await;
    spoil_page_with(folder.path(), format!("\"clientId\":\"{}\"", bad.0));

    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    assert_eq!(server.tokeninfo(&token).await.status, 401, "whether it has ended nobody knows");
    let shown = server.admin_get(&format!("/clients/{}", bad.0)).await;
    assert!(shown.status == 200 && named(&shown.body), "{shown:?}");
    let list = server.admin_get("/clients?limit=100").await;
    let clients = list.body["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 61, "{list:?}");
    let lost: Vec<&str> =
        clients.iter().filter(|it| named(it)).map(|it| it["client_id"].as_str().unwrap()).collect();
    assert!(lost.contains(&bad.0.as_str()) && lost.len() < 20, "{lost:?}");
    for (id, secret) in &pairs {
        let expected = if lost.contains(&id.as_str()) { 401 } else { 200 };
        assert_eq!(server.token(Some((id, secret)), GRANT).await.status, expected, "{id}");
    }
    let found = check(folder.path()).await;
    assert_eq!(found.clients, 61);
    assert!(found.problems.iter().any(|it| it.kind == "file"), "{found:?}");
    for id in &lost {
        assert!(said(&found, "client", id).contains("damaged page"), "{found:?}");
    }
    assert!(said(&found, "client", &bad.0).contains("store copy"), "{found:?}");
    let copy = OpenStore::Memory(std::sync::Arc::new(MemoryStore::default()));
    let mut copied = copy_store(&server.store, &copy, |_| ()).await.unwrap();
    copied.left_out.sort_unstable();
    let mut lost: Vec<String> = lost.into_iter().map(str::to_owned).collect();
    lost.sort_unstable();
    assert_eq!((copied.clients, &copied.left_out), (61 - lost.len(), &lost));

    let records = async |id: &str| {
        let found = server.admin_get(&format!("/audit?client_id={id}&limit=200")).await;
        found.body["records"].as_array().unwrap().len()
    };
    let path = format!("/clients/{}", bad.0);
    let change = server.admin(Method::PATCH, &path, &json!({ "groups": ["x"] })).await;
    assert!(change.status == 409 && change.text.contains("damaged page"), "{change:?}");
    for (id, _) in &pairs {
        let before = records(id).await;
        let reply = server.admin(Method::DELETE, &format!("/clients/{id}"), &Value::Null).await;
        if reply.status == 204 {
            assert!(!lost.contains(id), "SQLite deletes nothing on a damaged page");
            continue;
        }
        // Also of one on a page beside it, with which SQLite wants to merge its own.
        assert_eq!((reply.status, reply.error()), (409, Some("conflict")), "{reply:?}");
        assert!(reply.text.contains("damaged page") && reply.text.contains("backup"), "{reply:?}");
        assert_eq!(records(id).await, before, "nothing was written, and no token ended");
    }
}

#[actix_web::test]
async fn a_server_is_ready_again_when_an_unreadable_revocation_was_repaired() {
    for (why, text, advice) in [
        ("damaged", "{", "restore it from a backup"),
        ("newer", r#"{"kind":"moon"}"#, "start a newer version"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::on(store_in(folder.path()).await, |_| ()).await;
        let token = server.token_of(&server.granted(json!({})).await).await;
        server.stop().await;
        let sql = "INSERT INTO revocations VALUES ('x', 1, 99999999999, ?1)";
        database(folder.path()).execute(sql, [text]).unwrap();

        let server = Server::on(store_in(folder.path()).await, |_| ()).await;
        assert_eq!(server.get("/-/ready").await.status, 503, "{why}");
        assert!(said(&check(folder.path()).await, "revocation", "x").contains(advice), "{why}");
        server.app.feed.look_for_repairs().await.unwrap();
        assert_eq!(server.get("/-/ready").await.status, 503, "{why}: it is still there");

        let jti = crate::harness::claims_of(&token)["jti"].clone();
        let repaired = json!({ "kind": "token", "jti": jti }).to_string();
        database(folder.path()).execute("UPDATE revocations SET revoked = ?1", [repaired]).unwrap();
        server.app.feed.look_for_repairs().await.unwrap();
        assert_eq!(server.get("/-/ready").await.status, 200, "{why}");
        assert_eq!(server.tokeninfo(&token).await.status, 401, "{why}: it is in force");
    }
}

/// Damages the store in a folder.
type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn a_damaged_file_is_named_with_what_to_do() {
    let home = Home::new();
    assert_eq!(home.serve(&[]).stop().code(), Some(0));
    let folder = home.path("data");
    let sql = "SELECT value FROM meta WHERE name = 'pepper'";
    let pepper: Vec<u8> = database(&folder).query_row(sql, [], |row| row.get(0)).unwrap();
    let file = home.path("data/latchkey.db");
    let whole = fs::read(&file).unwrap();
    let first_page = |folder: &Path| {
        spoil_page(
            &mut fs::File::options().write(true).open(folder.join("latchkey.db")).unwrap(),
            0,
        );
    };
    let revocations = |folder: &Path| {
        // Of the table the index knows the names.
        spoil_root(folder, "revocations");
        spoil_root(folder, "revocations_until");
    };
    let meta = |folder: &Path| spoil_root(folder, "meta");
    let changed = |folder: &Path, sql: &str| {
        assert_eq!(database(folder).execute(sql, []).unwrap(), 1);
    };
    let cut =
        |folder: &Path| changed(folder, "UPDATE meta SET value = x'07' WHERE name = 'pepper'");
    // Nobody knows whether the clients that cannot be read have secrets of this server.
    let gone = |folder: &Path| {
        database(folder).execute_batch("DROP TRIGGER key_thumbprints_changed").unwrap();
        changed(folder, "UPDATE clients SET document = '{'");
        changed(folder, "DELETE FROM meta WHERE name = 'pepper'");
    };
    #[rustfmt::skip]
    let cases: [(&str, Damage<'_>, &[&str]); 5] = [
        ("no database",     &first_page,  &["./data/latchkey.db`", "latchkey store check", "store copy"]),
        ("the revocations", &revocations, &["./data/latchkey.db`", "`revocations`", "latchkey store check", "revoke --all"]),
        ("the facts",       &meta,        &["./data/latchkey.db`", "`meta`", "latchkey store check", "pepper"]),
        ("a cut pepper",    &cut,         &["./data`", "`meta`", "`pepper`", "latchkey store check"]),
        ("no pepper",       &gone,        &["./data`", "`meta`", "`pepper`"]),
    ];
    for (why, damage, words) in cases {
        fs::write(&file, &whole).unwrap();
        damage(&folder);
        let refused = home.run(&["serve", "--listen=127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1), "{why}: it does not wait for ever: {refused:?}");
        let line = refused.stderr.lines().last().unwrap();
        for word in words.iter().chain(&["backup"]) {
            assert!(line.contains(word), "{why}, {word}: {refused:?}");
        }
        let found = home.run(&["store", "check", "--store", "file:data", "--json"]);
        assert_eq!(found.code, Some(1), "{why}: {found:?}");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(home.serve(&[]).stop().code(), Some(0));
    let kept: Vec<u8> = database(&folder).query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, pepper, "none was made anew");
}

#[actix_web::test]
async fn revocations_on_damaged_pages_are_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let pair = server.granted(json!({})).await;
    let [revoked, good, late] =
        [server.token_of(&pair).await, server.token_of(&pair).await, server.token_of(&pair).await];
    let order = |token: &str| json!({ "jti": crate::harness::claims_of(token)["jti"] });
    assert_eq!(server.admin_post("/revocations", &order(&revoked)).await.status, 200);
    server.stop().await;
    spoil_root(folder.path(), "revocations");

    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    assert_eq!(server.get("/-/ready").await.status, 200);
    assert_eq!(server.tokeninfo(&revoked).await.status, 401);
    assert_eq!(server.tokeninfo(&good).await.status, 200);
    let refused = server.admin_post("/revocations", &order(&late)).await;
    assert_eq!(refused.status, 503, "it would not outlast this process: {refused:?}");
    assert_eq!(server.tokeninfo(&late).await.status, 401, "here it is in force all the same");
    let found = check(folder.path()).await;
    assert!(said(&found, "revocation", "token:").contains("in force"));
    assert!(said(&found, "table", "revocations").contains("store copy"));
    let copy = OpenStore::Memory(Arc::new(MemoryStore::default()));
    assert_eq!(copy_store(&server.store, &copy, |_| ()).await.unwrap().revocations, 1);
}

/// The administrator of a file, or of the settings, whose document is cut off.
#[actix_web::test]
async fn a_damaged_administrator_does_not_keep_the_server_from_starting() {
    for (why, settings) in [
        ("of admin.json", &[][..]),
        ("configured", &["--admin-client-id=root", "--admin-secret-file=secret"]),
    ] {
        let home = Home::new();
        fs::write(home.path("secret"), "of-the-administrator").unwrap();
        let settings = [&["--algorithm=EdDSA", "--issuer=my platform"], settings].concat();
        let server = home.serve(&settings);
        let svc = register(&server).await;
        assert_eq!(server.stop().code(), Some(0));
        let file = database(&home.path("data"));
        file.execute("DROP TRIGGER key_thumbprints_changed", []).unwrap();
        let sql = "UPDATE clients SET document = substr(document, 1, 40) WHERE privileged = 1 \
                   RETURNING client_id";
        let admin: String = file.query_row(sql, [], |row| row.get(0)).unwrap();
        drop(file);

        let server = home.serve(&settings);
        let said = server.logged(|entry| entry["level"] == "ERROR");
        assert_eq!(said["client_id"], *admin, "{why}: {said}");
        let message = said["message"].as_str().unwrap();
        assert!(message.contains("latchkey admin reset") && message.contains("backup"), "{said}");
        token(&home, &server, (&svc.0, &svc.1)).text();
        assert_eq!(server.stop().code(), Some(0));

        home.run(&["admin", "reset", "--store=file:./data", "--client-id", &admin]).text();
        let (id, mut secret) = home.admin("data");
        assert_eq!(id, admin, "{why}");
        if why == "configured" {
            "of-the-administrator".clone_into(&mut secret);
        }
        let server = home.serve(&settings);
        token(&home, &server, (&id, &secret)).text();
        home.run(&["store", "check", "--store=file:./data"]).text();
    }
}

/// The page with the administrator, and one with the counts of quotas.
#[actix_web::test]
async fn a_damaged_page_does_not_keep_the_server_from_starting() {
    let home = Home::new();
    let settings = ["--algorithm=EdDSA", "--issuer=my platform", "--quota-per-day=1"];
    let server = home.serve(&settings);
    let svc = register(&server).await;
    token(&home, &server, (&svc.0, &svc.1)).text();
    assert_eq!(server.stop().code(), Some(0));
    let (admin, old) = home.admin("data");
    let file = database(&home.path("data"));
    // Large rows, so that the administrator is on a page of its own.
    for n in 0..9 {
        let sql = "INSERT INTO clients (client_id, updated_at, privileged, document) \
                   SELECT 'c' || ?1, updated_at, 0, json_set(document, '$.clientId', 'c' || ?1, \
                   '$.x', hex(zeroblob(1500))) FROM clients WHERE client_id = ?2";
        file.execute(sql, (n, &svc.0)).unwrap();
    }
    let sql =
        "INSERT INTO quotas VALUES ('c' || ?1, 'day', ?1, hex(zeroblob(400)), 99999999999, 1)";
    for n in 0..40 {
        file.execute(sql, [n]).unwrap();
    }
    drop(file);
    spoil_page_with(&home.path("data"), format!("\"clientId\":\"{admin}\""));
    // In the table: in its index no date follows.
    spoil_page_with(&home.path("data"), b"00000000\x00\x17\x48\x76\xe7\xff");

    let server = home.serve(&settings);
    let said = server.logged(|entry| entry["level"] == "ERROR" && entry["client_id"] == *admin);
    assert!(said["message"].as_str().unwrap().contains("admin reset"), "{said}");
    assert_eq!(server.stop().code(), Some(0));

    let named = home.run(&["admin", "reset", "--store=file:./data", "--client-id", &admin]);
    assert!(named.code == Some(1) && named.stderr.contains("damaged page"), "{named:?}");
    assert_eq!(home.admin("data"), (admin.clone(), old), "nothing is half done");
    home.run(&["admin", "reset", "--store=file:./data"]).text();
    let (id, secret) = home.admin("data");
    assert_ne!(id, admin, "that one cannot be written");
    let server = home.serve(&settings);
    token(&home, &server, (&id, &secret)).text();
}

#[test]
fn a_check_says_what_was_read_and_what_to_do() {
    let home = Home::new();
    let absent = home.run(&["store", "check", "--store", "file:none"]);
    assert!(absent.code == Some(1) && absent.stderr.contains("no store"), "{absent:?}");
    assert!(!home.path("none").exists());

    let server = home.serve(&[]);
    let good = home.run(&["store", "check", "--json"]).json();
    assert_eq!((&good["clients"], &good["problems"]), (&json!(1), &json!([])), "{good}");
    assert_eq!(good["signing_keys"], 1, "{good}");
    assert_eq!(server.stop().code(), Some(0));
    let sql = "UPDATE clients SET document = json_set(document, '$.quotaPerDay', 'many')";
    assert_eq!(database(&home.path("data")).execute(sql, []).unwrap(), 1);
    let bad = home.run(&["store", "check"]);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    let (admin, _) = home.admin("data");
    for word in [admin.as_str(), "quotaPerDay", "latchkey clients update"] {
        assert!(bad.stdout.contains(word), "{bad:?}");
    }
    assert!(bad.stderr.contains("1 clients") && bad.stderr.contains("one problem"), "{bad:?}");
    let bad = home.run(&["store", "check", "--json"]);
    let json: Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!((bad.code, &json["problems"][0]["kind"]), (Some(1), &json!("client")), "{bad:?}");
}

async fn documents_of_other_tools_fail_nothing(place: &Place) {
    let (database, url) = (place.database().await, place.url.clone().unwrap());
    let svc = |more| {
        let mut document =
            doc! { "clientId": "svc", "__STATE__": "PUBLIC", "updatedAt": DateTime::now() };
        document.extend::<mongodb::bson::Document>(more);
        document
    };
    let clients = [
        svc(doc! { "clientId": "good" }),
        svc(
            doc! { "clientId": "nulls", "audience": Bson::Null, "secrets": Bson::Null, "updatedAt": Bson::Null },
        ),
        svc(
            doc! { "clientId": "dates", "updatedAt": "2020-01-01", "createdAt": "2020-01-01T00:00:00Z" },
        ),
        svc(doc! { "clientId": "types", "quotaPerDay": "many", "secrets": 7, "tokenEpoch": "x" }),
        svc(doc! { "clientId": "dated", "_id": DateTime::now(), "version": "1" }),
        svc(doc! { "clientId": "keyed", "_id": { "system": "a" }, "version": "one" }),
        svc(doc! { "clientId": "flag", "_id": true, "version": true }),
        svc(doc! { "clientId": 7 }),
        svc(doc! { "clientId": Bson::Null }),
    ];
    let ids = ["dated", "dates", "flag", "good", "keyed", "nulls", "types"];
    let collection = database.collection::<mongodb::bson::Document>("clients");
    for client in clients {
        collection.insert_one(client).await.unwrap();
    }
    let revocations = database.collection::<mongodb::bson::Document>("revocations");
    let until = DateTime::from_millis(4_000_000_000_000);
    for (name, kind, until) in [
        ("token:nulls", Bson::Null, Bson::from(until)),
        ("token:dates", "token".into(), "2096-10-02".into()),
        ("token:types", 7.into(), "soon".into()),
    ] {
        let document = doc! { "_id": name, "kind": kind, "jti": name.replace("token:", ""), "until": until, "createdAt": DateTime::now() };
        revocations.insert_one(document).await.unwrap();
    }
    let audit = database.collection::<mongodb::bson::Document>("audit");
    audit.insert_one(doc! { "_id": "006b49d20000000001abcdefghij", "record": 7 }).await.unwrap();
    let keys = database.collection::<mongodb::bson::Document>("signing_keys");
    keys.insert_one(doc! { "_id": "odd", "jwk": Bson::Null, "publishedAt": "today" })
        .await
        .unwrap();

    let store: StoreUrl = url.parse().unwrap();
    let server = Server::on(latchkey::assembly::open_store(&store).unwrap(), |_| ()).await;
    let ready = server.get("/-/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}: a damaged revocation is not a newer one");
    let list = server.admin_get("/clients").await;
    let listed = list.body["clients"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(|it| it["client_id"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), ids.len() + 1, "with the administrator: {listed:?}");
    for id in ids {
        assert!(listed.contains(&id), "{id}: {listed:?}");
        let shown = server.admin_get(&format!("/clients/{id}")).await;
        assert_eq!((shown.status, &shown.body["client_id"]), (200, &json!(id)), "{shown:?}");
    }
    for jti in ["nulls", "dates", "types"] {
        let token = server.minted(&json!({ "jti": jti }));
        assert_eq!(server.tokeninfo(&token).await.status, 401, "{jti}: it is in force");
    }
    let found = check_store(&store, |_| ()).await.unwrap();
    assert_eq!(found.clients, 10, "{found:?}");
    assert!(said(&found, "client", "types").contains("quotaPerDay"));
    let nameless = found.problems.iter().filter(|it| it.what.contains("`clientId`")).count();
    assert_eq!(nameless, 2, "{found:?}");
    assert!(said(&found, "revocation", "token:nulls").contains("in force"));
    assert!(said(&found, "revocation", "token:types").contains("in force"));
    assert!(said(&found, "audit_record", "006b49d2").contains("shown as far"));
    assert!(said(&found, "signing_key", "odd").contains("cannot be read"));
    assert!(!found.problems.iter().any(|it| ["good", "index"].contains(&it.name.as_str())));

    let copy = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let copied = copy_store(&server.store, &copy, |_| ()).await.unwrap();
    assert_eq!(copied.clients, listed.len(), "{copied:?}");
    for id in ids {
        let path = format!("/clients/{id}");
        let renamed =
            server.admin(Method::PATCH, &path, &json!({ "client_name": "renamed" })).await;
        assert_eq!(
            (renamed.status, &renamed.body["client_name"]),
            (200, &json!("renamed")),
            "{id}"
        );
        let gone = server.admin(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(gone.status, 204, "{id}: {gone:?}");
        assert_eq!(server.admin_get(&path).await.status, 404, "{id}");
    }
    server.stop().await;
}
