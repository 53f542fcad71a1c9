//! What is said of credentials: when each was last used, which end soon, which may go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::assembly::OpenStore;
use latchkey::audit::AuditQuery;
use latchkey::clients::logins;
use latchkey::domain::client::Client;
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::credential::Credential;
use latchkey::domain::id::CredentialId;
use latchkey::domain::jwk::Algorithm;
use latchkey::store::MongoStore;
use serde_json::{Value, json};

use crate::databases::Kind;
use crate::harness::{GRANT, START, Server, TestClock, client_key, store_in};
use crate::store_contract::{audit_record, id};

const DAY: u64 = 86_400;
/// How long the background may take, with room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the answer is right.
async fn until<T: std::fmt::Debug>(
    mut ask: impl AsyncFnMut() -> T,
    right: impl Fn(&T) -> bool,
) -> T {
    let began = Instant::now();
    loop {
        let found = ask().await;
        if right(&found) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "still: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets time go by, and signing keys be renewed after it.
async fn go_to(server: &Server, at: u64) {
    server.clock.set(at);
    server.app.feed.look().await.unwrap();
}

/// Changes a client as an administrator's tool would.
async fn change(server: &Server, name: &str, change: impl Fn(&mut Client)) {
    let store = server.store.store();
    let old = store.read(&id(name)).await.unwrap().unwrap();
    let mut new = old.clone();
    change(&mut new);
    assert!(server.app.clients.repository.replace(&old, &new, &audit_record()).await.unwrap());
}

async fn said(server: &Server) -> Vec<Value> {
    let action = Some("credential.expiring".to_owned());
    let query = AuditQuery { action, limit: 100, ..AuditQuery::default() };
    let records = server.app.audit_trail.records(&query).await.unwrap();
    records.iter().map(|record| serde_json::to_value(record).unwrap()).collect()
}

#[actix_web::test]
async fn each_credential_is_noted_by_the_day() {
    let server = Server::start().await;
    let (by_secret, secret) = server.client_with_secret().await;
    let key = client_key(Algorithm::EdDSA);
    let by_key = server.client_with_key(key).await;
    let credential = async |name: &str, kind: &str| {
        server.admin_get(&format!("/clients/{name}")).await.body[kind][0].clone()
    };
    assert_eq!(credential(&by_secret, "secrets").await["last_used_at"], Value::Null);

    go_to(&server, START + DAY).await;
    assert_eq!(server.token(Some((&by_secret, &secret)), GRANT).await.status, 200);
    assert_eq!(server.token_by(&server.assertion(&by_key, key), "").await.status, 200);
    let today = (START + DAY) / DAY * DAY;
    for (name, kind) in [(&by_secret, "secrets"), (&by_key, "keys")] {
        let used = |found: &Value| found["last_used_at"] == today;
        let found = until(async || credential(name, kind).await, used).await;
        assert_eq!((&found["state"], &found["safe_to_remove"]), (&json!("active"), &json!(false)));
        assert_eq!(found.get("expires_within_days"), None);
    }
    let before = server.document(&by_secret).await;
    let wrong = server.token(Some((&by_secret, "wrong")), GRANT).await;
    assert_eq!(wrong.status, 401);
    logins::flush(&server.app.clients.logins, &*server.app.health.store).await.unwrap();
    assert_eq!(server.document(&by_secret).await, before, "a failure is no use");
}

#[actix_web::test]
async fn what_ends_soon_is_said_once_for_each_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let (name, _) = server.client_with_secret().await;
    let end = START + 40 * DAY;
    change(&server, &name, |client| client.secrets[0].expires = Some(Timestamp(end))).await;
    let credential = server.admin_get(&format!("/clients/{name}")).await.body["secrets"][0].clone();
    assert_eq!(
        (&credential["expires_at"], credential.get("expires_within_days")),
        (&json!(end), None)
    );

    let mut expected = Vec::new();
    for (days_left, within) in
        [(31, None), (30, Some(30)), (29, None), (7, Some(7)), (6, None), (1, Some(1))]
    {
        server.clock.set(end - days_left * DAY);
        expected.extend(within);
        let count = expected.len();
        let records = until(async || said(&server).await, |said| said.len() == count).await;
        let told: Vec<_> =
            records.iter().rev().map(|it| it["after"]["within_days"].clone()).collect();
        assert_eq!(told, expected, "{days_left} days left");
        if within.is_some() {
            assert_eq!(records[0]["at"], end - days_left * DAY);
            assert_eq!(records[0]["actor"], "latchkey:server");
            assert_eq!(records[0]["client_id"], *name);
            assert_eq!(records[0]["after"]["credential_id"], credential["id"]);
            assert_eq!(records[0]["after"]["expires_at"], end);
        }
    }
    let metrics = until(
        async || server.get("/-/metrics").await.text,
        |text| text.contains("latchkey_credentials_expiring{within_days=\"1\"} 1\n"),
    )
    .await;
    for days in [7, 30] {
        let line = format!("latchkey_credentials_expiring{{within_days=\"{days}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    let ids: Vec<_> = said(&server).await.iter().map(|it| it["id"].clone()).collect();
    let clock = server.clock.clone();
    server.stop().await;

    // After a restart it is not said again, and after its end it is not expiring any more.
    clock.advance(Duration::from_secs(3 * 3600));
    let server = Server::at(clock, store_in(folder.path()).await, |_| ()).await;
    until(async || server.app.clients.watch.found(), |found| found.expiring == [1, 1, 1]).await;
    let again: Vec<_> = said(&server).await.iter().map(|it| it["id"].clone()).collect();
    assert_eq!(again, ids);
    server.clock.set(end);
    until(async || server.app.clients.watch.found(), |found| found.expiring == [0, 0, 0]).await;
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("latchkey_credentials_removable 1\n"), "{metrics}");
    assert_eq!(said(&server).await.len(), ids.len());
}

#[actix_web::test]
async fn a_server_that_comes_late_says_the_nearest_threshold_today() {
    let server = Server::start().await;
    let (name, _) = server.client_with_secret().await;
    let end = START + 5 * DAY;
    change(&server, &name, |client| {
        client.secrets[0].expires = Some(Timestamp(end));
        client.secrets[0].created = Timestamp(START - 100 * DAY);
    })
    .await;
    server.clock.advance(Duration::from_secs(3600));
    let records = until(async || said(&server).await, |said| !said.is_empty()).await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["after"]["within_days"], 7);
    assert_eq!(records[0]["at"], (START + 3600) / DAY * DAY);
}

#[actix_web::test]
async fn an_old_secret_is_safe_to_remove_when_only_the_new_one_is_used() {
    let server = Server::start().await;
    let (name, _) = server.client_with_secret().await;
    change(&server, &name, |client| {
        let first = client.secrets[0].clone();
        let second = CredentialId::from("second");
        client.secrets.push(Credential { id: second, created: Timestamp(START + DAY), ..first });
    })
    .await;
    let safe = async || {
        let shown = server.admin_get(&format!("/clients/{name}")).await;
        let secrets = shown.body["secrets"].as_array().unwrap().clone();
        secrets.iter().map(|it| it["safe_to_remove"] == true).collect::<Vec<_>>()
    };
    go_to(&server, START + 30 * DAY).await;
    assert_eq!(safe().await, [false, false], "neither was used");
    let used = vec![(CredentialId::from("second"), server.clock.now().day())];
    let login =
        latchkey::oauth::logins::Login { client: id(&name), at: Some(server.clock.now()), used };
    server.store.store().write_logins(&[login]).await.unwrap();
    assert_eq!(safe().await, [true, false]);
    let shown = server.admin_get("/clients").await.body;
    let listed = shown["clients"].as_array().unwrap().iter().find(|it| it["client_id"] == *name);
    assert_eq!(listed.unwrap()["secrets"][0]["safe_to_remove"], true, "in the list as well");
    server.clock.advance(Duration::from_secs(2 * 3600));
    until(async || server.app.clients.watch.found().removable, |found| *found == 1).await;
}

#[actix_web::test]
async fn of_two_replicas_one_says_it_and_the_other_does_not_repeat_it() {
    let Some(database) = Kind::Nx27017.shared().await else { return };
    let (url, clock) = (database.fresh_database(), Arc::new(TestClock::default()));
    let replica = async || {
        let store = OpenStore::Mongo(Arc::new(MongoStore::open(&url).unwrap()));
        Server::at(clock.clone(), store, |_| ()).await
    };
    let [first, second] = [replica().await, replica().await];
    let (name, _) = first.client_with_secret().await;
    let end = START + 20 * DAY;
    change(&first, &name, |client| client.secrets[0].expires = Some(Timestamp(end))).await;
    clock.advance(Duration::from_secs(3600));
    assert_eq!(until(async || said(&first).await, |said| !said.is_empty()).await.len(), 1);
    let found = |server: &Server| server.app.clients.watch.found().expiring;
    let (holder, other) =
        match until(async || [found(&first), found(&second)], |found| found.contains(&[0, 0, 1]))
            .await
        {
            [[0, 0, 1], nothing] => {
                assert_eq!(nothing, [0, 0, 0], "one does the counting");
                (first, second)
            }
            _ => (second, first),
        };
    drop(holder);
    clock.advance(Duration::from_secs(2 * 3600 + 1));
    until(async || found(&other), |found| *found == [0, 0, 1]).await;
    assert_eq!(said(&other).await.len(), 1, "it was said already");
}
