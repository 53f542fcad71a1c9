//! A store that an earlier version wrote opens as it stands.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{ADMIN, GRANT, Server, TestClock, store_in};

/// What version 0.1.0 wrote: an administrator that a start installed, two clients that registered
/// themselves, three that the administrator created, of which one was deleted and one regenerated,
/// revocations, and the records of all that.
const STORE: &str = include_str!("fixtures/store-v2.sql");
/// The time at which it was written, and a minute.
const THEN: u64 = 1_796_053_220;

const INSTALLED: &str = "CHHRKieLqKFCpLCkvIAnhlQQnRbYWEkX";
const WITH_SECRET: &str = "YKjOjJVYYryxrFfLkhlPzvfhMKSEczvj";
const WITH_KEY: &str = "qSsTpPmoNjbBdIkCRefruSfqVwXiWHAt";
const CREATED: (&str, &str) = (
    "HDcQreEQLsyMjaOeSGQcujDULtwacBWS",
    "lk_ZiwJKdPjwY2vvEOOAdkDluNwRxta5vTIvh4HBn0nsnqxpBI1zzD7ulQjT55hA",
);
const REGENERATED: (&str, &str) = (
    "uGIhlKWkQOTTCgDFsILwnYYvQwfqMzEi",
    "lk_LxDEUep67EY0UdiZBmyalPndkgihunPUdstVRnrkWpqcYXnaYk4A1MIGMB6iZ",
);
const DELETED: &str = "pxXrWPqOEZSvcgWRtunVJAUxOLQmSWoU";

#[tokio::test(flavor = "multi_thread")]
async fn what_version_0_1_0_wrote_is_read_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(folder.path().join("latchkey.db")).unwrap();
    file.execute_batch(STORE).unwrap();
    drop(file);
    let clock = Arc::new(TestClock::default());
    clock.set(THEN);
    let server = Server::at(clock, store_in(folder.path()).await, |_| ()).await;
    // The server has other keys than the one that wrote the store.
    server.clock.advance(Duration::from_secs(61));
    server.app.feed.look().await.unwrap();

    #[rustfmt::skip]
    let clients = [
        // client id      who created it     who changed it last  state
        (INSTALLED,      "latchkey:server", "public",            "DRAFT"),
        (WITH_SECRET,    "public",          INSTALLED,           "PUBLIC"),
        (WITH_KEY,       "public",          WITH_KEY,            "PUBLIC"),
        (CREATED.0,      INSTALLED,         INSTALLED,           "PUBLIC"),
        (REGENERATED.0,  INSTALLED,         INSTALLED,           "PUBLIC"),
    ];
    for (id, creator, updater, state) in clients {
        let shown = server.admin_get(&format!("/clients/{id}")).await.body;
        let said = (&shown["creatorId"], &shown["updaterId"], &shown["__STATE__"]);
        assert_eq!(said, (&json!(creator), &json!(updater), &json!(state)), "{shown}");
    }
    assert_eq!(server.admin_get(&format!("/clients/{DELETED}")).await.status, 404);
    for client in [CREATED, REGENERATED] {
        assert_eq!(server.token(Some(client), GRANT).await.status, 200, "{}", client.0);
    }

    #[rustfmt::skip]
    let actors = [
        // actor            what it did
        ("latchkey:server", &["admin.ended", "admin.installed", "admin.installed"][..]),
        (WITH_SECRET,       &["client.registered"]),
        (WITH_KEY,          &["client.updated", "client.registered"]),
        (ADMIN.0,           &[]),
    ];
    for (actor, actions) in actors {
        let told = server.admin_get(&format!("/audit?actor={actor}")).await.body;
        let told = told["records"].as_array().unwrap();
        // The hashes of that version are replaced once their secrets were shown, in the background.
        let told =
            told.iter().map(|record| &record["action"]).filter(|it| *it != "secret.rehashed");
        let told: Vec<&Value> = told.collect();
        assert_eq!(told, actions, "{actor}");
    }
}
