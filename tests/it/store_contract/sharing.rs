//! What replicas share: facts, used assertions, signing keys.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use latchkey::audit::{Action, AuditRecord, Author, Recorder};
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::jwk::{Algorithm, PublicJwk};
use latchkey::domain::signing_key::{PublishedKey, Rotation};
use latchkey::signing::keys::Retired;
use mongodb::bson::doc;
use serde_json::{Value, json};

use super::audit::everything;
use super::{add, audit_record, client, id, jwks, secret};
use crate::stores::{Place, on_every_store};

on_every_store! {
    all_agree_with_whoever_came_first
    a_checksummed_secret_is_noticed
    an_assertion_is_used_once
    a_signing_key_keeps_its_first_date
    a_signing_key_retires_once_and_for_good
    a_rotation_request_is_kept_until_it_is_forgotten
}

async fn all_agree_with_whoever_came_first(place: &Place) {
    let store = &*place.store;
    let proposals: Vec<Vec<u8>> = (0..8).map(|n| vec![n, 0, 255]).collect();
    let agreed = join_all(proposals.iter().map(|proposal| store.agree("pepper", proposal))).await;
    let agreed: BTreeSet<Vec<u8>> = agreed.into_iter().map(Result::unwrap).collect();
    assert_eq!(agreed.len(), 1, "{agreed:?}");
    let stands = agreed.first().unwrap();
    assert!(proposals.contains(stands));
    assert_eq!(store.agreed("pepper").await.unwrap().as_ref(), Some(stands));
    assert_eq!(&store.agree("pepper", b"late").await.unwrap(), stands);
    assert_eq!(store.agree("other", b"").await.unwrap(), b"", "another name, another fact");
}

async fn a_checksummed_secret_is_noticed(place: &Place) {
    let store = &*place.store;
    assert!(!store.has_checksummed_secrets().await.unwrap());
    let odd = vec![
        doc! { "clientId": "odd", "secrets": [null, { "hash": "x" }] },
        doc! { "clientId": "none", "secrets": null },
    ];
    assert_eq!(store.import(odd).await.unwrap().new, 2);
    let secrets = vec![secret("operators", false)];
    let svc = add(store, &Client { secrets, ..client("svc") }).await;
    assert!(!store.has_checksummed_secrets().await.unwrap());
    let secrets = vec![secret("operators", false), secret("ours", true)];
    assert!(
        store.replace(&svc, &Client { secrets, ..svc.clone() }, &audit_record()).await.unwrap()
    );
    assert!(store.has_checksummed_secrets().await.unwrap());
}

async fn an_assertion_is_used_once(place: &Place) {
    let (svc, other) = (id("svc"), id("other"));
    let uses = (0..20).map(|_| place.store.use_once(&svc, [7; 32], Timestamp(2_000_000_000)));
    let uses: Vec<bool> = join_all(uses).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(uses.iter().filter(|first| **first).count(), 1, "{uses:?}");

    for (why, client, jti, first) in [
        ("used", &svc, [7; 32], false),
        ("another assertion", &svc, [8; 32], true),
        ("another client", &other, [7; 32], true),
        ("used by the other", &other, [7; 32], false),
    ] {
        let found = place.store.use_once(client, jti, Timestamp(2_000_000_000)).await.unwrap();
        assert_eq!(found, first, "{why}");
    }
}

async fn a_signing_key_keeps_its_first_date(place: &Place) {
    let store = &*place.store;
    let [rsa, ed25519, _] = jwks();
    let shown = |jwk: &PublicJwk, at| PublishedKey {
        jwk: jwk.clone(),
        published: Timestamp(at),
        signs_from: Timestamp(at + 60),
        signs_until: Timestamp(at + 3600),
        imported: None,
        retired: None,
    };
    let published = async || {
        let mut keys = store.published().await.unwrap().keys;
        keys.sort_by_key(|key| key.signs_until);
        keys
    };
    let first = shown(&rsa, 1_700_000_000);
    store.publish(&first).await.unwrap();
    assert_eq!(published().await, std::slice::from_ref(&first));

    let renewed =
        PublishedKey { imported: Some(Timestamp(1_700_000_005)), ..shown(&rsa, 1_700_000_100) };
    store.publish(&renewed).await.unwrap();
    let expected = PublishedKey { published: first.published, ..renewed };
    assert_eq!(published().await, [expected]);

    store.publish(&shown(&rsa, 1_700_000_200)).await.unwrap();
    let expected = PublishedKey { published: first.published, ..shown(&rsa, 1_700_000_200) };
    let other = shown(&ed25519, 1_700_000_300);
    join_all((0..4).map(|_| store.publish(&other))).await.into_iter().for_each(Result::unwrap);
    assert_eq!(published().await, [expected, other.clone()], "it is imported no more");

    store.forget(&rsa.kid).await.unwrap();
    assert_eq!(published().await, [other]);
    store.publish(&renewed_after_all(&rsa)).await.unwrap();
    assert_eq!(published().await.len(), 2, "what was forgotten can come back");
}

fn renewed_after_all(jwk: &PublicJwk) -> PublishedKey {
    let at = Timestamp(1_700_001_000);
    PublishedKey {
        jwk: jwk.clone(),
        published: at,
        signs_from: at,
        signs_until: at,
        imported: None,
        retired: None,
    }
}

fn record(action: Action) -> AuditRecord {
    let recorder = Recorder::default();
    let Value::Object(about) = json!({ "kid": "k", "now": true }) else { unreachable!() };
    recorder.record(&Author::server(), action, about, Timestamp(1_700_000_000)).unwrap()
}

async fn a_signing_key_retires_once_and_for_good(place: &Place) {
    let store = &*place.store;
    let [rsa, ed25519, _] = jwks();
    let key = renewed_after_all(&rsa);
    store.publish(&key).await.unwrap();
    let (at, by_us) = (Timestamp(1_700_002_000), record(Action::SigningKeyRetired));
    assert_eq!(store.retire("none", at, &by_us).await.unwrap(), Retired::Unknown);
    assert_eq!(store.retire(&rsa.kid, at, &by_us).await.unwrap(), Retired::Now);
    let late = record(Action::SigningKeyRetired);
    let again = store.retire(&rsa.kid, Timestamp(1_700_003_000), &late).await.unwrap();
    assert_eq!(again, Retired::Before);
    assert_eq!(everything(store).await, [by_us], "what changed nothing leaves no record");

    store.publish(&key).await.unwrap(); // by an owner that has not seen it yet
    let retired = PublishedKey { retired: Some(at), ..key };
    assert_eq!(store.published().await.unwrap().keys, std::slice::from_ref(&retired));

    store.leave_tombstone(&rsa.kid).await.unwrap();
    store.leave_tombstone("of another store").await.unwrap();
    store.publish(&retired).await.unwrap();
    let other = renewed_after_all(&ed25519);
    store.publish(&other).await.unwrap();
    let mut shared = store.published().await.unwrap();
    shared.tombstones.sort_unstable();
    assert_eq!(shared.keys, [other], "what is tombstones does not return");
    assert_eq!(shared.tombstones, [rsa.kid.as_str(), "of another store"]);
    let after_all = store.retire(&rsa.kid, at, &late).await.unwrap();
    assert_eq!(after_all, Retired::Before);
}

async fn a_rotation_request_is_kept_until_it_is_forgotten(place: &Place) {
    let store = &*place.store;
    let rotation = |id: &str, algorithm, succeeds: Option<&str>| Rotation {
        id: id.to_owned(),
        at: Timestamp(1_700_000_000),
        algorithm,
        hasty: succeeds.is_none(),
        succeeds: succeeds.map(str::to_owned),
    };
    let plain = rotation("1", None, None);
    let full = rotation("after x", Some(Algorithm::PS256), Some("x"));
    let (first, second) = (record(Action::SigningKeyRotated), record(Action::SigningKeyRotated));
    store.request(&plain, &first).await.unwrap();
    store.request(&full, &first).await.unwrap();
    let changed = Rotation { hasty: true, ..full.clone() };
    store.request(&changed, &second).await.unwrap();
    let mut shared = store.published().await.unwrap();
    shared.rotations.sort_by_key(|rotation| rotation.id.clone());
    assert_eq!(shared.rotations, [plain, full.clone()], "the first of a name stays");
    assert!(shared.keys.is_empty() && shared.tombstones.is_empty());
    assert_eq!(everything(store).await, [first]);
    store.forget_request("1").await.unwrap();
    assert_eq!(store.published().await.unwrap().rotations, [full]);
}
