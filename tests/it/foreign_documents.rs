//! Documents of the platform that many collections come from, as its own tools write them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use latchkey::audit::AuditQuery;
use latchkey::audit::{Action, AuditRecord};
use latchkey::clients::{Inserted, ListQuery};
use latchkey::domain::audience::Audience;
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::jwk::{Algorithm, PublicJwk};
use latchkey::domain::permission::Permission;
use latchkey::domain::state::State;
use latchkey::store::{Document, EmbeddedStore, Store};
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, doc};
use serde_json::json;

use crate::store_contract::{audit_record, ended_since};
use crate::stores::{Place, on_every_server, on_every_store};

on_every_store! {
    a_document_of_the_platform_is_a_client
    of_a_key_without_an_algorithm_the_registered_one_decides
    a_document_with_little_in_it_is_a_client
    a_rewrite_keeps_what_we_do_not_know
    limits_are_read_in_every_form_that_tools_write
    a_limit_that_cannot_be_read_is_named_until_it_is_set_anew
    a_credential_whose_end_cannot_be_read_has_ended
    a_document_is_changed_and_removed_in_whatever_form_its_revision_is
}

on_every_server! {
    an_outbox_is_emptied_also_of_what_cannot_be_read
    what_another_tool_ended_is_found_at_a_start
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
async fn document_of(store: &dyn Store, name: &str) -> Document {
    let all = store.export(None).await.unwrap().documents;
    all.into_iter().find(|held| held.get_str("clientId").is_ok_and(|id| id == name)).unwrap()
}

/// Where there is a database, its tools write there; elsewhere documents come by import.
async fn write(place: &Place, document: Document) {
    if place.url.is_some() {
        clients(place).await.insert_one(document).await.unwrap();
    } else {
        assert_eq!(place.store.import(vec![document]).await.unwrap().new, 1);
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
    assert_eq!(
        (key.verifier.jwk.kid.as_str(), key.verifier.jwk.algorithm),
        ("theirs", Algorithm::RS256)
    );
    assert_eq!(place.store.insert(&client, &audit_record()).await.unwrap(), Inserted::Duplicate);
    assert!(!place.store.holders(&"write:orders".parse().unwrap()).await.unwrap().is_empty());
    let page = place.store.list(&ListQuery { after: None, limit: 10 }).await.unwrap().unwrap();
    assert_eq!(page.clients, [client]);
}

/// RFC 7591 §2.
async fn of_a_key_without_an_algorithm_the_registered_one_decides(place: &Place) {
    #[rustfmt::skip]
    let cases = [
        // why                     alg of the key   registered       signs
        ("neither",                Bson::Null,      Bson::Null,      Algorithm::RS256),
        ("registered",             Bson::Null,      "PS256".into(),  Algorithm::PS256),
        ("registered, unfitting",  Bson::Null,      "ES256".into(),  Algorithm::RS256),
        ("the key says another",   "RS256".into(),  "PS256".into(),  Algorithm::RS256),
    ];
    for (index, (why, alg, registered, signs)) in cases.into_iter().enumerate() {
        let name = format!("signs{index}");
        let mut document = of_the_platform();
        document.insert("_id", ObjectId::new());
        document.insert("clientId", &name);
        document.insert("authSigningAlg", registered);
        let key = document.get_document_mut("publicKey").unwrap();
        key.insert("alg", alg);
        write(place, document).await;
        assert_eq!(read(&*place.store, &name).await.keys[0].verifier.jwk.algorithm, signs, "{why}");
    }
}

async fn a_document_with_little_in_it_is_a_client(place: &Place) {
    write(place, doc! { "clientId": "little", "name": "Little", "permissions": [] }).await;
    let client = read(&*place.store, "little").await;
    assert_eq!(client.state, State::Draft, "nobody published it");
    assert_eq!(client.revision.version, None);

    let published = Client { state: State::Public, ..client.clone() };
    assert!(place.store.replace(&client, &published, &audit_record()).await.unwrap());
    let found = read(&*place.store, "little").await;
    assert_eq!((found.state, found.revision.version), (State::Public, Some(1)));
    assert!(found.revision.updated_at_ms.is_some());
    assert!(!place.store.replace(&client, &published, &audit_record()).await.unwrap(), "once");
}

async fn a_rewrite_keeps_what_we_do_not_know(place: &Place) {
    write(place, of_the_platform()).await;
    let client = read(&*place.store, "orders").await;
    let ours = PublicJwk::parse(&json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }));
    let mut keys = client.keys.clone();
    keys.push(Credential::of_key(ours.unwrap(), Timestamp(1_700_000_000)));
    let changed = Client { groups: vec!["new".to_owned()], keys, ..client.clone() };
    assert!(place.store.replace(&client, &changed, &audit_record()).await.unwrap());

    let found = read(&*place.store, "orders").await;
    assert_eq!(found, Client { revision: found.revision, ..changed });
    let (before, after) = (of_the_platform(), document_of(&*place.store, "orders").await);
    for kept in ["_id", "publicKey", "unknown", "allowedCustomClaims", "createdAt", "lastLogin"] {
        let json =
            |document: &Document| document.get(kept).cloned().map(Bson::into_relaxed_extjson);
        assert_eq!(json(&after), json(&before), "{kept}");
    }
}

async fn limits_are_read_in_every_form_that_tools_write(place: &Place) {
    const PAST: i64 = 1_577_836_800; // 2020-01-01T00:00:00Z
    #[expect(clippy::cast_precision_loss, reason = "small enough")]
    let ends: [Bson; 7] = [
        Bson::DateTime(DateTime::from_millis(PAST * 1000)),
        Bson::from(PAST),
        Bson::Int64(PAST * 1000),
        Bson::Double(PAST as f64 + 0.5),
        "2020-01-01T00:00:00Z".into(),
        "2020-01-01".into(),
        "1577836800".into(),
    ];
    let secrets = ends.map(|end| doc! { "hash": "$2b$04$x", "expiresAt": end });
    let written = doc! {
        "clientId": "svc", "__STATE__": "PUBLIC", "secrets": secrets.to_vec(),
        "audience": "orders", "permissions": "read:orders", "groups": "one",
        "allowedCustomClaims": "tenant", "grantTypes": "client_credentials", "scope": ["a", "b"],
        "accessTokenLifetime": "600", "quotaPerHour": 5.0, "quotaPerDay": 7_i64,
        "legacyAudience": "2020-01-01", "tokenEpoch": "3",
    };
    write(place, written).await;
    let client = read(&*place.store, "svc").await;
    assert_eq!(client.unreadable, []);
    assert!(client.is_in_use());
    assert_eq!(client.secrets.len(), 7);
    for secret in &client.secrets {
        assert_eq!(secret.expires, Some(Timestamp(1_577_836_800)), "{secret:?}");
    }
    let expected = Client {
        state: State::Public,
        audience: vec!["orders".parse().unwrap()],
        permissions: vec!["read:orders".parse().unwrap()],
        groups: vec!["one".to_owned()],
        allowed_custom_claims: vec!["tenant".to_owned()],
        grant_types: Some(vec!["client_credentials".to_owned()]),
        scope: "a b".parse().unwrap(),
        access_token_lifetime: Some(Duration::from_secs(600)),
        quota_per_hour: Some(5),
        quota_per_day: Some(7),
        legacy_audience: Some(Timestamp(1_577_836_800)),
        token_epoch: 3,
        ..client.clone()
    };
    assert_eq!(client, expected);
    let holders = place.store.holders(&"read:orders".parse().unwrap()).await.unwrap();
    assert_eq!(holders, [client]);
    let statuses = place.store.statuses(&["svc".parse().unwrap()]).await.unwrap();
    assert_eq!((statuses[0].state, statuses[0].epoch), (State::Public, 3));
}

async fn a_limit_that_cannot_be_read_is_named_until_it_is_set_anew(place: &Place) {
    let store = &*place.store;
    let limits = doc! {
        "audience": 7, "permissions": [7], "groups": { "a": "b" }, "scope": "\u{e9}",
        "allowedCustomClaims": true, "grantTypes": 7, "accessTokenLifetime": "ten minutes",
        "quotaPerHour": -1, "quotaPerDay": 0.5, "legacyAudience": "soon", "tokenEpoch": "x",
        "__STATE__": "public", "authMethod": "none", "jwksUri": 7, "keys": 7, "secrets": "hunter2",
        "authSigningAlg": "rs256", "provenance": "somehow", "formerClientIds": 7,
    };
    for (member, value) in limits {
        let mut document = of_the_platform();
        document.extend(doc! { "_id": ObjectId::new(), "clientId": &member, "audience": ["a"] });
        document.remove("publicKey");
        document.insert(&member, value);
        write(place, document).await;
        let client = read(store, &member).await;
        let named: Vec<&str> = client.unreadable.iter().map(|it| it.member.as_str()).collect();
        assert_eq!(named, [member.as_str()]);
        assert!(!client.is_in_use(), "{member}");
        let standing = &store.statuses(std::slice::from_ref(&client.id)).await.unwrap()[0];
        let ends_tokens = ["tokenEpoch", "__STATE__"].contains(&member.as_str());
        assert_eq!(standing.state == State::Draft, ends_tokens, "{member}: {standing:?}");

        let renamed = Client { name: "renamed".to_owned(), ..client };
        let before = read(store, &member).await;
        assert!(store.replace(&before, &renamed, &audit_record()).await.unwrap(), "{member}");
        let found = read(store, &member).await;
        assert_eq!(found.unreadable, before.unreadable, "another change leaves it as it is");
        let repaired = Client { unreadable: Vec::new(), ..found.clone() };
        assert!(store.replace(&found, &repaired, &audit_record()).await.unwrap(), "{member}");
        let found = read(store, &member).await;
        assert_eq!(found, Client { revision: found.revision, ..repaired }, "{member}");
        let kept = document_of(store, &member).await.get("unknown").cloned();
        let kept = kept.map(Bson::into_relaxed_extjson);
        assert_eq!(kept, Some(json!({ "deep": [1, { "er": "x" }] })), "{member}");
    }
    assert_eq!(store.unreadable().clients, 19, "each is counted once");
}

async fn a_credential_whose_end_cannot_be_read_has_ended(place: &Place) {
    let store = &*place.store;
    let mut document = of_the_platform();
    document.extend(doc! {
        "secrets": [
            { "hash": "$2b$04$x", "expiresAt": "soon" },
            { "hash": "$2b$04$x", "expiresAt": DateTime::from_millis(-1) },
            { "hash": "$2b$04$x", "expiresAt": null },
        ],
        "keys": [{ "id": "x", "expiresAt": ["soon"] }],
    });
    write(place, document).await;
    let client = read(store, "orders").await;
    let named: Vec<&str> = client.unreadable.iter().map(|it| it.member.as_str()).collect();
    assert_eq!(named, ["secrets[0].expiresAt", "keys[0].expiresAt"]);
    let ends: Vec<_> = client.secrets.iter().map(|secret| secret.expires).collect();
    assert_eq!(ends, [Some(Timestamp(0)), Some(Timestamp(0)), None]);

    let without = Client { secrets: client.secrets[1..].to_vec(), ..client.clone() };
    assert!(store.replace(&client, &without, &audit_record()).await.unwrap());
    let found = read(store, "orders").await;
    let named: Vec<&str> = found.unreadable.iter().map(|it| it.member.as_str()).collect();
    assert_eq!(named, ["keys[0].expiresAt"]);
}

async fn a_document_is_changed_and_removed_in_whatever_form_its_revision_is(place: &Place) {
    let store = &*place.store;
    let date = DateTime::from_millis(1_577_836_800_000);
    let list = Bson::Array(vec!["1".into()]);
    #[rustfmt::skip]
    let cases: [(&str, Bson, Bson); 11] = [
        // why                  updatedAt                      version
        ("date-text",           "2020-01-01T00:00:00Z".into(), 1.into()),
        ("date-seconds",        Bson::Int64(1_577_836_800),    1.into()),
        ("date-part",           Bson::Double(1.5),             1.into()),
        ("version-text",        date.into(),                   "1".into()),
        ("version-word",        date.into(),                   "one".into()),
        ("version-part",        date.into(),                   1.5.into()),
        ("version-flag",        date.into(),                   true.into()),
        ("version-list",        date.into(),                   list.clone()),
        ("version-date",        date.into(),                   date.into()),
        ("version-null",        date.into(),                   Bson::Null),
        ("both",                "2020-01-01".into(),           "1".into()),
    ];
    for (why, updated_at, version) in cases {
        let of = |name: &str| doc! { "clientId": name, "creatorId": "public", "updatedAt": &updated_at, "version": &version };
        write(place, of(why)).await;
        let client = read(store, why).await;
        let changed = Client { name: "renamed".to_owned(), ..client.clone() };
        assert!(store.replace(&client, &changed, &audit_record()).await.unwrap(), "{why}");
        assert!(!store.replace(&client, &changed, &audit_record()).await.unwrap(), "{why}, once");
        assert_eq!(read(store, why).await.name, "renamed");

        for (how, is_unused) in [("removed", false), ("unused", true)] {
            let name = format!("{why}-{how}");
            write(place, of(&name)).await;
            let client = read(store, &name).await;
            let removed = match is_unused {
                true => store.remove_unused(&client, &audit_record()).await,
                false => store.remove(&client, &audit_record()).await,
            };
            assert!(removed.unwrap(), "{name}");
            assert!(store.read(&client.id).await.unwrap().is_none(), "{name}");
        }
    }
}

/// More at the head than are moved in one go.
async fn an_outbox_is_emptied_also_of_what_cannot_be_read(place: &Place) {
    let store = &*place.store;
    let first = AuditRecord::first_id(Timestamp(1_600_000_000));
    let deep = format!(
        r#"{{"id":"{first}deep","at":1600000000,"action":"client.updated",
        "actor":"alice","client_id":"svc","after":{{"metadata":{}{}}}}}"#,
        "[".repeat(126),
        "]".repeat(126)
    );
    let newer = format!(
        r#"{{"id":"{first}newer","at":1600000000,"action":"client.exploded","actor":"bob"}}"#
    );
    let outboxes: [(&str, Bson); 6] = [
        ("deep", Bson::from(doc! { format!("{first}deep"): deep })),
        ("newer", Bson::from(doc! { format!("{first}newer"): &newer })),
        ("garbage", Bson::from(doc! { format!("{first}garbage"): "{" })),
        ("number", Bson::from(doc! { format!("{first}number"): 7 })),
        ("text", Bson::from("7")),
        ("gone", Bson::Null),
    ];
    for (name, outbox) in &outboxes {
        let last = format!("{first}{name}");
        let document = doc! { "clientId": name, "outbox": outbox, "outboxLast": last };
        clients(place).await.insert_one(document).await.unwrap();
    }
    let svc =
        Client::new("svc".parse().unwrap(), "Svc".to_owned(), AuthMethod::default(), Timestamp(1));
    let good = audit_record();
    assert_eq!(store.insert(&svc, &good).await.unwrap(), Inserted::Yes);

    while store.move_on(2).await.unwrap() > 0 {}
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let records = store.records(&query).await.unwrap();
    let found: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let names = outboxes.iter().map(|(name, _)| format!("{first}{name}")).collect::<Vec<_>>();
    let all = names.iter().map(String::as_str).chain([good.id.as_str()]);
    assert_eq!(found, all.collect());
    let of = |name: &str| records.iter().find(|it| it.id == format!("{first}{name}")).unwrap();
    assert_eq!((of("deep").action, of("deep").actor.as_str()), (Action::ClientUpdated, "alice"));
    assert_eq!(of("deep").client_id, Some("svc".parse().unwrap()));
    assert_eq!((of("newer").action, of("newer").actor.as_str()), (Action::Unreadable, "bob"));
    assert_eq!(of("newer").after["action"], "client.exploded");
    for name in ["garbage", "number", "text", "gone"] {
        assert_eq!((of(name).action, of(name).at), (Action::Unreadable, Timestamp(1_600_000_000)));
    }
    let left = clients(place).await.count_documents(doc! { "outboxLast": { "$gte": "" } }).await;
    assert_eq!(left.unwrap(), 0, "nothing stays at the head");
    assert_eq!(store.untold(Timestamp(0), 100).await.unwrap().len(), 7);
    assert_eq!(store.unreadable().records, 6);
    let audit: Collection<Document> = place.database().await.collection("audit");
    let kept = audit.find_one(doc! { "_id": format!("{first}newer") }).await.unwrap().unwrap();
    assert_eq!(kept.get_str("record").unwrap(), newer, "a newer version can read it");
    let asked = AuditQuery { action: Some("client.exploded".to_owned()), ..query };
    assert_eq!(store.records(&asked).await.unwrap().len(), 1);
}

async fn what_another_tool_ended_is_found_at_a_start(place: &Place) {
    const UNREADABLE: u64 = 1 << 32;
    let (now, old) = (DateTime::now(), DateTime::from_millis(1_577_836_800_000));
    let list = |item: Bson| Bson::Array(vec![item]);
    #[rustfmt::skip]
    let cases: [(&str, Bson, Bson, Option<u64>); 22] = [
        // why                        tokenEpoch              updatedAt            found with
        ("a number",                  3.into(),               now.into(),          Some(3)),
        ("a double",                  3.0.into(),             now.into(),          Some(3)),
        ("a text",                    "3".into(),             now.into(),          Some(3)),
        ("a text of words",           "three".into(),         now.into(),          Some(UNREADABLE)),
        ("a negative number",         (-1).into(),            now.into(),          Some(UNREADABLE)),
        ("a flag",                    false.into(),           now.into(),          Some(UNREADABLE)),
        ("a date",                    now.into(),             now.into(),          Some(UNREADABLE)),
        ("an empty list",             Bson::Array(vec![]),    now.into(),          Some(UNREADABLE)),
        ("a list of zero",            list(0.into()),         now.into(),          Some(UNREADABLE)),
        ("an object",                 doc! { "a": 1 }.into(), now.into(),          Some(UNREADABLE)),
        ("zero",                      0.into(),               now.into(),          None),
        ("zero as a double",          0.0.into(),             now.into(),          None),
        ("zero as text",              "0".into(),             now.into(),          None),
        ("null",                      Bson::Null,             now.into(),          None),
        ("long ago",                  3.into(),               old.into(),          None),
        ("changed at a text",         3.into(),               "2020-01-01".into(), Some(3)),
        ("changed at seconds",        3.into(),               1_577_836_800.into(), Some(3)),
        ("changed at a flag",         3.into(),               true.into(),         Some(3)),
        ("changed at a list",         3.into(),               list(old.into()),    Some(3)),
        ("changed at null",           3.into(),               Bson::Null,          Some(3)),
        ("never changed",             3.into(),               Bson::Undefined,     Some(3)),
        ("nothing ended, never changed", 0.into(),            Bson::Undefined,     None),
    ];
    for (why, epoch, updated_at, _) in &cases {
        let mut document = doc! { "clientId": why, "__STATE__": "PUBLIC", "tokenEpoch": epoch };
        // Undefined stands for a member that is not there.
        if *updated_at != Bson::Undefined {
            document.insert("updatedAt", updated_at);
        }
        clients(place).await.insert_one(document).await.unwrap();
    }
    let ended = ended_since(&*place.store, now.timestamp_millis() - 60_000, 4).await;
    let ended: BTreeMap<&str, u64> = ended.iter().map(|it| (it.id.as_str(), it.epoch)).collect();
    let expected = cases.iter().filter_map(|(why, _, _, epoch)| Some((*why, (*epoch)?)));
    assert_eq!(ended, expected.collect());
}

async fn what_another_tool_changes_is_seen(place: &Place) {
    let store = &*place.store;
    let client =
        Client::new("svc".parse().unwrap(), "Svc".to_owned(), AuthMethod::default(), Timestamp(1));
    assert_eq!(store.insert(&client, &audit_record()).await.unwrap(), Inserted::Yes);
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
    let since_ms = before.revision.updated_at_ms.unwrap();
    let changes = store.changed_since(since_ms, None, 1000).await.unwrap();
    let [standing] = &changes.statuses[..] else { panic!("{changes:?}") };
    assert_eq!((&standing.id, standing.updated_at_ms), (&after.id, at));

    assert!(
        store.replace(&after, &before, &audit_record()).await.unwrap(),
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
    let keys = [&slot, &second].map(|jwk| Credential::of_key(jwk.clone(), Timestamp(1)));
    let client = Client {
        keys: keys.to_vec(),
        ..Client::new(
            "svc".parse().unwrap(),
            "Svc".to_owned(),
            AuthMethod::PrivateKeyJwt,
            Timestamp(1),
        )
    };
    assert_eq!(store.insert(&client, &audit_record()).await.unwrap(), Inserted::Yes);

    let theirs = of_the_platform().get_document("publicKey").unwrap().clone();
    let replaced = doc! { "$set": { "publicKey": theirs }, "$currentDate": { "updatedAt": true } };
    clients(place).await.update_one(doc! { "clientId": "svc" }, replaced).await.unwrap();
    let found = read(store, "svc").await;
    let kids: Vec<&str> = found.keys.iter().map(|key| key.verifier.jwk.kid.as_str()).collect();
    assert_eq!(kids, ["theirs", second.kid.as_str()]);

    let taken = doc! { "$unset": { "publicKey": "" }, "$currentDate": { "updatedAt": true } };
    clients(place).await.update_one(doc! { "clientId": "svc" }, taken).await.unwrap();
    assert_eq!(
        read(store, "svc").await.keys.iter().map(|key| &key.verifier.jwk).collect::<Vec<_>>(),
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
        Bson::from(DateTime::from_millis(1_577_836_800_000)),
        Bson::from(DateTime::from_millis(-1_577_836_800_000)),
        Bson::from(doc! { "system": "a", "number": 1 }),
        Bson::from(doc! { "system": "b", "number": 1 }),
        Bson::Boolean(true),
        Bson::Boolean(false),
    ];
    for (number, id) in ids.iter().enumerate() {
        let document = doc! { "_id": id, "clientId": format!("svc{number}") };
        clients(place).await.insert_one(document).await.unwrap();
    }
    for limit in 1..=ids.len() + 1 {
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
        let (first, others) = found.split_at(6);
        assert_eq!(first, ["svc4", "svc1", "svc3", "svc0", "svc5", "svc2"], "{limit} at a time");
        let others: BTreeSet<&str> = others.iter().map(String::as_str).collect();
        let expected = ["svc6", "svc7", "svc8", "svc9", "svc10", "svc11"];
        assert_eq!(others, expected.into_iter().collect(), "{limit} at a time");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = EmbeddedStore::open(elsewhere.path()).unwrap();
    let exported = place.store.export(None).await.unwrap().documents;
    assert_eq!(elsewhere.import(exported).await.unwrap().new, ids.len());
}
