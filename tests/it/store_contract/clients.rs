//! Clients: adding, rewriting, listing.

use std::time::Duration;

use futures_util::future::{FutureExt, join_all};
use latchkey::clients::{Inserted, ListQuery};
use latchkey::domain::client::{Client, Revision};
use latchkey::domain::clock::Timestamp;
use latchkey::domain::signing_key::SharedKeys;
use latchkey::oauth::logins::Login;
use latchkey::store::Store;

use super::{add, audit_record, client, full_client, id, read};
use crate::stores::{Place, on_every_store};

on_every_store! {
    an_id_is_taken_once
    absence_is_an_answer
    every_field_comes_back
    a_rewrite_needs_the_revision_it_is_based_on
    of_racing_rewrites_one_is_carried_out
    a_rewrite_takes_away_what_is_gone
    a_list_has_everything_once_and_oldest_first
    a_permission_is_held_or_not
    a_former_id_leads_to_its_client
    what_was_begun_goes_on_without_its_caller
}

async fn an_id_is_taken_once(place: &Place) {
    let rivals = (0..8).map(|n| Client { name: format!("rival {n}"), ..client("svc") });
    let rivals: Vec<Client> = rivals.collect();
    let record = audit_record();
    let inserted = join_all(rivals.iter().map(|rival| place.store.insert(rival, &record))).await;
    let winners: Vec<_> = inserted
        .iter()
        .zip(&rivals)
        .filter(|(i, _)| *i.as_ref().unwrap() == Inserted::Yes)
        .collect();
    assert_eq!(winners.len(), 1, "{inserted:?}");

    let before = read(&*place.store, &id("svc")).await;
    assert_eq!(before.name, winners[0].1.name);
    assert_eq!(
        place.store.insert(&client("svc"), &audit_record()).await.unwrap(),
        Inserted::Duplicate
    );
    assert_eq!(read(&*place.store, &id("svc")).await, before, "a duplicate touches nothing");
}

async fn a_former_id_leads_to_its_client(place: &Place) {
    let store = &*place.store;
    let had = |name: &str, former: &[&str]| Client {
        former_ids: former.iter().map(|former| id(former)).collect(),
        ..client(name)
    };
    add(store, &had("third", &["first", "second"])).await;
    let fork = add(store, &had("fork", &["first"])).await;
    add(store, &client("other")).await;
    let successors = async |former: &str| {
        let found = store.successors(&id(former)).await.unwrap();
        let mut names: Vec<String> = found.iter().map(|client| client.id.to_string()).collect();
        names.sort_unstable();
        names
    };
    #[rustfmt::skip]
    let cases = [
        ("first",  vec!["fork", "third"]),
        ("second", vec!["third"]),
        ("third",  vec![]),
        ("other",  vec![]),
    ];
    for (former, names) in cases {
        assert_eq!(successors(former).await, names, "{former}");
    }
    let renamed = Client { name: "renamed".to_owned(), ..fork.clone() };
    assert!(store.replace(&fork, &renamed, &audit_record()).await.unwrap());
    assert_eq!(successors("first").await, ["fork", "third"], "a change leaves them alone");
    let fork = read(store, &fork.id).await;
    assert!(store.remove(&fork, &audit_record()).await.unwrap());
    assert_eq!(successors("first").await, ["third"], "one of them is removed");
}

async fn absence_is_an_answer(place: &Place) {
    let store = &*place.store;
    assert!(store.read(&id("who")).await.unwrap().is_none());
    assert!(!store.replace(&client("who"), &client("who"), &audit_record()).await.unwrap());
    assert!(store.read(&id("who")).await.unwrap().is_none(), "a rewrite adds nothing");
    assert!(store.agreed("nothing").await.unwrap().is_none());
    assert_eq!(store.published().await.unwrap(), SharedKeys::default());
    store.forget("nothing").await.unwrap();
    let login = Login { client: id("who"), at: Some(Timestamp(1)), used: Vec::new() };
    store.write_logins(&[login]).await.unwrap();
    assert!(store.read(&id("who")).await.unwrap().is_none(), "a login adds nothing");
    assert_eq!(store.sweep(Timestamp(u64::from(u32::MAX)), 10).await.unwrap(), 0);
}

async fn every_field_comes_back(place: &Place) {
    for written in [full_client(), client("plain"), client("a ~!\"'\\$.{}")] {
        let found = add(&*place.store, &written).await;
        assert_eq!(found.revision.version, Some(1));
        assert!(found.revision.updated_at_ms.is_some());
        let author = |name: &str| if name.is_empty() { "public" } else { name }.to_owned();
        let expected = Client {
            creator: author(&written.creator),
            updater: author(&written.updater),
            revision: found.revision,
            ..written
        };
        assert_eq!(found, expected);
    }
}

async fn a_rewrite_needs_the_revision_it_is_based_on(place: &Place) {
    let store = &*place.store;
    let first = add(store, &client("svc")).await;
    let renamed = Client { name: "renamed".to_owned(), ..first.clone() };
    assert!(store.replace(&first, &renamed, &audit_record()).await.unwrap());

    let second = read(store, &first.id).await;
    assert_eq!((second.name.as_str(), second.revision.version), ("renamed", Some(2)));
    assert!(second.revision.updated_at_ms >= first.revision.updated_at_ms);

    let at = |revision| Client { revision, ..second.clone() };
    let right = second.revision;
    for (why, revision) in [
        ("the revision before", first.revision),
        ("another version", Revision { version: Some(3), ..right }),
        ("no version", Revision { version: None, ..right }),
        (
            "another date",
            Revision {
                updated_at_ms: right.updated_at_ms.map(|at| at - place.date_step_ms),
                ..right
            },
        ),
        ("no date", Revision { updated_at_ms: None, ..right }),
    ] {
        assert!(
            !store.replace(&at(revision), &client("svc"), &audit_record()).await.unwrap(),
            "{why}"
        );
    }
    assert_eq!(read(store, &first.id).await, second);
    assert!(
        store.replace(&second, &second, &audit_record()).await.unwrap(),
        "also if nothing changes"
    );
}

async fn of_racing_rewrites_one_is_carried_out(place: &Place) {
    let store = &*place.store;
    let old = add(store, &client("svc")).await;
    let rivals = (0..8).map(|n| Client { name: format!("rival {n}"), ..old.clone() });
    let rivals: Vec<Client> = rivals.collect();
    let record = audit_record();
    let replaced = join_all(rivals.iter().map(|new| store.replace(&old, new, &record))).await;
    let winners: Vec<_> =
        replaced.iter().zip(&rivals).filter(|(replaced, _)| *replaced.as_ref().unwrap()).collect();
    let found = read(store, &old.id).await;
    if place.is_atomic {
        assert_eq!(winners.len(), 1, "{replaced:?}");
        assert_eq!(found.revision.version, Some(2));
    }
    assert!(winners.iter().any(|(_, winner)| winner.name == found.name), "{replaced:?}");
}

async fn a_rewrite_takes_away_what_is_gone(place: &Place) {
    let store = &*place.store;
    let full = add(store, &full_client()).await;
    let bare = Client { revision: full.revision, ..client("full") };
    assert!(store.replace(&full, &bare, &audit_record()).await.unwrap());
    let found = read(store, &full.id).await;
    assert_eq!(found.keys, []);
    assert_eq!(
        (found.grant_types, found.access_token_lifetime, found.legacy_audience),
        (None, None, None)
    );

    let again = Client { revision: read(store, &full.id).await.revision, ..bare };
    let full = Client { revision: again.revision, ..full };
    assert!(store.replace(&again, &full, &audit_record()).await.unwrap());
    let found = read(store, &full.id).await;
    assert_eq!(found, Client { revision: found.revision, ..full });
}

async fn names(store: &dyn Store, limit: usize) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(&ListQuery { after: after.take(), limit }).await.unwrap().unwrap();
        pages.push(page.clients.iter().map(|client| client.id.to_string()).collect());
        assert!(pages.len() < 20, "it does not end");
        let Some(next) = page.next else { return pages };
        assert!(next.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{next:?}");
        after = Some(next);
    }
}

async fn a_list_has_everything_once_and_oldest_first(place: &Place) {
    let store = &*place.store;
    assert_eq!(names(store, 3).await, [[""; 0]], "an empty store has one empty page");

    for name in ["e", "a", "d", "b", "c"] {
        add(store, &client(name)).await;
    }
    let expected: [(usize, &[&[&str]]); 5] = [
        (1, &[&["e"], &["a"], &["d"], &["b"], &["c"]]),
        (2, &[&["e", "a"], &["d", "b"], &["c"]]),
        (4, &[&["e", "a", "d", "b"], &["c"]]),
        (5, &[&["e", "a", "d", "b", "c"]]),
        (6, &[&["e", "a", "d", "b", "c"]]),
    ];
    for (limit, pages) in expected {
        assert_eq!(names(store, limit).await, pages, "{limit} at a time");
    }

    let svc = read(store, &id("a")).await;
    assert!(
        store
            .replace(&svc, &Client { name: "renamed".to_owned(), ..svc.clone() }, &audit_record())
            .await
            .unwrap()
    );
    assert_eq!(names(store, 5).await, [["e", "a", "d", "b", "c"]], "a change moves nothing");
}

async fn a_permission_is_held_or_not(place: &Place) {
    let store = &*place.store;
    let (ours, other) = ("latchkey:admin".parse().unwrap(), "read".parse().unwrap());
    let held = async |expected: [bool; 2]| {
        let found = [
            !store.holders(&ours).await.unwrap().is_empty(),
            !store.holders(&other).await.unwrap().is_empty(),
        ];
        assert_eq!(found, expected);
    };
    held([false, false]).await;
    let permissions = vec!["read:more".parse().unwrap(), "latchkey:admins".parse().unwrap()];
    let svc = add(store, &Client { permissions, ..client("svc") }).await;
    held([false, false]).await;
    let permissions = vec!["x".parse().unwrap(), ours.clone()];
    assert!(
        store.replace(&svc, &Client { permissions, ..svc.clone() }, &audit_record()).await.unwrap()
    );
    held([true, false]).await;
    add(store, &Client { permissions: vec![other.clone()], ..client("reader") }).await;
    held([true, true]).await;
    let svc = read(store, &svc.id).await;
    assert!(
        store
            .replace(&svc, &Client { permissions: vec![], ..svc.clone() }, &audit_record())
            .await
            .unwrap()
    );
    held([false, true]).await;
}

async fn what_was_begun_goes_on_without_its_caller(place: &Place) {
    let svc = client("svc");
    let _ = place.store.insert(&svc, &audit_record()).now_or_never(); // polled once, and dropped
    for _ in 0..1000 {
        if place.store.read(&svc.id).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was never inserted");
}
