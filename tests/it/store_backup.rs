//! `latchkey store backup`: a copy that holds what was answered before, while the server writes.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use latchkey::domain::clock::SystemClock;
use rusqlite::Connection;
use serde_json::Value;

use crate::command_line::Home;
use crate::load::{Call, Load, http, token_by_secret, tokeninfo};
use crate::program::{Program, free_address};

/// They write, and as fast as they can.
const WRITERS: &[Call] = &[Call::Register, Call::Register, Call::Register, Call::Revoke];

fn run(folder: &std::path::Path, args: &[&str]) -> Output {
    let mut latchkey = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    latchkey.current_dir(folder).args(args).output().unwrap()
}

/// As the manual has it: back up, lose the store, restore, end the tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_store_is_backed_up_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let address = free_address();
    let url = format!("http://{address}");
    let start = || Program::start_as(&url, path, address, &[]);
    let program = start();
    let load = Load::prepare(WRITERS, Duration::ZERO, &url, Arc::new(SystemClock)).await;
    let http = http();
    let mut before = Vec::new();
    let mut issued = String::new();
    let meanwhile = async {
        load.more(&[(Call::Register, 201, 20), (Call::Revoke, 200, 5)]).await;
        before = load.ledger.clients.lock().unwrap().clone();
        issued = token(&http, &url, &before[0]).await;
        let output = tokio::task::block_in_place(|| run(path, &["store", "backup", "kept.db"]));
        assert!(output.status.success(), "{output:?}");
        load.more(&[(Call::Register, 201, 5)]).await;
        program.kill();
    };
    load.during(std::slice::from_ref(&url), meanwhile).await;
    assert_eq!(load.count(Call::Register, 503), 0, "nobody was held up");
    drop(program);

    let copy = Connection::open(path.join("kept.db")).unwrap();
    let said: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    drop(copy);
    assert!(!path.join("kept.db-wal").exists(), "it is one file");
    for file in ["latchkey.db", "latchkey.db-wal", "latchkey.db-shm"] {
        let _ = fs::remove_file(path.join("data").join(file));
    }
    fs::copy(path.join("kept.db"), path.join("data/latchkey.db")).unwrap();
    let _restored = start();
    for pair in &before {
        assert_eq!(token_by_secret(&http, &url, pair).await, Some(200), "{}", pair.0);
    }
    assert_eq!(tokeninfo(&http, &url, &issued).await, Some(200));
    let now = now_in_seconds();
    let args = ["revoke", "--issuer", &url, "--all", "--before", &now, "--yes"];
    let output = tokio::task::block_in_place(|| run(path, &args));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(tokeninfo(&http, &url, &issued).await, Some(401));
}

/// The time, as seconds since the epoch.
fn now_in_seconds() -> String {
    use latchkey::domain::clock::Clock;
    SystemClock.now().0.to_string()
}

async fn token(http: &reqwest::Client, url: &str, (id, secret): &(String, String)) -> String {
    let form = [("grant_type", "client_credentials")];
    let request = http.post(format!("{url}/oauth/token")).basic_auth(id, Some(secret)).form(&form);
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_backup_replaces_nothing_unasked_and_is_private() {
    let home = Home::new();
    let absent = home.run(&["store", "backup", "kept.db"]);
    assert!(absent.code == Some(1) && absent.stderr.contains("no store"), "{absent:?}");
    let server = home.serve(&[]);
    let made = home.run(&["store", "backup", "kept.db"]);
    assert!(made.code == Some(0) && made.stderr.contains("holds 1 clients"), "{made:?}");
    assert_eq!(home.mode("kept.db"), 0o600);

    fs::write(home.path("kept.db"), "precious").unwrap();
    let refused = home.run(&["store", "backup", "kept.db"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(fs::read(home.path("kept.db")).unwrap(), b"precious");
    assert_eq!(home.run(&["store", "backup", "kept.db", "--force"]).code, Some(0));
    assert_eq!(home.mode("kept.db"), 0o600);
    let copy = Connection::open(home.path("kept.db")).unwrap();
    let count = copy.query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0));
    assert_eq!(count, Ok(1));
    drop(copy);

    let itself = home.run(&["store", "backup", "data/latchkey.db", "--force"]);
    assert!(itself.code == Some(1) && itself.stderr.contains("the store itself"), "{itself:?}");
    assert_eq!(server.stop().code(), Some(0), "nothing happened to it");
    let left = |folder: &str| -> Vec<String> {
        let files = fs::read_dir(home.path(folder)).unwrap().map(Result::unwrap);
        let names = files.map(|file| file.file_name().into_string().unwrap());
        names.filter(|name| name.contains("draft")).collect()
    };
    assert_eq!((left("."), left("data")), (vec![], vec![]));
    let mongo = home.run(&["store", "backup", "x.db", "--store", "mongodb://127.0.0.1:9/latchkey"]);
    assert!(mongo.code == Some(1) && mongo.stderr.contains("mongodump"), "{mongo:?}");
}
