//! Clients of Ory Hydra, as `hydra list clients --format json` prints them. It shows no secrets.

use serde_json::{Value, json};

use super::{Foreign, keys, text};

const CLIENT_CREDENTIALS: &str = "client_credentials";

pub(super) fn translated(client: &Value) -> Foreign {
    let grants = client.get("grant_types").and_then(Value::as_array);
    if grants.is_some_and(|grants| !grants.iter().any(|grant| grant == CLIENT_CREDENTIALS)) {
        let client_id = text(client, "client_id").unwrap_or_default().to_owned();
        return Foreign::Other { client_id, why: "it does not use the client credentials grant" };
    }
    Foreign::Client(json!({
        "clientId": client.get("client_id"),
        "name": text(client, "client_name"),
        "authMethod": text(client, "token_endpoint_auth_method"),
        "audience": client.get("audience"),
        "scope": client.get("scope"),
        "metadata": client.get("metadata"),
        "authSigningAlg": text(client, "token_endpoint_auth_signing_alg"),
        // One that cannot be read is refused as it stands.
        "accessTokenLifetime": text(client, "client_credentials_grant_access_token_lifespan")
            .map(|lifespan| seconds(lifespan).map_or_else(|| lifespan.into(), Value::from)),
        "createdAt": text(client, "created_at"),
        "__STATE__": "PUBLIC",
        "keys": client.get("jwks").and_then(keys),
    }))
}

/// A duration as Go writes it, where it is of whole hours, minutes and seconds: `1h0m0s`.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut all = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(end);
        let (worth, behind) = match unit.split_at_checked(1)? {
            ("h", behind) => (3600, behind),
            ("m", behind) => (60, behind),
            ("s", behind) => (1, behind),
            _ => return None,
        };
        all = all.checked_add(number.parse::<u64>().ok()?.checked_mul(worth)?)?;
        rest = behind;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_name_and_its_keys() {
        let client = json!({
            "client_id": "svc", "client_name": "", "grant_types": ["client_credentials"],
            "scope": "a b", "audience": ["x"], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [{ "kty": "OKP" }] }, "created_at": "2026-01-02T03:04:05Z",
            "client_credentials_grant_access_token_lifespan": "1h30m0s",
            "token_endpoint_auth_signing_alg": "ES256",
        });
        let Foreign::Client(document) = translated(&client) else { panic!("it is one") };
        for (member, value) in [
            ("clientId", json!("svc")),
            ("name", Value::Null),
            ("authMethod", json!("private_key_jwt")),
            ("scope", json!("a b")),
            ("audience", json!(["x"])),
            ("keys", json!([{ "jwk": { "kty": "OKP" } }])),
            ("accessTokenLifetime", json!(5400)),
            ("authSigningAlg", json!("ES256")),
            ("__STATE__", json!("PUBLIC")),
        ] {
            assert_eq!(document[member], value, "{member}");
        }
        let lifespan = json!({
            "client_id": "svc", "client_credentials_grant_access_token_lifespan": "1.5h",
            "token_endpoint_auth_signing_alg": "",
        });
        let Foreign::Client(document) = translated(&lifespan) else { panic!("it is one") };
        assert_eq!(document["accessTokenLifetime"], "1.5h", "it is not lost");
        assert_eq!(document["authSigningAlg"], Value::Null);
        let other =
            translated(&json!({ "client_id": "web", "grant_types": ["authorization_code"] }));
        assert!(matches!(other, Foreign::Other { client_id, .. } if client_id == "web"));
    }

    #[test]
    fn durations_of_go() {
        for (text, expected) in [
            ("1h0m0s", Some(3600)),
            ("90s", Some(90)),
            ("1.5h", None),
            ("100ms", None),
            ("h", None),
            ("5", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
