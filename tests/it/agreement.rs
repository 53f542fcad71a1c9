//! What one of three servers does, or another tool, is in force on all of them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use latchkey::domain::jwk::Algorithm;
use mongodb::bson::{Document, doc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::databases::Kind;
use crate::fleet::{Fleet, on_databases, tool, until};
use crate::harness::{GRANT, client_key};
use crate::proxy::{Proxy, Weather};

/// The promise: a replica looks each half second, and a look takes a moment.
const PROMISE: Duration = Duration::from_secs(1);
/// How often a change is made.
const CHANGES: usize = 6;

/// As a tool does that knows nothing of us but that it must set the date.
async fn set_state(clients: &mongodb::Collection<Document>, id: &str, state: &str) {
    let change = doc! {
        "$set": { "__STATE__": state },
        "$currentDate": { "updatedAt": true },
    };
    clients.update_one(doc! { "clientId": id }, change).await.unwrap();
}

/// Counted from when the database accepted it. A machine that is busy with other tests may make a
/// single look late, so it is the median that is held to the promise.
async fn a_change_by_another_tool_is_in_force_on_all_within_a_second(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let url = database.fresh_database();
    let fleet = Fleet::start(&url).await;
    let (id, secret) = fleet.servers[0].client_with_secret().await;
    let basic = Some((id.as_str(), secret.as_str()));
    for server in &fleet.servers {
        assert_eq!(server.token(basic, GRANT).await.status, 200); // now it is remembered
    }

    let clients = tool(&url).await.collection("clients");
    let mut took = Vec::new();
    for change in 0..CHANGES {
        let (state, status) = if change % 2 == 0 { ("DRAFT", 401) } else { ("PUBLIC", 200) };
        set_state(&clients, &id, state).await;
        let accepted = Instant::now();
        let in_force = fleet.servers.iter().map(async |server| {
            until(async || server.token(basic, GRANT).await, |reply| reply.status == status).await;
            accepted.elapsed()
        });
        took.extend(join_all(in_force).await);
    }
    took.sort();
    eprintln!("in force after {took:?}");
    assert!(took[took.len() / 2] <= PROMISE, "{took:?}");
}

/// What an administrator changes on one, in its own words.
type Change = (&'static str, fn(&str, &Value) -> (Method, String, Value));

/// Whatever an administrator does to a client on one server ends its use on the others too.
async fn what_is_changed_on_one_is_in_force_on_all(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let fleet = Fleet::start(&database.fresh_database()).await;
    #[rustfmt::skip]
    let changes: [Change; 4] = [
        // what                    how                                                                                                          ends
        ("its state",              |id, _|      (Method::POST,   format!("/clients/{id}/state"), json!({ "stateTo": "DRAFT" }))),
        ("its secret",             |id, secret| (Method::DELETE, format!("/clients/{id}/secrets/{}", secret.as_str().unwrap()), Value::Null)),
        ("itself",                 |id, _|      (Method::DELETE, format!("/clients/{id}"), Value::Null)),
        ("its pair",               |id, _|      (Method::POST,   format!("/clients/{id}/regenerate"), json!({}))),
    ];
    for (what, change) in changes {
        let (id, secret) = fleet.servers[0].client_with_secret().await;
        let basic = Some((id.as_str(), secret.as_str()));
        for server in &fleet.servers {
            assert_eq!(
                server.token(basic, GRANT).await.status,
                200,
                "{what}: now it is remembered"
            );
        }
        let shown = fleet.servers[0].admin_get(&format!("/clients/{id}")).await;
        let (method, path, body) = change(&id, &shown.body["secrets"][0]["id"]);
        let reply = fleet.servers[0].admin(method, &path, &body).await;
        assert!([200, 201, 204].contains(&reply.status), "{what}: {reply:?}");
        for server in &fleet.servers {
            until(async || server.token(basic, GRANT).await, |reply| reply.status == 401).await;
        }
    }
}

/// What happened meanwhile is caught up with.
async fn a_server_that_was_cut_off_learns_what_it_missed(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let proxy = Proxy::before(database).await;
    let fleet = Fleet::by([&url, &url, &proxy.leading_to(&url)]).await;
    let (id, secret) = fleet.servers[0].client_with_secret().await;
    let basic = Some((id.as_str(), secret.as_str()));
    for server in &fleet.servers {
        assert_eq!(server.token(basic, GRANT).await.status, 200); // now it is remembered
    }

    proxy.set(Weather::Cut);
    set_state(&tool(&url).await.collection("clients"), &id, "DRAFT").await;
    for server in &fleet.servers[..2] {
        until(async || server.token(basic, GRANT).await, |reply| reply.status == 401).await;
    }
    let cut_off = fleet.servers[2].token(basic, GRANT).await;
    assert!([200, 503].contains(&cut_off.status), "it cannot know yet: {cut_off:?}");
    proxy.set(Weather::Clear);
    let back = Instant::now();
    until(async || fleet.servers[2].token(basic, GRANT).await, |reply| reply.status == 401).await;
    eprintln!("caught up after {:?}", back.elapsed());
}

async fn an_assertion_that_is_sent_to_all_at_once_gets_one_token(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let fleet = Fleet::start(&database.fresh_database()).await;
    let key = client_key(Algorithm::ES256);
    let id = fleet.servers[0].client_with_key(key).await;
    for round in 0..20 {
        let assertion = fleet.servers[round % 3].assertion(&id, key);
        let servers = fleet.servers.iter().cycle().take(6);
        let replies = join_all(servers.map(|server| server.token_by(&assertion, ""))).await;
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401, 401, 401], "round {round}: {replies:?}");
    }
}

on_databases! { an_assertion_that_is_sent_to_all_at_once_gets_one_token }
// Not on FerretDB: an update reads and then writes there, so the last login that a server writes at
// the same moment may undo the change.
on_databases!(what_is_changed_on_one_is_in_force_on_all: mongodb MongoDb, nx_27017 Nx27017);
on_databases!(a_change_by_another_tool_is_in_force_on_all_within_a_second: mongodb MongoDb, nx_27017 Nx27017);
on_databases!(a_server_that_was_cut_off_learns_what_it_missed: mongodb MongoDb, nx_27017 Nx27017);
