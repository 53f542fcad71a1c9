//! What cannot be written because a page of the database is damaged is in the log, and once: not again
//! for each round of what is tried again and again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use latchkey::audit::{AuditQuery, AuditTrail, Recorder};
use latchkey::clients::rehash::Rehash;
use latchkey::clients::{ClientRepository, Upkeep};
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::secret::ClientSecret;
use latchkey::hashing::SlowHashes;
use latchkey::oauth::{AssertionStore, HashUpgrade};
use latchkey::store::EmbeddedStore;
use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;

use crate::damaged_pages::{NOW, damaged, spoiled_trail, trail};
use crate::harness::TestClock;
use crate::store_check::spoil_page_with;
use crate::store_contract::{audit_record, client, id, login, secret};

/// How often everything is tried.
const ROUNDS: usize = 3;

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// From here until the guard is dropped.
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// How many lines have all of these words.
    fn lines(&self, words: &[&str]) -> usize {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

#[tokio::test]
async fn sweeps_log_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let (svc, jti) = (id("svc"), [7; 32]);
    assert!(store.use_once(&svc, jti, Timestamp(0x0102_0304)).await.unwrap());
    let records = trail(&store).await;
    drop(store);
    spoil_page_with(folder.path(), [&jti[..], &[1, 2, 3, 4]].concat());
    spoil_page_with(folder.path(), format!("\"id\":\"{}\"", records[100].id));

    let store = EmbeddedStore::open(folder.path()).unwrap();
    let (log, _guard) = Log::start();
    for _ in 0..ROUNDS {
        assert_eq!(store.sweep(NOW, 1000).await.unwrap(), 0);
        store.sweep_audit(NOW, 1000).await.unwrap();
    }
    for table in ["used_assertions", "audit"] {
        let words = ["ERROR", &format!("table=\"{table}\""), "store copy"];
        assert_eq!(log.lines(&words), 1, "{table}");
    }
}

#[tokio::test]
async fn a_record_that_is_lost_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, records, bad) = spoiled_trail(folder.path()).await;
    let (log, _guard) = Log::start();
    for _ in 0..ROUNDS {
        store.records(&AuditQuery { limit: 1000, ..AuditQuery::default() }).await.unwrap();
    }
    assert_eq!(log.lines(&["ERROR", &bad, "damaged page"]), 1);
    assert_eq!(log.lines(&[&records[0].id]), 0);
}

#[tokio::test]
async fn a_login_that_is_lost_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lost) = damaged(folder.path()).await;
    let (log, _guard) = Log::start();
    for round in 0..ROUNDS as u64 {
        let at = Timestamp(NOW.0 + round);
        let logins: Vec<_> = lost.iter().chain([&id("last")]).map(|it| login(it, at)).collect();
        store.write_logins(&logins).await.unwrap();
    }
    for it in &lost {
        let words = ["ERROR", "last login", &format!("client_id=\"{it}\"")];
        assert_eq!(log.lines(&words), 1, "{it}");
    }
    assert_eq!(log.lines(&["last login"]), lost.len());
}

#[tokio::test]
async fn a_hash_that_cannot_be_replaced_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let secrets = || vec![secret("s", true)];
    // Enough for several pages of the index of when they were changed.
    let clients: Vec<Client> =
        (0..1500).map(|n| Client { secrets: secrets(), ..client(&format!("c{n}")) }).collect();
    let records: Vec<_> = clients.iter().map(|_| audit_record()).collect();
    let added = clients.iter().zip(&records).map(|(client, record)| store.insert(client, record));
    assert!(join_all(added).await.iter().all(Result::is_ok));
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let sql = "SELECT client_id, updated_at FROM clients WHERE seq = 10";
    let (bad, at): (String, i64) =
        file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    drop(file);
    // In the index a row follows the date.
    spoil_page_with(folder.path(), [&at.to_be_bytes()[2..], &[10]].concat());

    let store = Arc::new(EmbeddedStore::open(folder.path()).unwrap());
    let (log, _guard) = Log::start();
    let (hashes, recorder) = (SlowHashes::for_this_machine(), Arc::new(Recorder::default()));
    let clock = Arc::new(TestClock::default());
    let rehash = Rehash::new(store.clone(), hashes, recorder, clock);
    for round in 0..ROUNDS {
        // One that can be replaced, in between.
        for it in [&bad, &format!("c{}", 1499 - round)] {
            let presented = ClientSecret::from("x".to_owned());
            rehash.upgrade(&id(it), &secrets()[0], &presented);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    assert_eq!(log.lines(&["WARN", "hash", &format!("client_id={bad}")]), 1);
    for round in 0..ROUNDS {
        assert_eq!(log.lines(&["replaced", &format!("client_id=c{}", 1499 - round)]), 1);
    }
}
