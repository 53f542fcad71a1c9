//! Audit records, revocations and removal.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use latchkey::audit::AuditQuery;
use latchkey::audit::AuditRecord;
use latchkey::clients::Inserted;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::id::CredentialId;
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::domain::state::State;
use latchkey::store::Store;

use super::{add, audit_record, client, ended_since, id, read};
use crate::harness::nested;
use crate::stores::{Place, on_every_store};

on_every_store! {
    each_change_leaves_its_record_once
    a_record_that_cannot_be_written_whole_is_refused_with_the_change
    records_are_found_by_what_they_say
    each_record_is_told_until_it_was_told
    a_removed_client_is_gone_and_its_record_is_not
    every_revocation_comes_back
    revocations_may_share_a_record
    revocations_are_seen_by_date
    a_lease_has_one_holder
    clients_with_ended_tokens_are_found
    old_records_are_swept
}

/// Everything that was recorded, after what is on its way has arrived.
async fn trail(store: &dyn Store, query: AuditQuery) -> Vec<AuditRecord> {
    while store.move_on(100).await.unwrap() > 0 {}
    let limit = if query.limit == 0 { 1000 } else { query.limit };
    store.records(&AuditQuery { limit, ..query }).await.unwrap()
}

pub(super) async fn everything(store: &dyn Store) -> Vec<AuditRecord> {
    trail(store, AuditQuery::default()).await
}

async fn each_change_leaves_its_record_once(place: &Place) {
    let store = &*place.store;
    let [inserted, replaced, again, lost, duplicate] = std::array::from_fn(|_| audit_record());
    assert_eq!(store.insert(&client("svc"), &inserted).await.unwrap(), Inserted::Yes);
    assert_eq!(store.insert(&client("svc"), &duplicate).await.unwrap(), Inserted::Duplicate);
    let first = read(store, &id("svc")).await;
    assert!(store.replace(&first, &first, &replaced).await.unwrap());
    assert!(!store.replace(&first, &first, &lost).await.unwrap(), "no change, no record");
    assert_eq!(everything(store).await, [replaced.clone(), inserted.clone()], "newest first");

    let second = read(store, &id("svc")).await;
    assert!(store.replace(&second, &second, &again).await.unwrap());
    join_all((0..4).map(|_| store.move_on(100))).await.into_iter().for_each(|moved| {
        moved.unwrap();
    });
    assert_eq!(everything(store).await, [again, replaced, inserted], "however often it is moved");
    let third = read(store, &id("svc")).await;
    assert_eq!(third.revision.version, Some(3), "to move a record changes no client");
    assert!(store.replace(&third, &third, &audit_record()).await.unwrap());
}

async fn a_record_that_cannot_be_written_whole_is_refused_with_the_change(place: &Place) {
    let store = &*place.store;
    let deep = || {
        let mut record = audit_record();
        record.after.insert("metadata".to_owned(), nested(33));
        record
    };
    assert!(store.insert(&client("svc"), &deep()).await.is_err());
    assert!(store.read(&id("svc")).await.unwrap().is_none(), "not added");
    let svc = add(store, &client("svc")).await;
    let renamed = Client { name: "renamed".to_owned(), ..svc.clone() };
    assert!(store.replace(&svc, &renamed, &deep()).await.is_err());
    assert!(store.remove(&svc, &deep()).await.is_err());
    assert_eq!(read(store, &svc.id).await, svc, "not changed");
    let [revocation, ..] = &revocations()[..] else { unreachable!() };
    assert!(store.revoke(revocation, &deep()).await.is_err());
    assert_eq!(store.revocations(None, None, 1000).await.unwrap().revocations, []);
    assert!(store.append(&deep()).await.is_err());
    assert_eq!(everything(store).await.len(), 1, "but the record of the good one");
}

async fn records_are_found_by_what_they_say(place: &Place) {
    let store = &*place.store;
    let mut records = Vec::new();
    for n in 0..6_u64 {
        let client_id = (n % 2 == 0).then(|| id("svc"));
        let actor = if n < 3 { "alice" } else { "bob" }.to_owned();
        let at = Timestamp(1_700_000_000 + n);
        let id = format!("{}{n:04}", AuditRecord::first_id(at));
        let record = AuditRecord { id, at, actor, client_id, ..audit_record() };
        assert!(store.append(&record).await.unwrap());
        assert!(!store.append(&record).await.unwrap(), "it is there already");
        records.push(record);
    }
    let ask = async |query: AuditQuery| -> Vec<u64> {
        trail(store, query).await.iter().map(|record| record.at.0 - 1_700_000_000).collect()
    };
    let none = AuditQuery::default;
    let text = |text: &str| Some(text.to_owned());
    let at = |n: u64| Some(Timestamp(1_700_000_000 + n));
    for (why, query, found) in [
        ("all, newest first", none(), &[5, 4, 3, 2, 1, 0][..]),
        ("two of them", AuditQuery { limit: 2, ..none() }, &[5, 4]),
        (
            "the next",
            AuditQuery { limit: 2, after: Some(records[4].id.clone()), ..none() },
            &[3, 2],
        ),
        ("by an actor", AuditQuery { actor: text("alice"), ..none() }, &[2, 1, 0]),
        ("about a client", AuditQuery { client_id: text("svc"), ..none() }, &[4, 2, 0]),
        ("about nobody", AuditQuery { client_id: text("who"), ..none() }, &[]),
        ("by its name", AuditQuery { action: text("client.deleted"), ..none() }, &[]),
        ("from", AuditQuery { from: at(4), ..none() }, &[5, 4]),
        ("to", AuditQuery { to: at(1), ..none() }, &[0]),
        ("several", AuditQuery { actor: text("bob"), client_id: text("svc"), ..none() }, &[4]),
    ] {
        assert_eq!(ask(query).await, found, "{why}");
    }
}

async fn each_record_is_told_until_it_was_told(place: &Place) {
    let store = &*place.store;
    let [early, late] = [1_600_000_000, 1_700_000_000].map(|at| {
        let at = Timestamp(at);
        AuditRecord { id: format!("{}x", AuditRecord::first_id(at)), at, ..audit_record() }
    });
    for record in [&late, &early] {
        assert!(store.append(record).await.unwrap());
    }
    let untold = async |from| store.untold(Timestamp(from), 10).await.unwrap();
    assert_eq!(untold(0).await, [early.clone(), late.clone()], "oldest first");
    assert_eq!(untold(1_650_000_000).await, std::slice::from_ref(&late));
    store.told(&[late.id.clone(), "who".to_owned()]).await.unwrap();
    assert_eq!(untold(0).await, std::slice::from_ref(&early));
    assert_eq!(everything(store).await, [late, early], "told or not");
}

async fn a_removed_client_is_gone_and_its_record_is_not(place: &Place) {
    let store = &*place.store;
    let made = audit_record();
    assert_eq!(store.insert(&client("svc"), &made).await.unwrap(), Inserted::Yes);
    let svc = read(store, &id("svc")).await;
    let stale = Client { revision: latchkey::domain::client::Revision::default(), ..svc.clone() };
    assert!(!store.remove(&stale, &audit_record()).await.unwrap(), "another revision");
    let removed = audit_record();
    assert!(store.remove(&svc, &removed).await.unwrap());
    assert!(!store.remove(&svc, &audit_record()).await.unwrap(), "it is gone already");
    assert!(store.read(&svc.id).await.unwrap().is_none());

    assert_eq!(everything(store).await, [removed, made]);
    assert_eq!(store.export(None).await.unwrap().documents.len(), 0, "nothing is left of it");
    add(store, &client("svc")).await; // the id is free again
}

fn revocations() -> Vec<Revocation> {
    let (svc, until) = (id("svc"), Timestamp(1_900_000_000));
    let before = Timestamp(1_750_000_000);
    let credential = CredentialId::from("a-b_c");
    [
        Revoked::ClientBefore { client_id: svc.clone(), before },
        Revoked::ClientEpoch { client_id: svc.clone(), epoch: 7 },
        Revoked::Credential { client_id: svc, credential, before },
        Revoked::Everything { before },
        Revoked::SigningKey { kid: "a.b$c é".to_owned() },
        Revoked::Token { jti: "$x.y\" {}".to_owned() },
    ]
    .map(|revoked| Revocation { revoked, until })
    .into()
}

async fn revocations_may_share_a_record(place: &Place) {
    let store = &*place.store;
    let record = audit_record();
    for n in 0..3_u64 {
        let revoked = Revoked::Token { jti: format!("jti{n}") };
        let revocation = Revocation { revoked, until: Timestamp(1_800_000_000) };
        store.revoke(&revocation, &record).await.unwrap();
        assert_eq!(everything(store).await, std::slice::from_ref(&record), "after {n}");
    }
    assert_eq!(store.revocations(None, None, 1000).await.unwrap().revocations.len(), 3);
}

fn names(list: &[Revocation]) -> BTreeSet<String> {
    list.iter().map(|it| format!("{} {:?}", it.revoked.name(), it)).collect()
}

async fn every_revocation_comes_back(place: &Place) {
    let store = &*place.store;
    let all = revocations();
    for revocation in all.iter().chain(&all) {
        store.revoke(revocation, &audit_record()).await.unwrap();
    }
    assert_eq!(everything(store).await.len(), all.len(), "to revoke twice is to revoke once");
    let page = store.revocations(None, None, 1000).await.unwrap();
    assert_eq!((page.next, page.unknown), (None, 0));
    assert_eq!(names(&page.revocations), names(&all));

    assert_eq!(store.sweep(Timestamp(1_900_000_000), 100).await.unwrap(), 0, "not yet");
    let earlier = Revocation { until: Timestamp(1_800_000_000), ..all[0].clone() };
    let later = Revocation { until: Timestamp(1_900_000_009), ..all[1].clone() };
    for again in [&earlier, &later] {
        store.revoke(again, &audit_record()).await.unwrap();
    }
    store.import_revocations(vec![earlier, later.clone()]).await.unwrap();
    assert_eq!(store.sweep(Timestamp(1_900_000_001), 100).await.unwrap(), all.len() - 1);
    let left = store.revocations(None, None, 1000).await.unwrap().revocations;
    assert_eq!(left, [later], "kept as long as the longer of the two");
    assert_eq!(everything(store).await.len(), all.len(), "and recorded once");
}

async fn revocations_are_seen_by_date(place: &Place) {
    let store = &*place.store;
    let start = store.now_ms().await.unwrap();
    let [one, ..] = &revocations()[..] else { unreachable!() };
    store.revoke(one, &audit_record()).await.unwrap();
    let since = Some(start - place.date_step_ms);
    let found = store.revocations(since, None, 1000).await.unwrap();
    assert_eq!(found.revocations, std::slice::from_ref(one));
    let later = store.revocations(Some(start + 3_600_000), None, 1000).await.unwrap();
    assert_eq!(later.revocations, [], "what was made before is not in it");

    let all = revocations();
    store.import_revocations(all.clone()).await.unwrap();
    for (since, limit) in [(since, 1), (since, 2), (None, 1), (None, 2)] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.revocations(since, after.as_deref(), limit).await.unwrap();
            assert!(page.revocations.len() <= limit, "{limit} at a time: {page:?}");
            found.extend(page.revocations);
            assert!(found.len() <= 4 * all.len(), "{limit} at a time: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(names(&found), names(&all), "{limit} at a time");
    }
}

async fn a_lease_has_one_holder(place: &Place) {
    let store = &*place.store;
    for (why, holder, now, until, held) in [
        ("nobody has it", "one", 100, 130, true),
        ("another has it", "two", 129, 160, false),
        ("its holder renews it", "one", 120, 150, true),
        ("it goes on", "two", 149, 180, false),
        ("it has ended", "two", 150, 180, true),
        ("the first has lost it", "one", 160, 190, false),
    ] {
        let taken = store.lease("webhook", holder, Timestamp(now), Timestamp(until)).await;
        // A folder is locked: who asks is the only one there.
        let alone = place.url.is_none() && !held && taken.as_ref().is_ok_and(|held| *held);
        assert!(alone || taken.unwrap() == held, "{why}");
    }
}

async fn clients_with_ended_tokens_are_found(place: &Place) {
    let store = &*place.store;
    for (name, state, epoch) in [
        ("untouched", State::Public, 0),
        ("raised", State::Public, 3),
        ("draft", State::Draft, 0),
        ("trash", State::Trash, 2),
    ] {
        add(store, &Client { state, token_epoch: epoch, ..client(name) }).await;
    }
    let ended = async |since| -> BTreeSet<(String, State, u64)> {
        let found = ended_since(store, since, 2).await;
        found.into_iter().map(|it| (it.id.to_string(), it.state, it.epoch)).collect()
    };
    let all =
        [("draft", State::Draft, 0), ("raised", State::Public, 3), ("trash", State::Trash, 2)];
    let all: BTreeSet<_> =
        all.map(|(name, state, epoch)| (name.to_owned(), state, epoch)).into_iter().collect();
    assert_eq!(ended(0).await, all);
    let now = store.now_ms().await.unwrap();
    assert!(ended(now + 3_600_000).await.is_empty());

    let asked = ["draft", "untouched", "who"].map(id);
    let found = store.statuses(&asked).await.unwrap();
    let found: BTreeSet<String> = found.into_iter().map(|it| it.id.to_string()).collect();
    assert_eq!(found, ["draft", "untouched"].map(str::to_owned).into_iter().collect());
}

async fn old_records_are_swept(place: &Place) {
    let store = &*place.store;
    for at in [10, 20, 30].map(Timestamp) {
        let id = format!("{}x", AuditRecord::first_id(at));
        assert!(store.append(&AuditRecord { id, at, ..audit_record() }).await.unwrap());
    }
    assert_eq!(store.sweep_audit(Timestamp(20), 10).await.unwrap(), 1);
    let left: Vec<u64> = everything(store).await.iter().map(|record| record.at.0).collect();
    assert_eq!(left, [30, 20]);
}
