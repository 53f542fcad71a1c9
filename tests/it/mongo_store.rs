//! What only the store on a database server promises.

use std::time::{Duration, Instant};

use latchkey::clients::Upkeep;
use latchkey::clients::{ClientRepository, Inserted};
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::oauth::AssertionStore;
use latchkey::store::{Document, MongoOpenError, MongoStore};
use mongodb::IndexModel;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, doc};
use mongodb::options::IndexOptions;

use crate::databases::Kind;
use crate::store_contract::audit_record;
use crate::stores::{Place, on_every_server};

on_every_server! {
    an_index_that_is_not_unique_is_refused
    a_database_of_a_newer_version_is_refused
    before_it_is_prepared_nothing_is_answered
}

fn client(name: &str) -> Client {
    Client::new(name.parse().unwrap(), name.to_owned(), AuthMethod::default(), Timestamp(1))
}

async fn a_killed_database_is_an_error_until_it_is_back(kind: Kind) {
    let Some(server) = kind.alone().await else { return };
    let url = server.fresh_database();
    let store = MongoStore::open(&url).unwrap();
    store.prepare().await.unwrap();
    assert_eq!(store.insert(&client("svc"), &audit_record()).await.unwrap(), Inserted::Yes);
    assert!(store.use_once(&client("svc").id, [7; 32], Timestamp(9)).await.unwrap());

    server.kill();
    let began = Instant::now();
    assert!(store.read(&client("svc").id).await.is_err());
    assert!(store.insert(&client("late"), &audit_record()).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(20), "an outage keeps nobody waiting");
    let late = MongoStore::open(&url).unwrap();
    let unprepared = late.prepare().await.unwrap_err();
    assert!(matches!(unprepared, MongoOpenError::Unreachable(_)), "{unprepared:?}");

    server.start_again().await;
    while store.ping().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the store does not find it again");
    }
    late.prepare().await.unwrap();
    for store in [&store, &late] {
        assert!(store.read(&client("svc").id).await.unwrap().is_some(), "what was answered stays");
        assert!(!store.use_once(&client("svc").id, [7; 32], Timestamp(9)).await.unwrap());
    }
}

#[tokio::test]
async fn outage_of_nx_27017() {
    a_killed_database_is_an_error_until_it_is_back(Kind::Nx27017).await;
}

#[tokio::test]
async fn outage_of_ferretdb() {
    a_killed_database_is_an_error_until_it_is_back(Kind::FerretDb).await;
}

/// Each worker of the HTTP server has a runtime of its own, and drops what its client gave up.
#[tokio::test(flavor = "multi_thread")]
async fn another_runtime_may_ask_and_go_away() {
    for kind in [Kind::MongoDb, Kind::Nx27017, Kind::FerretDb] {
        let Some(place) = Place::on(kind).await else { continue };
        let store = &place.store;
        let elsewhere = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(
                runtime.block_on(store.insert(&client("svc"), &audit_record())).unwrap(),
                Inserted::Yes
            );
        };
        tokio::task::block_in_place(elsewhere);
        assert!(store.read(&client("svc").id).await.unwrap().is_some(), "{kind:?}");
        place.clear_away().await;
    }
}

#[tokio::test]
async fn no_password_is_shown() {
    let store = MongoStore::open("mongodb://user:hunter2@localhost/platform").unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[test]
fn it_needs_a_runtime_to_live_on() {
    let refused = MongoStore::open("mongodb://localhost/platform");
    assert!(matches!(refused, Err(MongoOpenError::NoRuntime)));
}

async fn an_index_that_is_not_unique_is_refused(place: &Place) {
    let fresh = format!("{}_index", place.database().await.name());
    let url = place.url.as_ref().unwrap().replace(place.database().await.name(), &fresh);
    let database = place.database().await.client().database(&fresh);
    let clients = database.collection::<Document>("clients");
    clients
        .insert_many([doc! { "clientId": "twice" }, doc! { "clientId": "twice" }])
        .await
        .unwrap();

    let store = MongoStore::open(&url).unwrap();
    let refused = store.prepare().await.unwrap_err();
    assert!(matches!(refused, MongoOpenError::Index { collection: "clients", .. }), "{refused:?}");

    clients.delete_one(doc! { "clientId": "twice" }).await.unwrap();
    store.prepare().await.unwrap();
    database.drop().await.unwrap();
}

async fn a_database_of_a_newer_version_is_refused(place: &Place) {
    let meta = place.database().await.collection::<Document>("meta");
    for (stands, known) in
        [("1", true), ("1.7", true), ("2", true), ("3", false), ("3.0", false), ("x", false)]
    {
        let value = Binary { subtype: BinarySubtype::Generic, bytes: stands.as_bytes().to_vec() };
        meta.delete_one(doc! { "_id": "schema" }).await.unwrap();
        meta.insert_one(doc! { "_id": "schema", "value": value }).await.unwrap();
        let prepared = MongoStore::open(place.url.as_ref().unwrap()).unwrap().prepare().await;
        match prepared {
            Ok(()) => assert!(known, "{stands}"),
            Err(MongoOpenError::Newer(found)) => assert!(!known && found == stands),
            Err(error) => panic!("{stands}: {error:?}"),
        }
    }
}

async fn before_it_is_prepared_nothing_is_answered(place: &Place) {
    let store = MongoStore::open(place.url.as_ref().unwrap()).unwrap();
    assert!(store.ping().await.is_err());
    assert!(store.read(&"svc".parse().unwrap()).await.is_err());

    // Under another name, made by somebody else: it serves.
    let options = IndexOptions::builder().unique(true).name("theirs".to_owned()).build();
    let index =
        IndexModel::builder().keys(doc! { "jti": 1, "clientId": 1 }).options(options).build();
    place
        .database()
        .await
        .collection::<Document>("used_assertions")
        .create_index(index)
        .await
        .unwrap();
    store.prepare().await.unwrap();
    store.prepare().await.unwrap();
    store.ping().await.unwrap();
}
