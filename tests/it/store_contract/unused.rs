//! Which clients go because they were never used, and which stay.

use latchkey::domain::client::Client;
use latchkey::domain::client::Provenance;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::id::ClientId;
use latchkey::domain::state::State;
use latchkey::store::Store;
use mongodb::bson::doc;

use super::{add, audit_record, client, id, login, read};
use crate::stores::{Place, on_every_store};

on_every_store! {
    who_was_never_used_goes
    they_go_in_batches
    who_is_used_after_all_stays
}

/// A second after the clients here registered.
const AFTER: Timestamp = Timestamp(1_700_000_001);

/// Removes them; who was removed.
async fn remove_unused(store: &dyn Store, limit: usize) -> Vec<ClientId> {
    let mut removed = Vec::new();
    for client in store.unused(AFTER, limit).await.unwrap() {
        assert!(store.remove_unused(&client, &audit_record()).await.unwrap());
        removed.push(client.id);
    }
    removed.sort();
    removed
}

async fn who_is_used_after_all_stays(place: &Place) {
    let store = &*place.store;
    let [used, changed, gone] = ["used", "changed", "gone"].map(client);
    for it in [&used, &changed, &gone] {
        add(store, it).await;
    }
    let found = store.unused(AFTER, 10).await.unwrap();
    assert_eq!(found.len(), 3);
    store.write_logins(&[login(&used.id, AFTER)]).await.unwrap();
    let before = read(store, &changed.id).await;
    assert!(store.replace(&before, &before, &audit_record()).await.unwrap());
    let record = audit_record();
    for it in &found {
        let removed = store.remove_unused(it, &record).await.unwrap();
        assert_eq!(removed, it.id == gone.id, "{}", it.id);
    }
    let trail = super::audit::everything(store).await;
    assert_eq!(trail.iter().filter(|kept| kept.id == record.id).count(), 1);
}

async fn who_was_never_used_goes(place: &Place) {
    let store = &*place.store;
    let by_alice = Client { creator: "alice".to_owned(), ..client("made by somebody") };
    let granted =
        Client { permissions: vec!["read:x".parse().unwrap()], ..client("has a permission") };
    let late = Client { created: AFTER, ..client("registered at that moment") };
    let draft = Client { state: State::Draft, ..client("not published") };
    let came = |name: &str, how| Client { provenance: Some(how), ..client(name) };
    let by_public = came("made by a client that is called `public`", Provenance::Created);
    let imported = came("imported", Provenance::Imported);
    for stays in [by_alice, granted, late, draft, by_public, imported] {
        add(store, &stays).await;
    }
    add(store, &client("has logged in")).await;
    store.write_logins(&[login(&id("has logged in"), AFTER)]).await.unwrap();
    let theirs = doc! {
        "clientId": "of another tool", "__STATE__": "PUBLIC", "creatorId": "public",
        "createdAt": mongodb::bson::DateTime::from_millis(1_600_000_000_000),
    };
    assert_eq!(store.import(vec![theirs]).await.unwrap().new, 1);
    let rewritten = add(store, &client("was changed")).await;
    let renamed = Client { name: "renamed".to_owned(), ..rewritten.clone() };
    assert!(store.replace(&rewritten, &renamed, &audit_record()).await.unwrap());
    add(store, &client("never used")).await;
    add(store, &came("registered itself", Provenance::Registered)).await;

    let removed = remove_unused(store, 10).await;
    assert_eq!(removed, [id("never used"), id("registered itself"), id("was changed")]);
    assert!(store.read(&id("never used")).await.unwrap().is_none());
    for name in [
        "made by somebody",
        "has a permission",
        "registered at that moment",
        "not published",
        "has logged in",
        "of another tool",
        "made by a client that is called `public`",
        "imported",
    ] {
        read(store, &id(name)).await;
    }
    assert_eq!(remove_unused(store, 10).await, []);
}

async fn they_go_in_batches(place: &Place) {
    let store = &*place.store;
    for number in 0..5 {
        add(store, &client(&format!("svc{number}"))).await;
    }
    for removed in [2, 2, 1, 0] {
        assert_eq!(remove_unused(store, 2).await.len(), removed);
    }
}
