//! What only the store in a folder promises.

use std::fs;

use futures_util::future::join_all;
use latchkey::clients::{ClientRepository, Inserted, SharedFacts};
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::oauth::AssertionStore;
use latchkey::store::{EmbeddedStore, OpenError, Store};
use mongodb::bson::{Bson, doc};

use crate::store_contract::audit_record;

fn client(id: &str) -> Client {
    Client::new(id.parse().unwrap(), id.to_owned(), AuthMethod::default(), Timestamp(1))
}

#[tokio::test]
async fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(folder.path()).unwrap();
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(OpenError::Locked(_))));

    drop(first);
    assert!(EmbeddedStore::open(folder.path()).is_ok(), "the lock ends with its holder");
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Yes);
    assert!(store.use_once(&client("svc").id, [7; 32], Timestamp(9)).await.unwrap());
    store.agree("pepper", b"salt").await.unwrap();
    drop(store);

    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert_eq!(store.read(&client("svc").id).await.unwrap().unwrap().name, "svc");
    assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Duplicate);
    assert!(!store.use_once(&client("svc").id, [7; 32], Timestamp(9)).await.unwrap());
    assert_eq!(store.agreed("pepper").await.unwrap().unwrap(), b"salt");
}

/// What `kill -9` leaves: the files as they are while the store is open.
#[tokio::test]
async fn what_was_answered_is_there_after_a_kill() {
    let (alive, found) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = EmbeddedStore::open(alive.path()).unwrap();
    assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Yes);
    for file in fs::read_dir(alive.path()).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), found.path().join(file.file_name())).unwrap();
    }

    let store = EmbeddedStore::open(found.path()).unwrap();
    assert!(store.read(&client("svc").id).await.unwrap().is_some());
}

/// The log is moved into the database beside the writes, so it does not grow with them.
#[tokio::test]
async fn the_log_of_writes_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let size = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
    let id = client("svc").id;
    let mut number = 0_u64;
    // Until much more was written than the log may hold: 32 MiB, and what comes meanwhile.
    while number < 20_000 {
        let uses = (0..256).map(|_| {
            number += 1;
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            store.use_once(&id, digest, Timestamp(number))
        });
        assert!(join_all(uses).await.into_iter().all(|first| first.unwrap()));
        assert!(size("latchkey.db-wal") < 48 << 20, "after {number}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(folder.path()).unwrap());
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    database.pragma_update(None, "user_version", 3).unwrap();
    drop(database);

    let refused = EmbeddedStore::open(folder.path());
    assert!(matches!(refused, Err(OpenError::Newer { found: 3, .. })));
}

#[tokio::test]
async fn a_secret_that_is_none_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let odd = |name: &str, secrets: Bson| doc! { "clientId": name, "secrets": secrets };
    let documents = vec![
        odd("list", Bson::from(vec![Bson::from("text"), Bson::from(7), Bson::Null])),
        odd("text", Bson::from("text")),
        odd("flag", Bson::from(vec![doc! { "checksummed": "true" }])),
    ];
    assert_eq!(store.import(documents).await.unwrap().new, 3);
    assert!(!store.has_checksummed_secrets().await.unwrap());
    let ours = odd("ours", Bson::from(vec![doc! { "checksummed": true }]));
    assert_eq!(store.import(vec![ours]).await.unwrap().new, 1);
    assert!(store.has_checksummed_secrets().await.unwrap());
}

#[tokio::test]
async fn what_could_not_be_read_again_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let poison = doc! { "clientId": "poison", "metadata": { "id": { "$oid": "no hex" } } };
    let taken = store.import(vec![poison, doc! { "clientId": "good" }]).await.unwrap();
    assert_eq!((taken.new, taken.left_out), (1, vec!["poison".to_owned()]));
    assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Yes);
    assert_eq!(store.export(None).await.unwrap().documents.len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_the_operators_alone() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let lax = parent.path().join("lax");
    fs::create_dir(&lax).unwrap();
    fs::set_permissions(&lax, fs::Permissions::from_mode(0o755)).unwrap();
    for folder in [parent.path().join("new"), lax] {
        let existed = folder.exists();
        let store = EmbeddedStore::open(&folder).unwrap();
        assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Yes);
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), if existed { 0o755 } else { 0o700 });
        for file in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        }
    }
}
