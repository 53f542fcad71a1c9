//! How many tokens a client may get in an hour and in a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::assembly::OpenStore;
use latchkey::store::{MemoryStore, MongoStore};
use serde_json::json;

use crate::databases::Kind;
use crate::harness::{GRANT, Reply, Server, TestClock};
use crate::store_contract::audit_record;

const PATIENCE: Duration = Duration::from_secs(20);

/// Until the next full hour, and the next midnight of UTC, from when every test begins.
const HOUR: &str = "3600";
const DAY: &str = "57600";

async fn token(server: &Server, client: &(String, String)) -> Reply {
    server.token(Some((&client.0, &client.1)), GRANT).await
}

/// How many of so many attempts got a token.
async fn issued(server: &Server, client: &(String, String), attempts: usize) -> usize {
    let mut issued = 0;
    for _ in 0..attempts {
        issued += usize::from(token(server, client).await.status == 200);
    }
    issued
}

#[actix_web::test]
async fn quotas_of_the_settings_and_of_the_client() {
    #[rustfmt::skip]
    let cases = [
        // why                          hour  day  the client's own                                       then wait
        ("none at all",                 0,    0,   json!({}),                                              None),
        ("the setting, by hour",        3,    0,   json!({}),                                              Some((3, HOUR))),
        ("the setting, by day",         0,    3,   json!({}),                                              Some((3, DAY))),
        ("the day's is less",           5,    2,   json!({}),                                              Some((2, DAY))),
        ("the hour's is less",          2,    5,   json!({}),                                              Some((2, HOUR))),
        ("both at once: the longer",    2,    2,   json!({}),                                              Some((2, DAY))),
        ("its own is more",             1,    0,   json!({ "quota_per_hour": 4 }),                         Some((4, HOUR))),
        ("its own is less",             9,    9,   json!({ "quota_per_hour": 1, "quota_per_day": 2 }),     Some((1, HOUR))),
        ("its own, and no setting",     0,    0,   json!({ "quota_per_day": 1 }),                          Some((1, DAY))),
        ("0 is the setting",            2,    0,   json!({ "quota_per_hour": 0 }),                         Some((2, HOUR))),
        ("null is the setting",         2,    0,   json!({ "quota_per_hour": null }),                      Some((2, HOUR))),
    ];
    for (why, per_hour, per_day, own, then) in cases {
        let server = Server::with(|settings| {
            settings.clients.quota_per_hour = per_hour;
            settings.clients.quota_per_day = per_day;
            settings.admin.client_id = None;
            settings.admin.secret = None;
        })
        .await;
        let client = granted(&server, &own).await;
        let Some((quota, wait)) = then else {
            assert_eq!(issued(&server, &client, 20).await, 20, "{why}");
            continue;
        };
        assert_eq!(issued(&server, &client, quota + 3).await, quota, "{why}");
        let refused = token(&server, &client).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some(wait)), "{why}");
        assert_eq!(refused.error(), Some("temporarily_unavailable"), "{why}");
        let other = server.client_with_secret().await;
        assert_eq!(token(&server, &other).await.status, 200, "{why}: each has its own");
    }
}

/// A client of its own quotas, made past the administrator, whose tokens would be counted too.
async fn granted(server: &Server, own: &serde_json::Value) -> (String, String) {
    let client = server.client_with_secret().await;
    let found =
        server.app.clients.repository.read(&client.0.parse().unwrap()).await.unwrap().unwrap();
    let mut changed = found.clone();
    changed.quota_per_hour = own["quota_per_hour"].as_u64().filter(|quota| *quota > 0);
    changed.quota_per_day = own["quota_per_day"].as_u64().filter(|quota| *quota > 0);
    assert!(
        server.app.clients.repository.replace(&found, &changed, &audit_record()).await.unwrap()
    );
    client
}

#[actix_web::test]
async fn windows_are_fixed_and_what_is_refused_is_not_counted() {
    let server = Server::start().await;
    let client = server.granted(json!({ "quota_per_hour": 2, "scope": "a" })).await;
    for _ in 0..5 {
        let basic = Some((client.0.as_str(), client.1.as_str()));
        let refused = server.token(basic, &format!("{GRANT}&scope=root")).await;
        assert_eq!(refused.status, 400);
        assert_eq!(server.token(Some((&client.0, "wrong")), GRANT).await.status, 401);
    }
    assert_eq!(issued(&server, &client, 3).await, 2);
    server.clock.advance(Duration::from_secs(3599));
    let refused = token(&server, &client).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    server.clock.advance(Duration::from_secs(1));
    server.app.feed.look().await.unwrap(); // renews what its key promises
    assert_eq!(issued(&server, &client, 3).await, 2, "the next hour");
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("latchkey_quota_refusals_total 3"), "{metrics}");
}

#[actix_web::test]
async fn a_new_id_brings_no_new_quota() {
    let server = Server::start().await;
    let made = server.create_client(json!({ "client_name": "svc", "quota_per_hour": 3 })).await;
    let pair = |reply: &Reply| (reply.text_of("client_id"), reply.text_of("client_secret"));
    assert_eq!(issued(&server, &pair(&made), 2).await, 2);

    let url = format!("{}/register/{}/regenerate", server.url, made.text_of("client_id"));
    let shown = made.text_of("registration_access_token");
    let by_itself = server.send(server.http.post(url).bearer_auth(shown)).await;
    assert_eq!(issued(&server, &pair(&by_itself), 3).await, 1, "3 in all");

    let path = format!("/clients/{}/regenerate", by_itself.text_of("client_id"));
    let by_an_admin = server.admin_post(&path, &serde_json::Value::Null).await;
    assert_eq!(by_an_admin.status, 201, "{by_an_admin:?}");
    assert_eq!(issued(&server, &pair(&by_an_admin), 3).await, 0, "the third id");
    server.clock.advance(Duration::from_secs(3600));
    server.app.feed.look().await.unwrap();
    assert_eq!(issued(&server, &pair(&by_an_admin), 4).await, 3, "the next hour");
}

#[actix_web::test]
async fn a_restart_forgets_nothing_that_was_shared() {
    let clock = Arc::new(TestClock::default());
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let start = async || Server::at(clock.clone(), store.clone(), |_| ()).await;
    let first = start().await;
    let client = first.granted(json!({ "quota_per_hour": 5, "quota_per_day": 6 })).await;
    assert_eq!(issued(&first, &client, 3).await, 3);
    first.chores.quotas.share(first.app.clock.now()).await.unwrap();
    // Killed here: it says no more.
    let second = start().await;
    assert_eq!(issued(&second, &client, 4).await, 2);
    second.stop().await; // tells what it counted
    let third = start().await;
    assert_eq!(token(&third, &client).await.header("retry-after"), Some(HOUR));
    clock.advance(Duration::from_secs(3600));
    third.app.feed.look().await.unwrap();
    assert_eq!(issued(&third, &client, 4).await, 1, "of the day");
}

/// Two servers and a client of five tokens an hour; what each knows of the other.
async fn replicas_share(store: impl Fn() -> OpenStore) {
    let clock = Arc::new(TestClock::default());
    let first = Server::at(clock.clone(), store(), |_| ()).await;
    let second = Server::at(clock.clone(), store(), |_| ()).await;
    let client = first.granted(json!({ "quota_per_hour": 5 })).await;
    let now = clock_now(&first);

    assert_eq!(issued(&first, &client, 3).await, 3);
    assert_eq!(issued(&second, &client, 1).await, 1);
    first.chores.quotas.share(now).await.unwrap();
    second.chores.quotas.share(now).await.unwrap();
    assert_eq!(issued(&second, &client, 3).await, 1, "3 there and 2 here");
    second.chores.quotas.share(now).await.unwrap();
    first.chores.quotas.share(now).await.unwrap();
    assert_eq!(issued(&first, &client, 3).await, 0);

    // And without being told to: within a second or so.
    let client = first.granted(json!({ "quota_per_hour": 100_000 })).await;
    assert_eq!(issued(&first, &client, 3).await, 3);
    let id = [client.0.parse().unwrap()];
    let began = Instant::now();
    loop {
        let shared = first.store.store().counts_of_others("nobody", Some(&id), now).await.unwrap();
        if shared.iter().any(|(_, count)| *count == 3) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "not shared: {shared:?}");
        tokio::task::yield_now().await;
    }
}

fn clock_now(server: &Server) -> latchkey::domain::clock::Timestamp {
    server.app.clock.now()
}

#[actix_web::test]
async fn replicas_share_in_memory() {
    let store = Arc::new(MemoryStore::default());
    replicas_share(|| OpenStore::Memory(store.clone())).await;
}

async fn replicas_on_one_database(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    replicas_share(|| OpenStore::Mongo(Arc::new(MongoStore::open(&url).unwrap()))).await;
}

#[actix_web::test]
async fn replicas_share_on_mongodb() {
    replicas_on_one_database(Kind::MongoDb).await;
}

#[actix_web::test]
async fn replicas_share_on_nx_27017() {
    replicas_on_one_database(Kind::Nx27017).await;
}

#[actix_web::test]
async fn replicas_share_on_ferretdb() {
    replicas_on_one_database(Kind::FerretDb).await;
}
