//! Clients of Keycloak, as a realm export has them.

use serde_json::{Value, json};

use crate::clients::public_key;

use super::{Foreign, keys, text};

/// What Keycloak shows instead of a secret.
const MASKED: &str = "**********";
const PRIVATE_KEY_JWT: &str = "private_key_jwt";

pub(super) fn translated(client: &Value) -> Foreign {
    let is = |name: &str| client.get(name).and_then(Value::as_bool);
    if is("serviceAccountsEnabled") != Some(true) {
        let client_id = text(client, "clientId").unwrap_or_default().to_owned();
        return Foreign::Other { client_id, why: "it has no service account" };
    }
    let method = match text(client, "clientAuthenticatorType") {
        Some("client-secret") => "client_secret_basic",
        Some("client-jwt") => PRIVATE_KEY_JWT,
        // Others are refused by their own names.
        other => other.unwrap_or_default(),
    };
    let by_key = method == PRIVATE_KEY_JWT;
    let secret = text(client, "secret").filter(|secret| *secret != MASKED && !by_key);
    Foreign::Client(json!({
        "clientId": client.get("clientId"),
        "name": text(client, "name"),
        "metadata": text(client, "description")
            .map_or(json!({}), |description| json!({ "description": description })),
        // -1 is as long as the session of a user, whom no client has here.
        "accessTokenLifetime": attribute(client, "access.token.lifespan")
            .filter(|seconds| *seconds != "-1"),
        "__STATE__": if is("enabled") == Some(false) { "DRAFT" } else { "PUBLIC" },
        "authMethod": method,
        "keys": by_key.then(|| registered_keys(client)),
        "clientSecret": secret,
    }))
}

fn attribute<'a>(client: &'a Value, name: &str) -> Option<&'a str> {
    text(client.get("attributes")?, name)
}

/// A JWK Set as text, or one key as the base64 of its DER. Keys behind a URL are not there.
fn registered_keys(client: &Value) -> Vec<Value> {
    let set = attribute(client, "jwks.string").and_then(|set| serde_json::from_str(set).ok());
    if let Some(keys) = set.as_ref().and_then(keys) {
        return keys;
    }
    let der = attribute(client, "jwt.credential.public.key");
    let key =
        der.and_then(|der| public_key::from_pem(&armoured(der)).ok()?.signing_with(None).ok());
    key.map(|key| json!({ "jwk": key.to_json() })).into_iter().collect()
}

fn armoured(base64: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(more: &Value) -> Value {
        let mut client = json!({ "clientId": "svc", "serviceAccountsEnabled": true });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match translated(&client) {
            Foreign::Client(document) => document,
            Foreign::Other { why, .. } => panic!("{why}"),
        }
    }

    #[test]
    fn a_secret_comes_along_unless_it_is_masked() {
        let with = |secret: &str| {
            document(&json!({ "clientAuthenticatorType": "client-secret", "secret": secret }))
        };
        assert_eq!(with("hunter2")["clientSecret"], "hunter2");
        assert_eq!(with("hunter2")["authMethod"], "client_secret_basic");
        assert_eq!(with(MASKED)["clientSecret"], Value::Null);
    }

    #[test]
    fn keys_in_either_form() {
        const DER: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let with = |name: &str, value: &str| {
            let attributes = json!({ name: value });
            document(&json!({ "clientAuthenticatorType": "client-jwt", "attributes": attributes }))
        };
        assert_eq!(
            with("jwt.credential.public.key", DER)["keys"][0]["jwk"]["x"],
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
        let set = r#"{"keys":[{"kty":"OKP"}]}"#;
        assert_eq!(with("jwks.string", set)["keys"], json!([{ "jwk": { "kty": "OKP" } }]));
        assert_eq!(with("jwks.url", "https://a.test/jwks")["keys"], json!([]));
    }

    #[test]
    fn what_it_is_called_and_whether_it_is_in_use() {
        let client = document(&json!({
            "clientAuthenticatorType": "client-x509", "name": "", "enabled": false,
            "description": "reads orders", "attributes": { "access.token.lifespan": "300" },
        }));
        assert_eq!(client["__STATE__"], "DRAFT");
        assert_eq!(client["authMethod"], "client-x509");
        assert_eq!(client["metadata"]["description"], "reads orders");
        assert_eq!(
            (&client["name"], &client["accessTokenLifetime"]),
            (&Value::Null, &json!("300"))
        );
        let web = translated(&json!({ "clientId": "web", "serviceAccountsEnabled": false }));
        assert!(matches!(web, Foreign::Other { client_id, .. } if client_id == "web"));
    }
}
