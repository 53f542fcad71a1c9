//! What goes on in the background: logins, sweeping, the feed of changes, moving elsewhere.

use std::collections::BTreeSet;

use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::id::{ClientId, CredentialId};
use latchkey::oauth::logins::Login;
use latchkey::replication::ClientStatus;
use latchkey::store::{Document, MemoryStore, Store, UsedAssertion};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, doc};
use serde_json::{Value, json};

use super::{add, audit_record, client, full_client, id, jwks, read, secret};
use crate::stores::{Place, on_every_store};

on_every_store! {
    it_answers
    what_expired_is_swept_in_batches
    a_login_is_no_change
    the_last_use_of_each_credential_is_noted
    a_member_of_another_meaning_is_in_nobodys_way
    changes_are_seen_by_date
    many_changes_are_read_page_by_page
    documents_move_as_they_stand
    used_assertions_are_listed_in_order
}

async fn it_answers(place: &Place) {
    place.store.ping().await.unwrap();
}

async fn what_expired_is_swept_in_batches(place: &Place) {
    let store = &*place.store;
    let until = [1_000, 1_000, 1_999, 2_000, 2_001];
    for (jti, until) in (0..).zip(until) {
        assert!(store.use_once(&id("svc"), [jti; 32], Timestamp(until)).await.unwrap());
    }
    for (round, swept) in [2, 1, 0].into_iter().enumerate() {
        let found = store.sweep(Timestamp(2_000), 2).await.unwrap();
        assert_eq!(found, swept, "round {round}");
    }
    for (jti, forgotten) in (0..).zip([true, true, true, false, false]) {
        let first = store.use_once(&id("svc"), [jti; 32], Timestamp(3_000)).await.unwrap();
        assert_eq!(first, forgotten, "until {}", until[usize::from(jti)]);
    }
}

async fn used_assertions_are_listed_in_order(place: &Place) {
    let store = &*place.store;
    assert_eq!(store.used_assertions(None).await.unwrap(), []);
    let used = |client: &str, digest, until| UsedAssertion {
        client: id(client),
        jti_digest: [digest; 32],
        until: Timestamp(until),
    };
    let all = [used("a", 7, 2_000), used("a", 200, 1_000), used("b", 1, 3_000)];
    for used in all.iter().rev() {
        assert!(store.use_once(&used.client, used.jti_digest, used.until).await.unwrap());
    }
    assert_eq!(store.used_assertions(None).await.unwrap(), all);
    for (place, last) in all.iter().enumerate() {
        assert_eq!(store.used_assertions(Some(last)).await.unwrap(), all[place + 1..]);
    }
}

async fn a_login_is_no_change(place: &Place) {
    let store = &*place.store;
    let names: Vec<ClientId> = (0..20).map(|n| id(&format!("svc{n}"))).collect();
    for name in &names {
        add(store, &client(name.as_str())).await;
    }
    let before = read(store, &names[0]).await;
    let seen = store.changed_since(0, None, 1000).await.unwrap().statuses;
    for at in [1_750_000_000, 1_750_000_001] {
        let login = |name: &ClientId| login(name.as_str(), at, &[]);
        let logins: Vec<_> = names.iter().map(login).collect();
        store.write_logins(&logins).await.unwrap();
        let found = read(store, &names[0]).await;
        let expected = Client { last_login: Some(Timestamp(at)), ..before.clone() };
        assert_eq!(found, expected);
    }
    let (seen, now): (BTreeSet<_>, BTreeSet<_>) = (
        seen.into_iter().collect(),
        store.changed_since(0, None, 1000).await.unwrap().statuses.into_iter().collect(),
    );
    assert_eq!(now, seen);

    let renamed = Client { name: "renamed".to_owned(), ..before.clone() };
    assert!(
        store.replace(&before, &renamed, &audit_record()).await.unwrap(),
        "a login breaks no rewrite"
    );
    let login = read(store, &names[0]).await.last_login;
    assert_eq!(login, Some(Timestamp(1_750_000_001)), "and a rewrite no login");
}

fn login(client: &str, at: u64, used: &[(&str, u64)]) -> Login {
    let used = used.iter().map(|(name, day)| (CredentialId::from(*name), Timestamp(*day)));
    Login { client: id(client), at: Some(Timestamp(at)), used: used.collect() }
}

async fn the_last_use_of_each_credential_is_noted(place: &Place) {
    let store = &*place.store;
    let [_, ed25519, _] = jwks();
    let key = Credential::of_key(ed25519, Timestamp(1_700_000_003));
    let made = Client {
        secrets: vec![secret("first", true), secret("second", true), secret("th.ird", false)],
        keys: vec![key.clone()],
        ..client("svc")
    };
    let before = add(store, &made).await;
    assert!(before.secrets.iter().all(|secret| secret.last_used.is_none()));
    let days = [1_749_945_600, 1_750_032_000];
    let key_id = key.id.as_str();
    let logins = [
        login("svc", days[0] + 5, &[("first", days[0]), (key_id, days[0]), ("th.ird", days[0])]),
        login("who", days[0], &[("first", days[0])]),
    ];
    store.write_logins(&logins).await.unwrap();
    store.write_logins(&[login("svc", days[1] + 7, &[("first", days[1])])]).await.unwrap();

    let found = read(store, &id("svc")).await;
    let last_used: Vec<_> = found.secrets.iter().map(|secret| secret.last_used).collect();
    assert_eq!(last_used, [Some(Timestamp(days[1])), None, None]);
    assert_eq!(found.keys[0].last_used, Some(Timestamp(days[0])), "one does not undo another");
    assert_eq!(found.last_login, Some(Timestamp(days[1] + 7)));
    assert_eq!(found.revision, before.revision, "it is no change");

    // Arrays are replaced whole; what was noted is not in them.
    let fewer = Client { secrets: before.secrets[..1].to_vec(), ..before.clone() };
    assert!(
        store.replace(&before, &fewer, &audit_record()).await.unwrap(),
        "nor in the way of one"
    );
    let found = read(store, &id("svc")).await;
    assert_eq!(found.secrets.len(), 1);
    assert_eq!(found.secrets[0].last_used, Some(Timestamp(days[1])));
    let documents = documents(store).await;
    let secrets = documents[0].get_array("secrets").unwrap();
    assert!(!secrets[0].as_document().unwrap().keys().any(|name| name.starts_with("last")));
}

/// Another tool may keep something of that name.
async fn a_member_of_another_meaning_is_in_nobodys_way(place: &Place) {
    let store = &*place.store;
    let theirs = doc! { "clientId": "svc", "name": "svc", "__STATE__": "PUBLIC", "lastUsed": 7 };
    assert_eq!(store.import(vec![theirs]).await.unwrap().new, 1);
    store.write_logins(&[login("svc", 1_750_000_000, &[("a", 1_749_945_600)])]).await.unwrap();
    let found = read(store, &id("svc")).await;
    assert_eq!(found.last_login, Some(Timestamp(1_750_000_000)));
}

async fn changes_are_seen_by_date(place: &Place) {
    let store = &*place.store;
    for since in [i64::MIN, 0, i64::MAX] {
        assert_eq!(
            store.changed_since(since, None, 1000).await.unwrap().statuses,
            [],
            "since {since}"
        );
    }
    let start = store.now_ms().await.unwrap();
    let seen = async |client: &Client| {
        let at = client.revision.updated_at_ms.unwrap();
        let changes = store.changed_since(start, None, 1000).await.unwrap();
        assert!(changes.statuses.contains(&status(client)), "{changes:?}");
        assert!(store.now_ms().await.unwrap() >= at, "{changes:?}");
        let since = store.changed_since(at, None, 1000).await.unwrap().statuses;
        assert!(since.contains(&status(client)), "the bound belongs to it");
        let after =
            store.changed_since(at + place.date_step_ms, None, 1000).await.unwrap().statuses;
        assert!(!after.contains(&status(client)), "what is before it does not");
    };
    let first = add(store, &client("svc")).await;
    seen(&first).await;
    add(store, &client("other")).await;
    assert!(store.replace(&first, &first, &audit_record()).await.unwrap());
    seen(&read(store, &first.id).await).await;
    assert_eq!(store.changed_since(i64::MAX, None, 1000).await.unwrap().statuses, []);
}

/// Most of the same date, as a change of many clients leaves them. A page may be empty, and NX-27017
/// shows some twice.
async fn many_changes_are_read_page_by_page(place: &Place) {
    let store = &*place.store;
    let date = |seconds: i64| DateTime::from_millis(seconds * 1000);
    let same = date(1_700_000_100);
    let dates = [same, date(1_700_000_090), same, date(1_700_000_200), same, same, same, same];
    let of = |number: usize, date: DateTime| doc! { "clientId": format!("svc{number}"), "updatedAt": date };
    let changed = dates.iter().enumerate().map(|(number, date)| of(number, *date));
    let old = of(dates.len(), date(1_700_000_000));
    let documents: Vec<Document> = changed.chain([old]).collect();
    assert_eq!(store.import(documents).await.unwrap().new, dates.len() + 1);
    let expected: BTreeSet<String> = (0..dates.len()).map(|it| format!("svc{it}")).collect();
    for limit in 1..=dates.len() + 1 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page =
                store.changed_since(1_700_000_050_000, after.as_deref(), limit).await.unwrap();
            assert!(page.statuses.len() <= limit, "{limit} at a time: {page:?}");
            found.extend(page.statuses.into_iter().map(|it| it.id.to_string()));
            assert!(found.len() <= 4 * dates.len(), "{limit} at a time: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{limit} at a time");
    }
}

fn status(client: &Client) -> ClientStatus {
    ClientStatus {
        id: client.id.clone(),
        state: client.state,
        epoch: client.token_epoch,
        updated_at_ms: client.revision.updated_at_ms.unwrap(),
    }
}

async fn documents(store: &dyn Store) -> Vec<Document> {
    let (mut documents, mut after) = (Vec::new(), None);
    loop {
        let export = store.export(after.as_deref()).await.unwrap();
        documents.extend(export.documents);
        after = export.next;
        if after.is_none() {
            return documents;
        }
    }
}

async fn documents_move_as_they_stand(place: &Place) {
    let store = &*place.store;
    let svc = add(store, &full_client()).await;
    let oid = ObjectId::from_bytes([7; 12]);
    let foreign = |name: &str| {
        doc! { "_id": oid, "clientId": name, "name": name, "theirs": { "deep": [1, "x", null] } }
    };
    let taken = store.import(vec![
        foreign("one"),
        foreign("two"), // the same `_id`: another client all the same
        doc! { "clientId": "full", "name": "overwritten" },
        doc! { "name": "nobody" },
    ]);
    assert_eq!(taken.await.unwrap().new, 2);
    assert_eq!(store.import(vec![foreign("one")]).await.unwrap().new, 0);
    assert_eq!(read(store, &svc.id).await, svc, "what is there is left alone");
    assert_eq!(read(store, &id("two")).await.name, "two");

    let exported = documents(store).await;
    assert_eq!(exported.len(), 3);
    let one =
        exported.iter().find(|document| document.get_str("clientId").is_ok_and(|id| id == "one"));
    assert_eq!(one.unwrap().get("_id"), Some(&Bson::ObjectId(oid)));

    let elsewhere = MemoryStore::default();
    assert_eq!(elsewhere.import(exported).await.unwrap().new, 3);
    assert_eq!(read(&elsewhere, &svc.id).await, svc);
    for name in ["one", "two"] {
        let found = documents(&elsewhere).await;
        let found = found.iter().find(|held| held.get_str("clientId").is_ok_and(|id| id == name));
        let theirs = found.unwrap().get("theirs").cloned().map(Value::from);
        assert_eq!(theirs, Some(json!({ "deep": [1, "x", null] })));
    }
}
