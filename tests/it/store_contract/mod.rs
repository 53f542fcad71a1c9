//! What every store promises: one contract. The stores it is held against are in `stores.rs`.

mod audit;
mod clients;
mod key_holders;
mod quotas;
mod sharing;
mod unused;
mod upkeep;

use std::sync::LazyLock;
use std::time::Duration;

use latchkey::audit::{Action, AuditRecord, Author, Recorder};
use latchkey::clients::Inserted;
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Provenance;
use latchkey::domain::client::{Client, StoredSecret};
use latchkey::domain::clock::Timestamp;
use latchkey::domain::credential::Credential;
use latchkey::domain::id::{ClientId, CredentialId};
use latchkey::domain::jwk::PublicJwk;
use latchkey::domain::registration_token::{RegistrationToken, StoredRegistrationToken};
use latchkey::domain::secret_hash::SecretHash;
use latchkey::domain::state::State;
use latchkey::oauth::logins::Login;
use latchkey::replication::ClientStatus;
use latchkey::store::Store;
use serde_json::{Map, Value, json};

pub fn id(text: &str) -> ClientId {
    text.parse().unwrap()
}

/// Some audit record, a new one each time.
pub fn audit_record() -> AuditRecord {
    static RECORDER: LazyLock<Recorder> = LazyLock::new(Recorder::default);
    let (author, now) = (Author::server(), Timestamp(1_700_000_000));
    RECORDER.record(&author, Action::ClientUpdated, Map::new(), now).unwrap()
}

pub fn client(name: &str) -> Client {
    Client::new(id(name), name.to_owned(), AuthMethod::default(), Timestamp(1_700_000_000))
}

fn key(jwk: &Value) -> PublicJwk {
    PublicJwk::parse(jwk).unwrap()
}

/// RFC 7638 §3.1, RFC 8037 Appendix A.2 and RFC 7517 Appendix A.1.
pub fn jwks() -> [PublicJwk; 3] {
    [
        key(
            &json!({ "kty": "RSA", "kid": "2011-04-29", "alg": "RS256", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" }),
        ),
        key(
            &json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        ),
        key(
            &json!({ "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" }),
        ),
    ]
}

pub fn secret(name: &str, checksummed: bool) -> Credential<StoredSecret> {
    let hash = SecretHash::stored(&format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${name}"));
    let stored = StoredSecret { hash, checksummed };
    Credential::new(CredentialId::from(name), stored, Timestamp(1_700_000_001))
}

pub fn full_client() -> Client {
    let [rsa, ed25519, ec] = jwks();
    let Value::Object(metadata) = json!({
        "text": "é \" \\ \u{1F511}", "whole": 7, "large": 9_007_199_254_740_993_i64, "part": 1.5,
        "none": null, "yes": true, "list": [1, "two", { "three": [] }], "empty": {},
    }) else {
        unreachable!()
    };
    let ending = |jwk| Credential {
        expires: Some(Timestamp(1_900_000_000)),
        ..Credential::of_key(jwk, Timestamp(1_700_000_002))
    };
    let mut ed25519 = Credential::of_key(ed25519, Timestamp(1_700_000_003));
    ed25519.verifier.algorithm_is_open = true;
    Client {
        name: "Çlient \"full\"".to_owned(),
        auth_method: AuthMethod::PrivateKeyJwt,
        state: State::Draft,
        permissions: vec!["read:orders".parse().unwrap(), "latchkey:admin".parse().unwrap()],
        audience: vec!["orders".parse().unwrap(), "https://api.example.com/".parse().unwrap()],
        scope: "openid orders:read".parse().unwrap(),
        groups: vec!["one".to_owned(), "two".to_owned()],
        allowed_custom_claims: vec!["tenant".to_owned()],
        grant_types: Some(vec!["client_credentials".to_owned()]),
        metadata,
        access_token_lifetime: Some(Duration::from_secs(600)),
        quota_per_hour: Some(100),
        quota_per_day: Some(5_000_000_000),
        legacy_audience: Some(Timestamp(1_800_000_000)),
        token_epoch: 3,
        secrets: vec![
            Credential { expires: Some(Timestamp(1_900_000_000)), ..secret("first", true) },
            secret("second", false),
        ],
        keys: vec![ending(rsa), ed25519, ending(ec)],
        registration_tokens: vec![StoredRegistrationToken::new(
            RegistrationToken::from("lkr_x").digest(),
            Timestamp(1_700_000_004),
        )],
        creator: "alice".to_owned(),
        former_ids: vec![id("once"), id("twice")],
        provenance: Some(Provenance::Imported),
        updater: "bob".to_owned(),
        ..client("full")
    }
}

/// A login that says nothing of its credential.
pub fn login(client: &ClientId, at: Timestamp) -> Login {
    Login { client: client.clone(), at: Some(at), used: Vec::new() }
}

pub async fn add(store: &dyn Store, client: &Client) -> Client {
    assert_eq!(store.insert(client, &audit_record()).await.unwrap(), Inserted::Yes);
    read(store, &client.id).await
}

pub async fn read(store: &dyn Store, id: &ClientId) -> Client {
    store.read(id).await.unwrap().unwrap()
}

/// What a start reads of clients that ended, page by page.
pub async fn ended_since(store: &dyn Store, since_ms: i64, limit: usize) -> Vec<ClientStatus> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.ended_since(since_ms, after.as_deref(), limit).await.unwrap();
        assert!(page.looked_at <= limit, "{page:?}");
        found.extend(page.statuses);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}
