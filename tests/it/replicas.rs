//! Several servers on one database, each with signing keys of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::domain::jwk::Algorithm;
use serde_json::json;

use crate::databases::Kind;
use crate::fleet::{PATIENCE, on_databases, replica, tool, until};
use crate::harness::{GRANT, Reply, TestClock};

async fn accept_each_others_tokens_and_publish_the_same_keys(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let clock = Arc::new(TestClock::default());
    // With keys that differ.
    let first = replica(&url, clock.clone(), Algorithm::RS256).await;
    let second = replica(&url, clock.clone(), Algorithm::EdDSA).await;
    let (id, secret) = first.client_with_secret().await;
    let basic = Some((id.as_str(), secret.as_str()));

    // The first key of all signs at once; the second is shown before it signs.
    let from_first = first.token(basic, GRANT).await;
    assert_eq!(from_first.status, 200, "{from_first:?}");
    assert_eq!(second.get("/-/ready").await.status, 503);
    let early = second.token(basic, GRANT).await;
    assert_eq!((early.status, early.error()), (503, Some("temporarily_unavailable")));
    let both = |reply: &Reply| reply.body["keys"].as_array().is_some_and(|keys| keys.len() == 2);
    let jwks = until(async || first.get("/.well-known/jwks.json").await, both).await;
    assert_eq!(second.get("/.well-known/jwks.json").await.text, jwks.text);

    clock.advance(Duration::from_secs(60));
    until(async || second.get("/-/ready").await, |reply| reply.status == 200).await;
    let from_second = second.token(basic, GRANT).await;
    assert_eq!(from_second.status, 200, "{from_second:?}");
    for token in [&from_first, &from_second].map(|reply| reply.text_of("access_token")) {
        assert_eq!(first.tokeninfo(&token).await.status, 200);
        assert_eq!(second.tokeninfo(&token).await.status, 200);
    }
}

async fn see_what_another_tool_writes(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let server = replica(&url, Arc::new(TestClock::default()), Algorithm::RS256).await;
    let created = server.create_client(json!({ "client_name": "svc" })).await;
    let (id, secret) = (created.text_of("client_id"), created.text_of("client_secret"));
    let basic = Some((id.as_str(), secret.as_str()));
    assert_eq!(server.token(basic, GRANT).await.status, 200); // now it is remembered

    let clients = tool(&url).await.collection::<mongodb::bson::Document>("clients");
    let filter = mongodb::bson::doc! { "clientId": &id };
    let change = mongodb::bson::doc! {
        "$set": { "__STATE__": "DRAFT" },
        "$currentDate": { "updatedAt": true },
    };
    clients.update_one(filter, change).await.unwrap();

    // A database that is slow for a moment makes it 503 in between.
    let refused =
        until(async || server.token(basic, GRANT).await, |reply| reply.status == 401).await;
    assert_eq!(refused.error(), Some("invalid_client"));
}

/// A document that is gone leaves nothing behind that a feed could see.
async fn see_what_another_tool_deletes(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let server = replica(&url, Arc::new(TestClock::default()), Algorithm::RS256).await;
    let (id, secret) = server.client_with_secret().await;
    let basic = Some((id.as_str(), secret.as_str()));
    assert_eq!(server.token(basic, GRANT).await.status, 200); // now it is remembered

    let clients = tool(&url).await.collection::<mongodb::bson::Document>("clients");
    clients.delete_one(mongodb::bson::doc! { "clientId": &id }).await.unwrap();

    // A database that is slow for a moment makes it 503 in between.
    let refused =
        until(async || server.token(basic, GRANT).await, |reply| reply.status == 401).await;
    assert_eq!(refused.error(), Some("invalid_client"));
}

/// As after a restored backup, or by the hand of a replica whose clock is wrong.
async fn show_their_keys_again_when_those_are_gone(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let server = replica(&url, Arc::new(TestClock::default()), Algorithm::RS256).await;
    let shown = server.get("/.well-known/jwks.json").await.text;

    let keys = tool(&url).await.collection::<mongodb::bson::Document>("signing_keys");
    keys.delete_many(mongodb::bson::doc! {}).await.unwrap();

    let began = Instant::now();
    while keys.find_one(mongodb::bson::doc! {}).await.unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "the key is not shown again");
    }
    until(async || server.get("/-/ready").await, |reply| reply.status == 200).await;
    assert_eq!(server.get("/.well-known/jwks.json").await.text, shown);
    let (id, secret) = server.client_with_secret().await;
    assert_eq!(server.token(Some((&id, &secret)), GRANT).await.status, 200);
}

on_databases! {
    accept_each_others_tokens_and_publish_the_same_keys
    see_what_another_tool_deletes
    show_their_keys_again_when_those_are_gone
}
// Not on FerretDB: an update reads and then writes there, so the last login that the server writes
// at the same moment may undo the change of the tool.
on_databases!(see_what_another_tool_writes: mongodb MongoDb, nx_27017 Nx27017);
