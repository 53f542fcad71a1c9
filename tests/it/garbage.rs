//! Whatever is sent, the answer is never a fault of ours.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::harness::{FORM, Server, base64url};

/// Runs a property against a server, on a thread of its own: the library knows no futures.
async fn holds<S>(strategy: fn() -> S, path: &'static str, media_type: &'static str)
where
    S: Strategy<Value = Vec<u8>> + 'static,
{
    let server = Server::start().await;
    let url = format!("{}{path}", server.url);
    let outcome = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = reqwest::Client::new();
        let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy(), |body| {
            let request = http.post(&url).header("content-type", media_type).body(body);
            let response = runtime.block_on(request.send());
            let (status, body) = runtime.block_on(async {
                let response = response.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            });
            prop_assert!((200..500).contains(&status), "{} {}", status, body);
            let body: Result<Value, _> = serde_json::from_str(&body);
            prop_assert!(body.is_ok_and(|body| body.is_object()));
            Ok(())
        })
    });
    outcome.await.unwrap().unwrap();
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[A-Za-z0-9_-]{0,64}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((member(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    let known = [
        "alg",
        "kid",
        "typ",
        "crit",
        "b64",
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "requested_audiences",
        "client_name",
        "token_endpoint_auth_method",
        "grant_types",
        "response_types",
        "public_key",
        "public_key_pem",
        "jwks",
        "jwks_uri",
        "proof",
        "keys",
        "kty",
        "crv",
        "n",
        "e",
        "x",
        "y",
        "use",
        "key_ops",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn object() -> impl Strategy<Value = Value> {
    vec((member(), json_value()), 0..10)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn forms() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "grant_type",
            "client_id",
            "client_secret",
            "client_assertion",
            "scope",
            "audience",
            "client_assertion_type",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let value = prop_oneof![Just("client_credentials".to_owned()), any::<String>()];
    let forms = vec((name, value), 0..6).prop_map(|pairs| {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
    });
    prop_oneof![forms, vec(any::<u8>(), 0..256)]
}

#[actix_web::test]
async fn garbage_forms() {
    holds(forms, "/oauth/token", FORM).await;
}

fn assertions() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        object().prop_map(|part| base64url(part.to_string())),
        json_value().prop_map(|part| base64url(part.to_string())),
        vec(any::<u8>(), 0..64).prop_map(base64url),
        "[A-Za-z0-9_=.-]{0,64}",
    ];
    let whole = prop_oneof![
        4 => vec(part, 3..4).prop_map(|parts| parts.join(".")),
        1 => any::<String>(),
    ];
    whole.prop_map(|assertion| {
        form_urlencoded::Serializer::new("grant_type=client_credentials".to_owned())
            .append_pair("client_assertion", &assertion)
            .append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .finish()
            .into_bytes()
    })
}

#[actix_web::test]
async fn garbage_assertions() {
    holds(assertions, "/oauth/token", FORM).await;
}

fn registrations() -> impl Strategy<Value = Vec<u8>> {
    let named = (object(), object()).prop_map(|(mut metadata, key)| {
        metadata["client_name"] = "c".into();
        metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
        metadata["public_key"] = key;
        metadata
    });
    let sets = vec(object(), 0..3).prop_map(|keys| {
        json!({
            "client_name": "c", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": keys },
        })
    });
    prop_oneof![
        object().prop_map(|body| body.to_string().into_bytes()),
        named.prop_map(|body| body.to_string().into_bytes()),
        sets.prop_map(|body| body.to_string().into_bytes()),
        json_value().prop_map(|body| body.to_string().into_bytes()),
        vec(any::<u8>(), 0..256),
    ]
}

#[actix_web::test]
async fn garbage_registrations() {
    holds(registrations, "/register", "application/json").await;
}
