//! Which clients have a key.

use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::jwk::PublicJwk;
use latchkey::domain::state::State;
use latchkey::store::Store;

use super::{add, audit_record, client, jwks, login, read};
use crate::stores::{Place, on_every_store};

on_every_store! {
    a_key_leads_to_its_holders
    a_rewrite_keeps_the_lookup_right
    a_published_set_comes_back
    documents_of_other_tools_do_no_harm
}

fn with_keys(name: &str, keys: &[&PublicJwk]) -> Client {
    let keys = keys.iter().map(|jwk| Credential::of_key((*jwk).clone(), Timestamp(1_700_000_000)));
    Client { auth_method: AuthMethod::PrivateKeyJwt, keys: keys.collect(), ..client(name) }
}

/// The names of those who have one of these keys, sorted.
async fn holders(store: &dyn Store, keys: &[&PublicJwk]) -> Vec<String> {
    let thumbprints: Vec<String> = keys.iter().map(|key| key.thumbprint()).collect();
    let found = store.key_holders(&thumbprints, 10).await.unwrap();
    let mut names: Vec<String> = found.iter().map(|client| client.id.to_string()).collect();
    names.sort_unstable();
    names
}

async fn a_key_leads_to_its_holders(place: &Place) {
    let store = &*place.store;
    let [rsa, ed, ec] = &jwks();
    add(store, &with_keys("one", &[rsa])).await;
    add(store, &with_keys("two", &[ed, rsa])).await;
    add(store, &with_keys("twins", &[ed, &PublicJwk { kid: "other".to_owned(), ..ed.clone() }]))
        .await;
    add(store, &client("none")).await;
    for (keys, names) in [
        (vec![rsa], vec!["one", "two"]),
        (vec![ed], vec!["twins", "two"]),
        (vec![rsa, ed], vec!["one", "twins", "two"]),
        (vec![ec], vec![]),
        (vec![], vec![]),
    ] {
        assert_eq!(holders(store, &keys).await, names, "{keys:?}");
    }
    let one = store.key_holders(&[rsa.thumbprint()], 1).await.unwrap();
    assert_eq!(one.len(), 1, "and no more");
    let two = read(store, &"two".parse().unwrap()).await;
    let removed = Client { state: State::Deleted, ..two.clone() };
    assert!(store.replace(&two, &removed, &audit_record()).await.unwrap());
    assert_eq!(holders(store, &[rsa]).await, ["one"], "nobody has what a removed client had");
    assert!(store.replace(&read(store, &two.id).await, &two, &audit_record()).await.unwrap());

    let plain = PublicJwk { kid: "whatever".to_owned(), ..rsa.clone() };
    assert_eq!(holders(store, &[&plain]).await, ["one", "two"], "under whatever name");
}

async fn a_rewrite_keeps_the_lookup_right(place: &Place) {
    let store = &*place.store;
    let [rsa, ed, ec] = &jwks();
    let svc = add(store, &with_keys("svc", &[rsa, ed])).await;

    let renamed = Client { name: "renamed".to_owned(), ..svc.clone() };
    assert!(store.replace(&svc, &renamed, &audit_record()).await.unwrap());
    assert_eq!(holders(store, &[rsa]).await, ["svc"], "another change leaves it alone");

    let svc = read(store, &svc.id).await;
    let rotated = Client { keys: with_keys("svc", &[ed, ec]).keys, ..svc.clone() };
    assert!(store.replace(&svc, &rotated, &audit_record()).await.unwrap());
    for (key, names) in [(rsa, &[][..]), (ed, &["svc"]), (ec, &["svc"])] {
        assert_eq!(holders(store, &[key]).await, names, "rotated");
    }

    store.write_logins(&[login(&svc.id, Timestamp(1_800_000_000))]).await.unwrap();
    assert_eq!(holders(store, &[ec]).await, ["svc"], "a login leaves it alone");

    let svc = read(store, &svc.id).await;
    let bare = Client { keys: Vec::new(), ..svc.clone() };
    assert!(store.replace(&svc, &bare, &audit_record()).await.unwrap());
    for key in [rsa, ed, ec] {
        assert!(holders(store, &[key]).await.is_empty(), "without keys");
    }
}

async fn a_published_set_comes_back(place: &Place) {
    let store = &*place.store;
    let uri = Some("https://keys.example.com/jwks.json?of=me".parse().unwrap());
    let svc = Client { auth_method: AuthMethod::PrivateKeyJwt, jwks_uri: uri, ..client("svc") };
    let found = add(store, &svc).await;
    assert_eq!(found.jwks_uri, svc.jwks_uri);
    let inline =
        Client { jwks_uri: None, keys: with_keys("svc", &jwks().each_ref()).keys, ..found.clone() };
    assert!(store.replace(&found, &inline, &audit_record()).await.unwrap());
    let found = read(store, &svc.id).await;
    assert_eq!((found.jwks_uri, found.keys.len()), (None, 3));
}

async fn documents_of_other_tools_do_no_harm(place: &Place) {
    let store = &*place.store;
    let [rsa, ed, _] = &jwks();
    add(store, &with_keys("right", &[rsa])).await;
    add(store, &with_keys("replaced", &[rsa])).await;
    let documents = store.export(None).await.unwrap().documents;
    let made = |id: &str, change: &dyn Fn(&mut latchkey::store::Document)| {
        let named =
            |held: &&latchkey::store::Document| held.get_str("clientId").ok() == Some("replaced");
        let mut document = documents.iter().find(named).unwrap().clone();
        document.insert("clientId", id);
        document.remove("_id");
        change(&mut document);
        document
    };
    let foreign = vec![
        made("no list", &|document| drop(document.insert("keyThumbprints", rsa.thumbprint()))),
        made("a number", &|document| drop(document.insert("keyThumbprints", 7))),
        made("repeated", &|document| {
            let twice = vec![rsa.thumbprint(), rsa.thumbprint()];
            document.insert("keyThumbprints", twice);
        }),
        made("another key now", &|document| {
            document.remove("keys");
            let jwk = serde_json::from_value::<latchkey::store::Document>(ed.to_json()).unwrap();
            document.insert("publicKey", jwk);
        }),
    ];
    assert_eq!(store.import(foreign).await.unwrap().new, 4);
    let found = holders(store, &[rsa]).await;
    for (name, there) in [("right", true), ("repeated", true), ("another key now", false)] {
        assert_eq!(found.iter().any(|found| found == name), there, "{name}: {found:?}");
    }
}
