//! `latchkey clients import`: from files and from databases, into a server that runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Client, Collection};
use serde_json::{Value, json};

use crate::command_line::{Home, Ran, Running, token};
use crate::databases::Kind;

/// A server that clients move to, and a key of a client that moves.
struct Move {
    home: Home,
    server: Running,
    jwk: Value,
}

impl Move {
    fn begin() -> Self {
        let home = Home::new();
        let server = home.serve(&["--algorithm=EdDSA"]);
        let jwk = home.run(&["keypair", "--out", "my.key", "--algorithm", "ES256"]).json();
        Self { home, server, jwk }
    }

    fn clients(&self, args: &[&str]) -> Ran {
        self.home.run(&[&["clients"], args, &["--issuer", &self.server.url]].concat())
    }

    /// What became of each client, as the lines say.
    fn import(&self, args: &[&str]) -> (Ran, Vec<Value>) {
        let ran = self.clients(&[&["import", "--json"], args].concat());
        let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (ran, lines)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.home.path(name), text).unwrap();
    }

    fn token_by_key(&self, id: &str) -> Ran {
        let args = ["token", "--issuer", &self.server.url, "--client-id", id, "--key", "my.key"];
        self.home.run(&args)
    }

    fn count(&self) -> usize {
        self.clients(&["list", "--json"]).text().lines().count()
    }

    /// A document with a key, as that platform keeps it.
    fn keyed(&self, id: &str) -> Value {
        json!({
            "clientId": id, "name": "with a key", "permissions": ["read:orders"], "audience": [],
            "authMethod": "private_key_jwt", "publicKey": self.jwk, "__STATE__": "PUBLIC",
        })
    }
}

/// A document with a secret, of which nothing is in it.
fn secret(id: &str) -> Value {
    json!({
        "clientId": id, "name": "with a secret", "permissions": [], "audience": null,
        "authMethod": "client_secret_basic", "__STATE__": "PUBLIC",
    })
}

/// Each client and what became of it, by name: batches are told when they are through, what needs
/// no server before.
fn outcomes(lines: &[Value]) -> Vec<(&str, &str)> {
    let mut found: Vec<_> = lines.iter().map(pair).collect();
    found.sort_unstable();
    found
}

fn pair(line: &Value) -> (&str, &str) {
    (line["client_id"].as_str().unwrap_or("-"), line["outcome"].as_str().unwrap())
}

#[actix_web::test]
async fn mia_platform_s_clients_from_a_file() {
    let moving = Move::begin();
    let mut hashed = secret("hashed");
    hashed["secrets"] = json!([{ "hash": bcrypt::hash("hunter2", 4).unwrap() }]);
    let keyed = json!({
        "_id": { "$oid": "65f0c0ffee65f0c0ffee65f0" },
        "createdAt": { "$date": "2024-01-02T03:04:05Z" },
        "lastLogin": { "$date": { "$numberLong": "1735786245000" } },
    });
    let mut document = moving.keyed("keyed");
    document.as_object_mut().unwrap().extend(keyed.as_object().unwrap().clone());
    let lines = [
        document.to_string(),
        secret("secret").to_string(),
        "this is no JSON".to_owned(),
        hashed.to_string(),
        String::new(),
        secret("secret").to_string(),
        json!({ "name": "nobody" }).to_string(),
    ];
    moving.write("clients.json", &lines.join("\n"));

    let expected = [
        ("-", "refused"),
        ("-", "refused"),
        ("hashed", "imported"),
        ("keyed", "imported"),
        ("secret", "exists"),
        ("secret", "imported_with_new_secret"),
    ];

    let (tried, lines) = moving.import(&["clients.json", "--dry-run", "--secrets", "new.jsonl"]);
    assert_eq!(outcomes(&lines), expected, "{tried:?}");
    assert_eq!(tried.code, Some(1));
    assert!(tried.stderr.contains("nothing was done") && !moving.home.path("new.jsonl").exists());
    assert_eq!(moving.count(), 1, "the administrator");

    let (done, lines) = moving.import(&["clients.json", "--secrets", "new.jsonl"]);
    assert_eq!(outcomes(&lines), expected, "{done:?}");
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("2 of 6 clients were not imported"), "{done:?}");
    assert!(
        lines.iter().any(|line| line["reason"].as_str().is_some_and(|why| why.contains("line 3")))
    );
    assert!(!done.stdout.contains("client_secret"), "{done:?}");

    assert_eq!(moving.home.mode("new.jsonl"), 0o600);
    let kept = fs::read_to_string(moving.home.path("new.jsonl")).unwrap();
    let new: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((new.len(), &new[0]["client_id"]), (1, &json!("secret")));
    let new = new[0]["client_secret"].as_str().unwrap();
    token(&moving.home, &moving.server, ("secret", new)).text();
    token(&moving.home, &moving.server, ("hashed", "hunter2")).text();
    moving.token_by_key("keyed").text();

    let there = moving.import(&["clients.json", "--secrets", "new.jsonl"]).0;
    assert!(there.code == Some(1) && there.stderr.contains("cannot be made"), "{there:?}");
    let (_, again) = moving.import(&["clients.json"]);
    let all_there = |(_, what): &(&str, &str)| ["exists", "refused"].contains(what);
    assert!(outcomes(&again).iter().all(all_there), "{again:?}");
    token(&moving.home, &moving.server, ("secret", new)).text();
}

#[actix_web::test]
async fn a_table_shows_the_new_secrets() {
    let moving = Move::begin();
    moving.write("clients.json", &json!([secret("a"), moving.keyed("b")]).to_string());
    let ran = moving.clients(&["import", "clients.json"]);
    let rows: Vec<&str> = ran.text().lines().collect();
    assert!(rows[0].starts_with("CLIENT ID") && rows.len() == 3, "{ran:?}");
    let new = rows[1].split_whitespace().last().unwrap();
    token(&moving.home, &moving.server, ("a", new)).text();
    assert!(ran.stderr.contains("2 clients: 1 imported, 1 imported with a new secret"), "{ran:?}");

    moving.write("piped.json", &json!([secret("c")]).to_string());
    let piped = fs::read_to_string(moving.home.path("piped.json")).unwrap();
    let args = ["clients", "import", "-", "--json", "--issuer", &moving.server.url];
    assert_eq!(moving.home.run_with(&args, &[], &piped).json()["client_id"], "c");
}

#[actix_web::test]
async fn keycloak_s_clients() {
    let moving = Move::begin();
    let jwks = json!({ "keys": [moving.jwk] }).to_string();
    let realm = json!({
        "realm": "platform",
        "clients": [
            { "clientId": "account", "clientAuthenticatorType": "client-secret",
              "serviceAccountsEnabled": false, "enabled": true },
            { "clientId": "kept", "name": "Kept", "clientAuthenticatorType": "client-secret",
              "serviceAccountsEnabled": true, "enabled": true, "secret": "correct horse" },
            { "clientId": "masked", "clientAuthenticatorType": "client-secret",
              "serviceAccountsEnabled": true, "enabled": true, "secret": "**********" },
            { "clientId": "keyed", "clientAuthenticatorType": "client-jwt",
              "serviceAccountsEnabled": true, "enabled": true, "attributes": { "jwks.string": jwks } },
            { "clientId": "remote", "clientAuthenticatorType": "client-jwt",
              "serviceAccountsEnabled": true, "enabled": true,
              "attributes": { "jwks.url": "https://a.test/jwks" } },
        ],
    });
    moving.write("realm.json", &realm.to_string());

    let (ran, lines) = moving.import(&["realm.json"]);

    assert_eq!(
        outcomes(&lines),
        [
            ("account", "skipped"),
            ("kept", "imported"),
            ("keyed", "imported"),
            ("masked", "imported_with_new_secret"),
            ("remote", "refused"),
        ],
        "{ran:?}"
    );
    token(&moving.home, &moving.server, ("kept", "correct horse")).text();
    moving.token_by_key("keyed").text();
}

#[actix_web::test]
async fn hydra_s_clients() {
    let moving = Move::begin();
    let page = json!({ "items": [
        { "client_id": "keyed", "client_name": "orders", "grant_types": ["client_credentials"],
          "scope": "a b", "audience": ["orders"], "token_endpoint_auth_method": "private_key_jwt",
          "jwks": { "keys": [moving.jwk] }, "created_at": "2024-01-02T03:04:05Z" },
        { "client_id": "web", "grant_types": ["authorization_code"] },
    ], "next_page_token": "" });
    moving.write("hydra.json", &page.to_string());

    let (ran, lines) = moving.import(&["hydra.json"]);

    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(outcomes(&lines), [("keyed", "imported"), ("web", "skipped")]);
    moving.token_by_key("keyed").text();
    let shown = moving.clients(&["show", "keyed"]).json();
    assert_eq!((&shown["scope"], &shown["audience"]), (&json!("a b"), &json!(["orders"])));
}

#[actix_web::test]
async fn what_is_no_source_is_explained_without_its_password() {
    let moving = Move::begin();
    moving.write("empty.json", "");
    for (source, said) in [
        ("absent.json", "cannot read `absent.json`"),
        ("postgres://u:hunter2@h/db", "a source is a file or mongodb://"),
        ("mongodb://u:hunter2@127.0.0.1:1/db", "does not answer"),
        ("mongodb://u:hunter2@127.0.0.1:1", "names no database"),
    ] {
        let ran = moving.clients(&["import", source]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("hunter2"), "{ran:?}");
    }
    moving.write("list.json", "[]");
    for empty in ["empty.json", "list.json"] {
        let nothing = moving.clients(&["import", empty, "--secrets", "secrets.json"]);
        assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), ""), "{nothing:?}");
        assert!(nothing.stderr.contains("the source has no clients"), "{nothing:?}");
        assert_eq!(nothing.stderr.lines().count(), 1, "the failure alone: {nothing:?}");
        assert!(!moving.home.path("secrets.json").exists());
    }
    let deep = json!({ "clientId": "deep", "metadata": { "a": 1 } }).to_string();
    let deep = deep.replace("1}", &format!("{}{}}}", "[".repeat(500), "]".repeat(500)));
    moving.write("deep.json", &format!("[{deep},{}]", secret("good")));
    let (_, lines) = moving.import(&["deep.json"]);
    assert_eq!(outcomes(&lines), [("deep", "refused"), ("good", "imported_with_new_secret")]);
}

/// Everything in the collection, and its indexes.
async fn state_of(collection: &Collection<Document>) -> (Vec<Document>, Vec<String>) {
    let documents = collection.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
    let names = collection.list_index_names().await.unwrap_or_default();
    (documents.try_collect().await.unwrap(), names)
}

/// From the platform's own collection: a thousand clients, which stay as they are.
async fn moves_from(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let moving = Move::begin();
    let url = database.fresh_database();
    let client = Client::with_uri_str(&url).await.unwrap();
    let database = client.default_database().unwrap();
    let collection = database.collection::<Document>("clients");
    let bson = |value: Value| match Bson::try_from(value).unwrap() {
        Bson::Document(document) => document,
        other => panic!("{other}"),
    };
    let mut documents: Vec<Document> =
        (0..997).map(|number| bson(moving.keyed(&format!("client{number}")))).collect();
    documents.extend((0..3).map(|number| bson(secret(&format!("secret{number}")))));
    for some in documents.chunks(200) {
        collection.insert_many(some).await.unwrap();
    }
    let others = database.collection::<Document>("other_clients");
    others.insert_one(bson(moving.keyed("other"))).await.unwrap();
    let before = state_of(&collection).await;
    assert_eq!(before.0.len(), 1000);

    let (ran, lines) = moving.import(&[&url, "--secrets", "new.jsonl"]);

    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("1000 clients: 997 imported, 3 imported with a new secret"),
        "{}",
        ran.stderr
    );
    assert_eq!((lines.len(), moving.count()), (1000, 1001));
    for id in ["client0", "client500", "client996"] {
        moving.token_by_key(id).text();
    }
    let kept = fs::read_to_string(moving.home.path("new.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), 3);
    let mode = fs::metadata(moving.home.path("new.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(state_of(&collection).await, before, "it is only read");
    let names = database.list_collection_names().await.unwrap();
    assert_eq!(names.len(), 2, "nothing was made beside them: {names:?}");

    let sign = if url.contains('?') { '&' } else { '?' };
    let (ran, lines) = moving.import(&[&format!("{url}{sign}collection=other_clients")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(outcomes(&lines), [("other", "imported")]);
    moving.token_by_key("other").text();
    let (_, again) = moving.import(&[&url]);
    assert!(outcomes(&again).iter().all(|(_, what)| *what == "exists"));
}

#[actix_web::test]
async fn mia_platform_s_clients_from_mongodb() {
    moves_from(Kind::MongoDb).await;
}

#[actix_web::test]
async fn mia_platform_s_clients_from_nx_27017() {
    moves_from(Kind::Nx27017).await;
}

#[actix_web::test]
async fn mia_platform_s_clients_from_ferretdb() {
    moves_from(Kind::FerretDb).await;
}
