//! Which clients go because they were never used, and which stay.

use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::state::State;
use mongodb::bson::doc;

use super::{add, client, deed, id, read};
use crate::stores::{Place, on_every_store};

on_every_store! {
    who_was_never_used_goes
    they_go_in_batches
}

/// A second after the clients here registered.
const AFTER: Timestamp = Timestamp(1_700_000_001);

async fn who_was_never_used_goes(place: &Place) {
    let store = &*place.store;
    let by_alice = Client { creator: "alice".to_owned(), ..client("made by somebody") };
    let granted =
        Client { permissions: vec!["read:x".parse().unwrap()], ..client("has a permission") };
    let late = Client { created: AFTER, ..client("registered at that moment") };
    let draft = Client { state: State::Draft, ..client("not published") };
    for stays in [by_alice, granted, late, draft] {
        add(store, &stays).await;
    }
    add(store, &client("has logged in")).await;
    store.write_logins(&[(id("has logged in"), AFTER)]).await.unwrap();
    let theirs = doc! {
        "clientId": "of another tool", "__STATE__": "PUBLIC", "creatorId": "public",
        "createdAt": mongodb::bson::DateTime::from_millis(1_600_000_000_000),
    };
    assert_eq!(store.import(vec![theirs]).await.unwrap(), 1);
    let rewritten = add(store, &client("was changed")).await;
    let renamed = Client { name: "renamed".to_owned(), ..rewritten.clone() };
    assert!(store.replace(&rewritten, &renamed, &deed()).await.unwrap());
    add(store, &client("never used")).await;

    let mut removed = store.remove_unused(AFTER, 10).await.unwrap();
    removed.sort();
    assert_eq!(removed, [id("never used"), id("was changed")]);
    assert!(store.read(&id("never used")).await.unwrap().is_none());
    for name in [
        "made by somebody",
        "has a permission",
        "registered at that moment",
        "not published",
        "has logged in",
        "of another tool",
    ] {
        read(store, &id(name)).await;
    }
    assert_eq!(store.remove_unused(AFTER, 10).await.unwrap(), []);
}

async fn they_go_in_batches(place: &Place) {
    let store = &*place.store;
    for number in 0..5 {
        add(store, &client(&format!("svc{number}"))).await;
    }
    for removed in [2, 2, 1, 0] {
        assert_eq!(store.remove_unused(AFTER, 2).await.unwrap().len(), removed);
    }
}
