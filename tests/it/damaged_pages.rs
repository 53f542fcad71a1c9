//! A page of an embedded store that is damaged: what is on it fails nothing else.

use std::path::Path;

use futures_util::future::join_all;
use latchkey::clients::unused::UnusedClients;
use latchkey::clients::{ClientRepository, SharedFacts, Upkeep};
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::id::ClientId;
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::oauth::AssertionStore;
use latchkey::replication::ChangeLog;
use latchkey::revocation::RevocationStore;
use latchkey::store::EmbeddedStore;

use crate::store_check::spoil_page_with;
use crate::store_contract::{add, audit_record, client, id, jwks, login, secret};

const NOW: Timestamp = Timestamp(1_800_000_000);

/// A store with clients of two kinds, and the ids of those whose page is damaged.
async fn damaged(folder: &Path) -> (EmbeddedStore, Vec<ClientId>) {
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
