//! Documents of the platform that many collections come from, as its own tools write them.

use latchkey::domain::audience::Audience;
use latchkey::domain::client::{AuthMethod, Client, ClientKey};
use latchkey::domain::clock::Timestamp;
use latchkey::domain::jwk::{Algorithm, PublicJwk};
use latchkey::domain::permission::Permission;
use latchkey::domain::state::State;
use latchkey::registry::{Inserted, ListQuery};
use latchkey::store::{Document, EmbeddedStore, Store};
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, doc};
use serde_json::json;

use crate::store_contract::deed;
use crate::stores::{Place, on_every_server, on_every_store};

on_every_store! {
    a_document_of_the_platform_is_a_client
    a_document_with_little_in_it_is_a_client
    a_rewrite_keeps_what_we_do_not_know
}

on_every_server! {
    what_another_tool_changes_is_seen
    another_tools_key_takes_the_place_of_ours
    ids_of_every_type_are_listed
}

const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn of_the_platform() -> Document {
    let date = DateTime::from_millis(1_604_573_964_123);
    doc! {
        "_id": ObjectId::from_bytes([9; 12]),
        "creatorId": "public",
        "createdAt": date,
        "updaterId": "alice",
        "updatedAt": date,
        "__STATE__": "PUBLIC",
        "name": "Orders",
        "permissions": ["read:orders", "write:orders"],
        "audience": ["orders"],
        "allowedCustomClaims": null,
        "clientId": "orders",
        "authMethod": "private_key_jwt",
        "publicKey": { "alg": "RSA256", "kty": "RSA", "use": "sig", "n": N, "e": "AQAB", "kid": "theirs", "x5t": "more" },
        "lastLogin": date,
        "unknown": { "deep": [1, { "er": "x" }] },
    }
}

async fn read(store: &dyn Store, name: &str) -> Client {
    store.read(&name.parse().unwrap()).await.unwrap().unwrap()
}

async fn clients(place: &Place) -> Collection<Document> {
    place.database().await.collection("clients")
}

/// As it stands in the store, by whatever way there is to see it.
async fn document(store: &dyn Store, name: &str) -> Document {
    let all = store.export(None).await.unwrap().documents;
    all.into_iter().find(|held| held.get_str("clientId").is_ok_and(|id| id == name)).unwrap()
}

/// Where there is a database, its tools write there; elsewhere documents come by import.
async fn write(place: &Place, document: Document) {
    if place.url.is_some() {
        clients(place).await.insert_one(document).await.unwrap();
    } else {
        assert_eq!(place.store.import(vec![document]).await.unwrap(), 1);
    }
}

async fn a_document_of_the_platform_is_a_client(place: &Place) {
    write(place, of_the_platform()).await;
    let client = read(&*place.store, "orders").await;
    assert_eq!(client.auth_method, AuthMethod::PrivateKeyJwt);
    assert_eq!(client.state, State::Public);
    let permissions: Vec<&str> = client.permissions.iter().map(Permission::as_str).collect();
    assert_eq!(permissions, ["read:orders", "write:orders"]);
    assert_eq!(client.audience.iter().map(Audience::as_str).collect::<Vec<_>>(), ["orders"]);
    assert_eq!(client.allowed_custom_claims, [""; 0]);
    assert_eq!(client.token_epoch, 0);
    assert!(client.may_use_client_credentials());
    assert_eq!(
        (client.created, client.last_login),
        (Timestamp(1_604_573_964), Some(Timestamp(1_604_573_964)))
    );
    assert_eq!(
        (client.revision.version, client.revision.updated_at_ms),
        (None, Some(1_604_573_964_123))
    );
    let [key] = &client.keys[..] else { panic!("{:?}", client.keys) };
    assert_eq!((key.jwk.kid.as_str(), key.jwk.algorithm), ("theirs", Algorithm::RS256));

    assert_eq!(place.store.insert(&client, &deed()).await.unwrap(), Inserted::Duplicate);
    assert!(!place.store.holders(&"write:orders".parse().unwrap()).await.unwrap().is_empty());
    let page = place.store.list(&ListQuery { after: None, limit: 10 }).await.unwrap().unwrap();
    assert_eq!(page.clients, [client]);
}

async fn a_document_with_little_in_it_is_a_client(place: &Place) {
    write(place, doc! { "clientId": "little", "name": "Little", "permissions": [] }).await;
    let client = read(&*place.store, "little").await;
    assert_eq!(client.state, State::Draft, "nobody published it");
    assert_eq!(client.revision.version, None);

    let published = Client { state: State::Public, ..client.clone() };
    assert!(place.store.replace(&client, &published, &deed()).await.unwrap());
    let found = read(&*place.store, "little").await;
    assert_eq!((found.state, found.revision.version), (State::Public, Some(1)));
    assert!(found.revision.updated_at_ms.is_some());
    assert!(!place.store.replace(&client, &published, &deed()).await.unwrap(), "once");
}

async fn a_rewrite_keeps_what_we_do_not_know(place: &Place) {
    write(place, of_the_platform()).await;
    let client = read(&*place.store, "orders").await;
    let ours = PublicJwk::parse(&json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }));
    let mut keys = client.keys.clone();
    keys.push(ClientKey::new(ours.unwrap(), Timestamp(1_700_000_000)));
    let changed = Client { groups: vec!["new".to_owned()], keys, ..client.clone() };
    assert!(place.store.replace(&client, &changed, &deed()).await.unwrap());

    let found = read(&*place.store, "orders").await;
    assert_eq!(found, Client { revision: found.revision, ..changed });
    let (before, after) = (of_the_platform(), document(&*place.store, "orders").await);
    for kept in ["_id", "publicKey", "unknown", "allowedCustomClaims", "createdAt", "lastLogin"] {
        let json =
            |document: &Document| document.get(kept).cloned().map(Bson::into_relaxed_extjson);
        assert_eq!(json(&after), json(&before), "{kept}");
    }
}

async fn what_another_tool_changes_is_seen(place: &Place) {
    let store = &*place.store;
    let client =
        Client::new("svc".parse().unwrap(), "Svc".to_owned(), AuthMethod::default(), Timestamp(1));
    assert_eq!(store.insert(&client, &deed()).await.unwrap(), Inserted::Yes);
    let before = read(store, "svc").await;

    let granted = doc! {
        "$set": { "permissions": ["granted"], "updaterId": "admin", "more": true },
        "$currentDate": { "updatedAt": true },
    };
    clients(place).await.update_one(doc! { "clientId": "svc" }, granted).await.unwrap();
    let after = read(store, "svc").await;
    assert_eq!(after.permissions, ["granted".parse().unwrap()]);
    assert!(!store.holders(&"granted".parse().unwrap()).await.unwrap().is_empty());
    let at = after.revision.updated_at_ms.unwrap();
    let changes = store.changes(before.revision.updated_at_ms.unwrap()).await.unwrap();
    let [standing] = &changes.clients[..] else { panic!("{changes:?}") };
    assert_eq!((&standing.id, standing.updated_at_ms), (&after.id, at));

    assert!(
        store.replace(&after, &before, &deed()).await.unwrap(),
        "we go on from what they wrote"
    );
    clients(place).await.delete_one(doc! { "clientId": "svc" }).await.unwrap();
    assert!(store.read(&after.id).await.unwrap().is_none());
}

async fn another_tools_key_takes_the_place_of_ours(place: &Place) {
    let store = &*place.store;
    let jwk =
        |x: &str| PublicJwk::parse(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x })).unwrap();
    let (slot, second) = (
        jwk("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        jwk("PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"),
    );
    let keys = [&slot, &second].map(|jwk| ClientKey::new(jwk.clone(), Timestamp(1)));
    let client = Client {
        keys: keys.to_vec(),
        ..Client::new(
            "svc".parse().unwrap(),
            "Svc".to_owned(),
            AuthMethod::PrivateKeyJwt,
            Timestamp(1),
        )
    };
    assert_eq!(store.insert(&client, &deed()).await.unwrap(), Inserted::Yes);

    let theirs = of_the_platform().get_document("publicKey").unwrap().clone();
    let replaced = doc! { "$set": { "publicKey": theirs }, "$currentDate": { "updatedAt": true } };
    clients(place).await.update_one(doc! { "clientId": "svc" }, replaced).await.unwrap();
    let found = read(store, "svc").await;
    let kids: Vec<&str> = found.keys.iter().map(|key| key.jwk.kid.as_str()).collect();
    assert_eq!(kids, ["theirs", second.kid.as_str()]);

    let taken = doc! { "$unset": { "publicKey": "" }, "$currentDate": { "updatedAt": true } };
    clients(place).await.update_one(doc! { "clientId": "svc" }, taken).await.unwrap();
    assert_eq!(
        read(store, "svc").await.keys.iter().map(|key| &key.jwk).collect::<Vec<_>>(),
        [&second]
    );
}

async fn ids_of_every_type_are_listed(place: &Place) {
    let ids = [
        Bson::from("b"),
        Bson::from(ObjectId::from_bytes([2; 12])),
        Bson::Int32(7),
        Bson::from("a"),
        Bson::from(ObjectId::from_bytes([1; 12])),
        Bson::Int32(5),
    ];
    for (number, id) in ids.iter().enumerate() {
        let document = doc! { "_id": id, "clientId": format!("svc{number}") };
        clients(place).await.insert_one(document).await.unwrap();
    }
    for limit in 1..=7 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = place.store.list(&ListQuery { after, limit }).await.unwrap().unwrap();
            assert!(page.clients.len() == limit || page.next.is_none());
            found.extend(page.clients.iter().map(|client| client.id.to_string()));
            assert!(found.len() <= ids.len(), "{limit} at a time: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, ["svc4", "svc1", "svc3", "svc0", "svc5", "svc2"], "{limit} at a time");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = EmbeddedStore::open(elsewhere.path()).unwrap();
    let exported = place.store.export(None).await.unwrap().documents;
    assert_eq!(elsewhere.import(exported).await.unwrap(), ids.len());
}
