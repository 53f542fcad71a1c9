//! The embedded store may accept an assertion before it is on the disk. After a power failure it
//! refuses what it may have accepted like that.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use latchkey::assembly::OpenStore;
use latchkey::config::Switch;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::jwk::Algorithm;
use latchkey::oauth::{AssertionDates, AssertionStore, AssertionUse};
use latchkey::store::EmbeddedStore;
use tempfile::TempDir;

use AssertionUse::{Again, First, InDoubt};

use crate::harness::{START, Server, client_key};

const NOW: u64 = 1_000;
/// How far a lease reaches, and so until when what is signed may be in doubt.
const REACH: u64 = NOW + 2;

/// The store in this folder, on a machine that was started at this time.
fn open(boot: &str, folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open_since(Some(boot.to_owned()), folder).unwrap()
}

/// Uses an assertion of this `jti` and these dates at that moment.
async fn used(
    store: &EmbeddedStore,
    jti: u8,
    iat: Option<u64>,
    exp: u64,
    now: u64,
) -> AssertionUse {
    let dates = AssertionDates {
        iat: iat.map(Timestamp),
        exp: Timestamp(exp),
        now: Timestamp(now),
        longest_life: Duration::from_secs(60),
    };
    let client = "svc".parse().unwrap();
    store.use_assertion(&client, [jti; 32], Timestamp(exp + 60), dates).await.unwrap()
}

/// What is in the files of a store now. If nothing was written since the disk was last waited for,
/// this is what a power failure leaves at least.
fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

#[tokio::test]
async fn after_a_power_failure_what_may_have_been_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open("first boot", folder.path());
    // The disk is waited for, because the lease is written with it.
    assert_eq!(used(&store, 1, Some(NOW), NOW + 60, NOW).await, First);
    let on_disk = copy(folder.path());
    for (jti, iat, exp) in [(2, NOW, NOW + 60), (3, NOW - 50, NOW + 1), (4, REACH, NOW + 60)] {
        assert_eq!(used(&store, jti, Some(iat), exp, NOW).await, First);
    }
    drop(store);

    let forgotten = copy(on_disk.path());
    let store = open("first boot", forgotten.path());
    assert_eq!(used(&store, 2, Some(NOW), NOW + 60, NOW).await, First, "it was not on the disk");
    drop(store);

    // Twice: who starts again, or fails again, does not come out of it.
    let (again, unknown) = (copy(on_disk.path()), copy(on_disk.path()));
    drop(open("second boot", again.path()));
    for (why, boot, folder) in [
        ("another boot", Some("second boot"), on_disk.path()),
        ("another start in it", Some("second boot"), again.path()),
        ("another boot after that", Some("third boot"), again.path()),
        ("a boot without a name", None, unknown.path()),
    ] {
        let store = EmbeddedStore::open_since(boot.map(str::to_owned), folder).unwrap();
        #[rustfmt::skip]
        let cases = [
            ("used, and on the disk",               1, Some(NOW),       NOW + 60,  InDoubt),
            ("used, and forgotten",                 2, Some(NOW),       NOW + 60,  InDoubt),
            ("the first one that was alive",        3, Some(NOW - 50),  NOW + 1,   InDoubt),
            ("the last one that was held",          4, Some(REACH),     NOW + 60,  InDoubt),
            ("signed since",                        5, Some(REACH + 1), NOW + 63,  First),
            ("the same again",                      5, Some(REACH + 1), NOW + 63,  Again),
            ("had ended before",                    6, Some(NOW - 60),  NOW,       First),
            ("without a date, was always written",  7, None,            NOW + 60,  First),
        ];
        for (what, jti, iat, exp, expected) in cases {
            let jti = jti + if why == "another boot after that" { 100 } else { 0 };
            assert_eq!(used(&store, jti, iat, exp, NOW + 3).await, expected, "{why}: {what}");
        }
        drop(store);
    }

    // It outlasts the next lease, and a clean stop.
    let store = open("second boot", on_disk.path());
    assert_eq!(used(&store, 8, Some(NOW + 9), NOW + 60, NOW + 9).await, First);
    assert_eq!(used(&store, 2, Some(NOW), NOW + 60, NOW + 9).await, InDoubt);
    drop(store);
    let store = open("second boot", on_disk.path());
    assert_eq!(used(&store, 2, Some(NOW), NOW + 60, NOW + 9).await, InDoubt);
    // All of them have ended: from the next lease on it is not remembered any more.
    assert_eq!(used(&store, 9, Some(NOW + 99), NOW + 150, NOW + 99).await, First);
    drop(store);
    let store = open("second boot", on_disk.path());
    assert_eq!(
        used(&store, 2, Some(NOW), NOW + 60, NOW + 9).await,
        First,
        "if the clock is set back"
    );
}

#[tokio::test]
async fn without_a_power_failure_nothing_is_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let store = open("first boot", folder.path());
    for jti in [1, 2] {
        assert_eq!(used(&store, jti, Some(NOW), NOW + 60, NOW).await, First);
    }
    let killed = copy(folder.path());
    drop(store);

    for (why, boot, folder) in [
        ("killed, the machine went on", "first boot", killed.path()),
        ("killed, and stopped cleanly since", "second boot", killed.path()),
        ("stopped cleanly, then started anew", "second boot", folder.path()),
    ] {
        let store = open(boot, folder);
        for jti in [1, 2] {
            assert_eq!(used(&store, jti, Some(NOW), NOW + 60, NOW).await, Again, "{why}");
        }
        drop(store);
    }
    let store = open("third boot", folder.path());
    assert_eq!(used(&store, 3, Some(NOW), NOW + 60, NOW).await, First);
}

#[tokio::test]
async fn a_lease_that_cannot_be_read_leaves_everything_signed_so_far_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    drop(open("first boot", folder.path()));
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let sql = "INSERT INTO meta (name, value) VALUES ('assertion_lease', x'ff')";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);

    let store = open("first boot", folder.path());
    let now = u64::try_from(mongodb::bson::DateTime::now().timestamp_millis() / 1000).unwrap();
    assert_eq!(used(&store, 1, Some(now), now + 60, now).await, InDoubt);
    assert_eq!(used(&store, 2, Some(now + 10), now + 60, now + 10).await, First, "signed since");
}

#[actix_web::test]
async fn a_client_is_told_to_sign_a_new_assertion() {
    let folder = tempfile::tempdir().unwrap();
    let key = client_key(Algorithm::ES256);
    let on = |store: EmbeddedStore| OpenStore::Embedded(Arc::new(store), folder.path().to_owned());
    let server = Server::on(on(open("first boot", folder.path())), |_| ()).await;
    let id = server.client_with_key(key).await;
    let accepted = server.assertion(&id, key);
    assert_eq!(server.token_by(&accepted, "").await.status, 200);
    let on_disk = copy(folder.path());
    let forgotten = server.assertion(&id, key);
    assert_eq!(server.token_by(&forgotten, "").await.status, 200);
    server.stop().await;

    let store = open("second boot", on_disk.path());
    let server = Server::on(on(store), |settings| settings.clients.throttle = Switch::On).await;
    for round in 0..20 {
        for assertion in [&accepted, &forgotten, &server.assertion(&id, key)] {
            let reply = server.token_by(assertion, "").await;
            assert_eq!((reply.status, reply.error()), (401, Some("invalid_client")), "{round}");
            let told = reply.text_of("error_description");
            assert!(told.ends_with("sign a new one"), "{round}: {reply:?}");
        }
    }
    server.clock.set(START + 3);
    assert_eq!(server.token_by(&server.assertion(&id, key), "").await.status, 200);
    server.stop().await;
}
