//! A page of an embedded store that is damaged: what is on it fails nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use latchkey::assembly::{OpenStore, copy_store};
use latchkey::audit::{Action, AuditQuery, AuditRecord, AuditTrail, Outbox};
use latchkey::clients::unused::UnusedClients;
use latchkey::clients::{ClientRepository, SharedFacts, Upkeep};
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::id::ClientId;
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::oauth::AssertionStore;
use latchkey::oauth::logins::Login;
use latchkey::replication::ChangeLog;
use latchkey::revocation::RevocationStore;
use latchkey::signing::SigningKeyStore;
use latchkey::store::{EmbeddedStore, MemoryStore};

use crate::store_check::{check, said, spoil_page_with, spoil_root};
use crate::store_contract::{add, audit_record, client, id, jwks, login, secret};

pub const NOW: Timestamp = Timestamp(1_800_000_000);

/// A store with clients of two kinds, and the ids of those whose page is damaged.
pub async fn damaged(folder: &Path) -> (EmbeddedStore, Vec<ClientId>) {
    let store = EmbeddedStore::open(folder).unwrap();
    let [key, ..] = jwks();
    for n in 0..40 {
        let powerful = Client {
            permissions: vec!["read:orders".parse().unwrap()],
            keys: vec![Credential::of_key(key.clone(), Timestamp(7))],
            former_ids: vec![id("former")],
            ..client(&format!("powerful{n:02}"))
        };
        add(&store, &powerful).await;
        add(&store, &client(&format!("unused{n:02}"))).await;
    }
    let newest = Client { secrets: vec![secret("s", true)], ..client("last") };
    add(&store, &newest).await;
    drop(store);
    spoil_page_with(folder, "\"clientId\":\"powerful20\"");
    let store = EmbeddedStore::open(folder).unwrap();
    let mut lost = Vec::new();
    for n in 0..40 {
        for kind in ["powerful", "unused"] {
            let found = store.read(&id(&format!("{kind}{n:02}"))).await.unwrap().unwrap();
            if found.is_damaged() {
                lost.push(found.id);
            }
        }
    }
    assert!(lost.contains(&id("powerful20")) && lost.len() < 20, "{lost:?}");
    (store, lost)
}

#[tokio::test]
async fn clients_on_other_pages_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lost) = damaged(folder.path()).await;
    let lost_of = |kind: &str| lost.iter().filter(|it| it.as_str().starts_with(kind)).count();

    let holders = store.holders(&"read:orders".parse().unwrap()).await.unwrap();
    let holders: Vec<_> = holders.into_iter().map(|it| it.id).collect();
    assert_eq!(holders.len(), 40 - lost_of("powerful"));
    assert!(holders.iter().all(|it| !lost.contains(it)), "{holders:?}");

    let thumbprints = [jwks()[0].thumbprint()];
    let with_key = store.key_holders(&thumbprints, 100).await.unwrap();
    assert_eq!(with_key.len(), holders.len());

    let successors = store.successors(&id("former")).await.unwrap();
    assert_eq!(successors.len(), 40, "the damaged ones too: their tokens can be revoked");

    let unused = store.unused(NOW, 100).await.unwrap();
    assert_eq!(unused.len(), 41 - lost_of("unused"));
    assert_eq!(store.unused(NOW, 5).await.unwrap().len(), 5, "and no more");

    assert!(store.has_checksummed_secrets().await.unwrap(), "the last one has such a secret");
}

#[tokio::test]
async fn logins_of_other_clients_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lost) = damaged(folder.path()).await;
    let all = ["powerful20", "powerful00", "last"];
    store.write_logins(&all.map(|it| login(&id(it), NOW))).await.unwrap();
    for it in all {
        let at = store.read(&id(it)).await.unwrap().unwrap().last_login;
        assert_eq!(at.is_some(), !lost.contains(&id(it)), "{it}");
    }
}

#[tokio::test]
async fn what_expired_on_other_pages_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let jti = |n: u64| {
        let mut digest = [7; 32];
        digest[..8].copy_from_slice(&n.to_be_bytes());
        digest
    };
    let svc = id("svc");
    let until = Timestamp(0x0102_0304);
    for n in 0..1000 {
        assert!(store.use_once(&svc, jti(n), until).await.unwrap());
    }
    let revoked = Revoked::Token { jti: "t".to_owned() };
    store.revoke(&Revocation { revoked, until }, &audit_record()).await.unwrap();
    drop(store);
    // In the table; in the index the date is before the name.
    spoil_page_with(folder.path(), [&jti(500)[..], &[1, 2, 3, 4]].concat());

    let store = EmbeddedStore::open(folder.path()).unwrap();
    let removed = store.sweep(NOW, 10_000).await.unwrap();
    assert!(removed > 700, "{removed}");
    assert!(store.revocations(None, None, 100).await.unwrap().revocations.is_empty());
    assert_eq!(store.sweep(NOW, 10_000).await.unwrap(), 0, "what stays does not fail it");
}

/// Writes of the same moment share a commit, and SQLite commits nothing if one met a damaged page.
#[tokio::test]
async fn other_writes_of_the_same_moment_are_carried_out_or_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = damaged(folder.path()).await;
    let bad = store.read(&id("powerful20")).await.unwrap().unwrap();
    for round in ["first", "later"] {
        let others: Vec<_> = (0..20).map(|n| client(&format!("{round}{n}"))).collect();
        let records: Vec<_> = others.iter().map(|_| audit_record()).collect();
        let writes = others.iter().zip(&records).map(async |(other, record)| {
            let (checked, written) =
                tokio::join!(store.check_removal(&bad), store.insert(other, record));
            let error = checked.unwrap_err();
            assert!(error.is_damaged() || round == "first", "{round}: {error:?}");
            written
        });
        for (other, written) in others.iter().zip(join_all(writes).await) {
            let is_there = store.read(&other.id).await.unwrap().is_some();
            assert_eq!(is_there, written.is_ok(), "{written:?}");
            let is_told_to_retry = written.as_ref().is_err_and(|error| !error.is_damaged());
            assert!(is_there || round == "first" && is_told_to_retry, "{round}: {written:?}");
        }
    }
}

/// Revocations are never left out: they are in force by what an index knows of them.
#[tokio::test]
async fn revocations_on_a_damaged_page_are_known_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    for n in 0..200 {
        let revoked = Revoked::Token { jti: format!("t{n:03}") };
        store.revoke(&Revocation { revoked, until: NOW }, &audit_record()).await.unwrap();
    }
    drop(store);
    spoil_page_with(folder.path(), "\"jti\":\"t100\"");
    // Behind the damaged page, and its name is no text.
    let file = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let sql = "INSERT INTO revocations VALUES (CAST(X'fe' AS TEXT), 1, 1, '{}')";
    file.execute(sql, []).unwrap();
    drop(file);

    let store = EmbeddedStore::open(folder.path()).unwrap();
    let (mut found, mut unknown, mut after) = (BTreeSet::new(), 0, None);
    loop {
        let page = store.revocations(None, after.as_deref(), 7).await.unwrap();
        found.extend(page.revocations.iter().map(|it| (it.revoked.name(), it.until)));
        unknown += page.unknown;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let all = (0..200).map(|n| (format!("token:t{n:03}"), NOW)).collect();
    assert_eq!((found, unknown), (all, 1));
}

/// A store whose audit records are these, and the one of them that is on a damaged page.
pub async fn spoiled_trail(folder: &Path) -> (EmbeddedStore, Vec<AuditRecord>, String) {
    let store = EmbeddedStore::open(folder).unwrap();
    let records = trail(&store).await;
    drop(store);
    let bad = records[100].id.clone();
    spoil_page_with(folder, format!("\"id\":\"{bad}\""));
    (EmbeddedStore::open(folder).unwrap(), records, bad)
}

/// Audit records of a client, the oldest first.
pub async fn trail(store: &EmbeddedStore) -> Vec<AuditRecord> {
    let mut records = Vec::new();
    for n in 0..200 {
        let actor = ["alice", "bob"][n % 2].to_owned();
        let record = AuditRecord { client_id: Some(id("svc")), actor, ..audit_record() };
        assert!(store.append(&record).await.unwrap());
        records.push(record);
    }
    records
}

fn ids<'a>(records: impl IntoIterator<Item = &'a AuditRecord>) -> Vec<String> {
    records.into_iter().map(|record| record.id.clone()).collect()
}

#[tokio::test]
async fn audit_records_on_a_damaged_page_are_named_and_hold_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, records, _) = spoiled_trail(folder.path()).await;

    let newest: Vec<String> = ids(records.iter().rev());
    let all = AuditQuery { limit: 1000, ..AuditQuery::default() };
    let listed = store.records(&all).await.unwrap();
    assert_eq!(ids(&listed), newest);
    let is_lost = |record: &&AuditRecord| record.action == Action::Unreadable;
    let lost: BTreeSet<String> = ids(listed.iter().filter(is_lost)).into_iter().collect();
    assert!(lost.contains(&records[100].id) && lost.len() < 60, "{lost:?}");
    assert!(listed.iter().all(|it| it.at == records[0].at), "the id says when");
    for record in records.iter().filter(|it| !lost.contains(&it.id)) {
        assert!(listed.contains(record), "{record:?}");
    }

    let mut query = AuditQuery { limit: 7, ..AuditQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = store.records(&query).await.unwrap();
        let Some(oldest) = page.last() else { break };
        query.after = Some(oldest.id.clone());
        found.extend(ids(&page));
    }
    assert_eq!(found, newest, "page by page");

    let (actor, action) = (Some("alice".to_owned()), Some("client.updated".to_owned()));
    let client_id = Some("svc".to_owned());
    let (from, to) = (Some(records[0].at), Some(Timestamp(records[0].at.0 + 1)));
    for (why, query, count) in [
        ("by actor", AuditQuery { actor, ..all.clone() }, 100),
        ("of an action", AuditQuery { action, ..all.clone() }, 200),
        ("of another", AuditQuery { action: Some("x".to_owned()), ..all.clone() }, lost.len()),
        ("of a client", AuditQuery { client_id, ..all.clone() }, 200),
        ("of a time", AuditQuery { from, to, ..all.clone() }, 200),
        ("later", AuditQuery { from: to, ..all.clone() }, 0),
        ("earlier", AuditQuery { to: from, ..all.clone() }, 0),
    ] {
        assert_eq!(store.records(&query).await.unwrap().len(), count, "{why}");
    }

    let mut delivered = Vec::new();
    loop {
        let some = store.untold(Timestamp(0), 3).await.unwrap();
        if some.is_empty() {
            break;
        }
        store.told(&ids(&some)).await.unwrap();
        delivered.extend(ids(&some));
    }
    let readable = ids(records.iter().filter(|it| !lost.contains(&it.id)));
    assert_eq!(delivered, readable, "each once, and in order");

    let checked = check(folder.path()).await;
    assert_eq!(checked.audit_records, 200);
    for id in &lost {
        assert!(said(&checked, "audit_record", id).contains("damaged page"), "{checked:?}");
    }
    assert!(said(&checked, "table", "audit").contains("backup"), "{checked:?}");
    let (from, to) = (OpenStore::Embedded(Arc::new(store), folder.path().to_owned()), memory());
    assert_eq!(copy_store(&from, &to, |_| ()).await.unwrap().audit_records, 200);
}

fn memory() -> OpenStore {
    OpenStore::Memory(Arc::new(MemoryStore::default()))
}

#[tokio::test]
async fn the_audit_trail_is_read_without_an_index_that_is_damaged() {
    for index in ["audit_actor", "audit_at", "audit_client_id", "audit_untold"] {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let records = trail(&store).await;
        drop(store);
        spoil_root(folder.path(), index);
        let store = EmbeddedStore::open(folder.path()).unwrap();

        let all = AuditQuery { limit: 1000, ..AuditQuery::default() };
        let (actor, client_id) = (Some("alice".to_owned()), Some("svc".to_owned()));
        let (from, to) = (Some(records[0].at), Some(Timestamp(records[0].at.0 + 1)));
        for (query, count) in [
            (all.clone(), 200),
            (AuditQuery { actor, ..all.clone() }, 100),
            (AuditQuery { client_id, ..all.clone() }, 200),
            (AuditQuery { from, to, ..all }, 200),
        ] {
            let found = store.records(&query).await.unwrap();
            assert_eq!(found.len(), count, "{index}: {query:?}");
            assert!(found.iter().all(|it| it.action != Action::Unreadable), "{index}");
        }
        let untold = store.untold(Timestamp(0), 1000).await.unwrap();
        assert_eq!(untold, records, "{index}");
        // Even where it cannot be marked, it is delivered once.
        store.told(&ids(&untold)).await.unwrap();
        assert!(store.untold(Timestamp(0), 1000).await.unwrap().is_empty(), "{index}");
    }
}

#[tokio::test]
async fn clients_are_found_by_former_ids_and_keys_on_damaged_pages() {
    for table in ["former_client_ids", "key_thumbprints"] {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        let [key, ..] = jwks();
        let svc = Client {
            keys: vec![Credential::of_key(key.clone(), Timestamp(7))],
            former_ids: vec![id("former")],
            ..client("svc")
        };
        let svc = add(&store, &svc).await;
        let other = add(&store, &client("other")).await;
        drop(store);
        spoil_root(folder.path(), table);

        let store = EmbeddedStore::open(folder.path()).unwrap();
        let successors = store.successors(&id("former")).await.unwrap();
        assert_eq!(successors, std::slice::from_ref(&svc), "{table}");
        let holders = store.key_holders(&[key.thumbprint()], 9).await.unwrap();
        assert_eq!(holders.len(), 1, "{table}");
        let renamed = Client { name: "renamed".to_owned(), ..svc.clone() };
        assert!(store.replace(&svc, &renamed, &audit_record()).await.unwrap(), "{table}");
        assert!(store.check_removal(&renamed).await.unwrap_err().is_damaged(), "{table}");
        add(&store, &client("new")).await;
        assert!(store.remove(&other, &audit_record()).await.unwrap(), "{table}");

        let checked = check(folder.path()).await;
        assert!(said(&checked, "table", table).contains("store copy"), "{checked:?}");
        let (from, to) = (OpenStore::Embedded(Arc::new(store), folder.path().to_owned()), memory());
        assert_eq!(copy_store(&from, &to, |_| ()).await.unwrap().clients, 2);
        assert_eq!(to.store().successors(&id("former")).await.unwrap().len(), 1, "{table}");
    }
}

#[tokio::test]
async fn used_assertions_on_a_damaged_page_are_copied() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert!(store.use_once(&id("svc"), [7; 32], NOW).await.unwrap());
    drop(store);
    spoil_root(folder.path(), "used_assertions");
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let refused = store.use_once(&id("svc"), [7; 32], NOW).await.unwrap_err();
    assert!(refused.is_damaged(), "it may have been used");
    let (from, to) = (OpenStore::Embedded(Arc::new(store), folder.path().to_owned()), memory());
    assert_eq!(copy_store(&from, &to, |_| ()).await.unwrap().used_assertions, 1);
    assert!(!to.store().use_once(&id("svc"), [7; 32], NOW).await.unwrap());
}

/// Of a key on a damaged page nobody knows whether it was retired: so it was.
#[tokio::test]
async fn signing_keys_on_a_damaged_page_are_copied_as_retired() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    store.leave_tombstone("kid").await.unwrap();
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    file.execute("UPDATE signing_keys SET document = '{\"living\":1}'", []).unwrap();
    drop(file);
    spoil_page_with(folder.path(), "living");

    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert_eq!(store.published().await.unwrap().tombstones, ["kid"]);
    let checked = check(folder.path()).await;
    assert!(said(&checked, "signing_key", "kid").contains("retired"), "{checked:?}");
    let (from, to) = (OpenStore::Embedded(Arc::new(store), folder.path().to_owned()), memory());
    copy_store(&from, &to, |_| ()).await.unwrap();
    assert_eq!(to.store().published().await.unwrap().tombstones, ["kid"]);
}

/// A page that becomes too full is balanced with those beside it, which SQLite reads to that end.
#[tokio::test]
async fn a_client_whose_login_cannot_be_written_is_not_unused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lost) = damaged(folder.path()).await;
    let unused = store.unused(NOW, 100).await.unwrap();
    let uses = |n: usize| (format!("{n:040}").as_str().into(), NOW);
    let logins: Vec<Login> = unused
        .iter()
        .map(|it| Login { used: (0..12).map(uses).collect(), ..login(&it.id, NOW) })
        .collect();
    store.write_logins(&logins).await.unwrap();
    let mut unwritten = 0;
    for client in &unused {
        assert!(!lost.contains(&client.id), "{client:?}");
        let found = store.read(&client.id).await.unwrap().unwrap();
        unwritten += usize::from(found.last_login.is_none());
    }
    assert!(unwritten > 0);
    assert!(store.unused(NOW, 100).await.unwrap().is_empty());
}
