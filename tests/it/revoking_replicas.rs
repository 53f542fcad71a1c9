//! What is called back on one server is dead on the others within a second.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use latchkey::assembly::OpenStore;
use latchkey::store::MongoStore;
use mongodb::bson::{Document, doc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::databases::{self, Kind};
use crate::harness::{GRANT, Server, TestClock, claims_of, jose_header_of};

/// How long news may take: the promise is a second, the rest is for a slow machine.
const PROMISE: Duration = Duration::from_secs(3);
/// How long it may take until what leaves no trace is seen.
const BACKGROUND: Duration = Duration::from_secs(25);

async fn replica(url: &str, clock: &Arc<TestClock>) -> Server {
    let store = OpenStore::Mongo(Arc::new(MongoStore::open(url).unwrap()));
    Server::at(clock.clone(), store, |_| ()).await
}

/// Three servers on one database, with a tool beside them.
struct Three {
    servers: [Server; 3],
    clock: Arc<TestClock>,
    clients: mongodb::Collection<Document>,
    url: String,
}

impl Three {
    async fn on(kind: Kind) -> Option<Self> {
        let url = kind.shared().await?.fresh_database();
        let clock = Arc::default();
        let servers =
            [replica(&url, &clock).await, replica(&url, &clock).await, replica(&url, &clock).await];
        let tool = mongodb::Client::with_uri_str(&url).await.unwrap().default_database().unwrap();
        Some(Self { servers, clock, clients: tool.collection("clients"), url })
    }

    /// A token that every server has seen alive.
    async fn token_of(&self, client: &(String, String)) -> String {
        let began = Instant::now();
        let token = loop {
            let reply = self.servers[0].token(Some((&client.0, &client.1)), GRANT).await;
            if reply.status == 200 {
                break reply.text_of("access_token");
            }
            assert!(began.elapsed() < PROMISE, "{reply:?}");
        };
        for server in &self.servers {
            assert_eq!(server.tokeninfo(&token).await.status, 200);
        }
        token
    }

    /// How long it takes until no server takes the token.
    async fn until_dead(&self, why: &str, token: &str, bound: Duration) -> Duration {
        let began = Instant::now();
        for server in &self.servers {
            while server.tokeninfo(token).await.status != 401 {
                assert!(began.elapsed() < bound, "{why}: still alive after {bound:?}");
            }
        }
        began.elapsed()
    }

    async fn set(&self, id: &str, change: Document) {
        let change = doc! { "$set": change, "$currentDate": { "updatedAt": true } };
        let done = self.clients.update_one(doc! { "clientId": id }, change).await.unwrap();
        assert_eq!(done.matched_count, 1);
    }
}

/// What to ask for, once the claims of the token are known.
type Order<'a> = &'a dyn Fn(&Value) -> Value;

async fn each_kind_is_in_force_everywhere(kind: Kind) {
    let Some(three) = Three::on(kind).await else { return };
    let [first, second, _] = &three.servers;
    let orders: [(&str, Order<'_>); 4] = [
        ("a token", &|c| json!({ "jti": c["jti"] })),
        ("a client", &|c| json!({ "client_id": c["sub"] })),
        ("a client, by date", &|c| json!({ "client_id": c["sub"], "issued_before": c["iat"] })),
        ("a credential", &|c| json!({ "client_id": c["sub"], "credential": c["cred"] })),
    ];
    let mut measured = Vec::new();
    for (why, order) in orders {
        let client = first.client_with_secret().await;
        let token = three.token_of(&client).await;
        let reply = second.admin_post("/revocations", &order(&claims_of(&token))).await;
        assert_eq!(reply.status, 200, "{why}: {reply:?}");
        measured.push((why, three.until_dead(why, &token, PROMISE).await));
    }

    let client = first.client_with_secret().await;
    let token = three.token_of(&client).await;
    let caller = Some((client.0.as_str(), client.1.as_str()));
    assert_eq!(second.form("/oauth/revoke", caller, &format!("token={token}")).await.status, 200);
    measured.push(("by its client", three.until_dead("own", &token, PROMISE).await));

    let token = three.token_of(&client).await;
    let order = json!({ "all": true, "issued_before": claims_of(&token)["iat"] });
    assert_eq!(second.admin_post("/revocations", &order).await.status, 200);
    measured.push(("everything", three.until_dead("everything", &token, PROMISE).await));

    three.clock.advance(Duration::from_secs(31)); // past the skew
    let token = three.token_of(&client).await;
    let key = jose_header_of(&token)["kid"].clone();
    assert_eq!(second.admin_post("/revocations", &json!({ "kid": key })).await.status, 200);
    measured.push(("a signing key", three.until_dead("a signing key", &token, PROMISE).await));
    for server in &three.servers {
        let began = Instant::now();
        while server.get("/.well-known/jwks.json").await.text.contains(key.as_str().unwrap()) {
            assert!(began.elapsed() < PROMISE, "it is still in the key set");
        }
    }
    eprintln!("{kind:?}: in force on three servers after {measured:?}");
}

async fn a_client_that_another_tool_unpublishes(kind: Kind) {
    let Some(three) = Three::on(kind).await else { return };
    for state in ["DRAFT", "TRASH", "DELETED"] {
        let client = three.servers[0].client_with_secret().await;
        let token = three.token_of(&client).await;
        three.set(&client.0, doc! { "__STATE__": state }).await;
        let after = three.until_dead(state, &token, PROMISE).await;
        eprintln!("{kind:?}: {state} ended it on three servers after {after:?}");

        // Its tokens stay dead when it comes back, and new ones are good.
        three.set(&client.0, doc! { "__STATE__": "PUBLIC" }).await;
        let new = three.token_of(&client).await;
        assert_ne!(claims_of(&new)["epoch"], claims_of(&token)["epoch"]);
        for server in &three.servers {
            assert_eq!(server.tokeninfo(&token).await.status, 401, "{state}, and back");
        }
        let fresh = replica(&three.url, &three.clock).await;
        let began = Instant::now();
        while fresh.tokeninfo(&token).await.status != 401 {
            assert!(began.elapsed() < PROMISE, "{state}: after a restart");
        }
        assert_eq!(fresh.tokeninfo(&new).await.status, 200, "{state}: after a restart");
    }
}

/// Nobody looks while it comes back: only what was written when it left can tell.
async fn a_client_that_comes_back_while_no_server_runs(kind: Kind) {
    let Some(three) = Three::on(kind).await else { return };
    let client = three.servers[0].client_with_secret().await;
    let token = three.token_of(&client).await;
    three.set(&client.0, doc! { "__STATE__": "DRAFT" }).await;
    three.until_dead("unpublished", &token, PROMISE).await;
    let tool = mongodb::Client::with_uri_str(&three.url).await.unwrap();
    let revocations = tool.default_database().unwrap().collection::<Document>("revocations");
    let began = Instant::now();
    while revocations.find_one(doc! {}).await.unwrap().is_none() {
        assert!(began.elapsed() < PROMISE, "nothing is written");
    }
    let Three { servers, clock, clients, url } = three;
    for server in servers {
        server.stop().await;
    }
    let change = doc! {
        "$set": { "__STATE__": "PUBLIC" }, "$currentDate": { "updatedAt": true },
    };
    clients.update_one(doc! { "clientId": &client.0 }, change).await.unwrap();

    let server = replica(&url, &clock).await;
    assert_eq!(server.tokeninfo(&token).await.status, 401);
    let new = server.token_of(&client).await;
    assert_eq!(server.tokeninfo(&new).await.status, 200);
}

async fn a_client_that_another_tool_deletes(kind: Kind) {
    let Some(three) = Three::on(kind).await else { return };
    let client = three.servers[0].client_with_secret().await;
    let token = three.token_of(&client).await;
    let this = doc! { "clientId": &client.0 };
    let document = three.clients.find_one(this.clone()).await.unwrap().unwrap();
    three.clients.delete_one(this).await.unwrap();
    let after = three.until_dead("deleted", &token, BACKGROUND).await;
    eprintln!("{kind:?}: a deletion ended it on three servers after {after:?}");

    three.clients.insert_one(document).await.unwrap();
    let new = three.token_of(&client).await;
    for server in &three.servers {
        assert_eq!(server.tokeninfo(&token).await.status, 401, "it is back, its token is not");
    }
    let fresh = replica(&three.url, &three.clock).await;
    assert_eq!(fresh.tokeninfo(&token).await.status, 401, "after a restart");
    assert_eq!(fresh.tokeninfo(&new).await.status, 200, "after a restart");
}

/// Fifty clients that ask fifty times a second and are deleted, or given other names, on another
/// server. Once their server has heard of it none gets a token that lives.
async fn clients_that_go_while_they_ask(kind: Kind) {
    let Some(url) = kind.shared().await.map(databases::Server::fresh_database) else { return };
    let clock = Arc::default();
    let [here, there] = [replica(&url, &clock).await, replica(&url, &clock).await];
    let clients = join_all((0..50).map(|_| here.client_with_secret())).await;
    let (going, all_gone) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (asked, late) = (AtomicUsize::new(0), Mutex::new(Vec::new()));

    let ask = async {
        let mut round = tokio::time::interval(Duration::from_millis(20));
        while !all_gone.load(Ordering::SeqCst) {
            round.tick().await;
            let client = &clients[asked.fetch_add(1, Ordering::SeqCst) % clients.len()];
            let id = client.0.parse().unwrap();
            let known = there.app.health.revocations.epoch(&id);
            let reply = there.token(Some((&client.0, &client.1)), GRANT).await;
            if reply.status == 200 {
                late.lock().unwrap().push((client, known, reply.text_of("access_token")));
            }
        }
    };
    let end = async {
        for (number, (id, _)) in clients.iter().enumerate() {
            // It is remembered there when it goes.
            there
                .app
                .tokens
                .authenticator
                .clients
                .find(&id.parse().unwrap())
                .await
                .unwrap()
                .unwrap();
            let reply = if number % 2 == 0 {
                here.admin(Method::DELETE, &format!("/clients/{id}"), &Value::Null).await
            } else {
                here.admin_post(&format!("/clients/{id}/regenerate"), &json!({})).await
            };
            assert!(matches!(reply.status, 200 | 201 | 204), "{reply:?}");
            going.fetch_add(1, Ordering::SeqCst);
        }
        // The last word about each is heard there; from here on nothing is issued.
        for client in &clients {
            let id = client.0.parse().unwrap();
            let began = Instant::now();
            while there.app.health.revocations.epoch(&id) < here.app.health.revocations.epoch(&id) {
                assert!(began.elapsed() < PROMISE, "it was not heard of {id}");
                tokio::task::yield_now().await;
            }
            let reply = there.token(Some((&client.0, &client.1)), GRANT).await;
            assert_eq!((reply.status, reply.error()), (401, Some("invalid_client")), "{id}");
        }
        all_gone.store(true, Ordering::SeqCst);
    };
    tokio::join!(ask, end);

    assert_eq!(going.into_inner(), clients.len());
    let late = late.into_inner().unwrap();
    eprintln!("{kind:?}: {} asked, {} got a token", asked.into_inner(), late.len());
    for ((id, _), known, token) in late {
        let epoch = here.app.health.revocations.epoch(&id.parse().unwrap());
        assert!(known < epoch, "{id} got a token after all was known");
        for server in [&here, &there] {
            assert_eq!(server.tokeninfo(&token).await.status, 401, "{id}: known {known}");
        }
    }
}

/// Of tokens that are dead, alive and never seen before: no store is asked about any.
async fn while_the_database_is_away(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let url = database.fresh_database();
    let clock = Arc::default();
    let server = replica(&url, &clock).await;
    let client = server.client_with_secret().await;
    let tokens = [
        server.token_of(&client).await,
        server.token_of(&client).await,
        server.token_of(&client).await,
    ];
    let [dead, alive, unseen] = &tokens;
    assert_eq!(server.tokeninfo(alive).await.status, 200);
    let order = json!({ "jti": claims_of(dead)["jti"] });
    assert_eq!(server.admin_post("/revocations", &order).await.status, 200);

    database.kill();
    let began = Instant::now();
    for _ in 0..200 {
        for (token, status) in [(dead, 401), (alive, 200), (unseen, 200)] {
            assert_eq!(server.tokeninfo(token).await.status, status);
        }
    }
    // One question that waited for the database would take longer than all of these.
    assert!(began.elapsed() < Duration::from_secs(4), "after {:?}", began.elapsed());
    let caller = Some((client.0.as_str(), client.1.as_str()));
    let revoke = server.form("/oauth/revoke", caller, &format!("token={alive}")).await;
    assert_eq!((revoke.status, revoke.error()), (503, Some("temporarily_unavailable")));
}

macro_rules! on_servers {
    ($test:ident: $($server:ident $kind:ident),*) => {
        mod $test {
            use crate::databases::Kind;
            $(
                #[actix_web::test]
                async fn $server() {
                    super::$test(Kind::$kind).await;
                }
            )*
        }
    };
    ($($test:ident)*) => { $(
        on_servers!($test: mongodb MongoDb, nx_27017 Nx27017, ferretdb FerretDb);
    )* };
}

on_servers! {
    each_kind_is_in_force_everywhere
    a_client_that_comes_back_while_no_server_runs
    a_client_that_another_tool_deletes
}
// Not on FerretDB: an update reads and then writes there, so the last login that the server writes
// at the same moment may undo what happened to its client.
on_servers!(a_client_that_another_tool_unpublishes: mongodb MongoDb, nx_27017 Nx27017);
on_servers!(clients_that_go_while_they_ask: mongodb MongoDb, nx_27017 Nx27017);

#[actix_web::test]
async fn nx_27017_goes_away() {
    while_the_database_is_away(Kind::Nx27017).await;
}
