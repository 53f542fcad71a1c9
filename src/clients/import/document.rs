//! A client document as another platform's database holds it, read strictly: unlike a document that
//! is in our own store already, one that is brought can be sent back with the reason.

use serde_json::Value;

use crate::clients::ClientLimits;
use crate::clients::error::{ClientsError, refused};
use crate::clients::public_key::LeftOut;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::Client;
use crate::domain::client::Provenance;
use crate::domain::clock::Timestamp;
use crate::domain::id::{FORMER_SERVER, NOBODY};
use crate::domain::printable::misfit;
use crate::domain::secret::ClientSecret;

use super::credentials::{self};
use super::members::Members;
use super::{extended, values};

/// Far above any that was counted, and far below what a store can hold.
const HIGHEST_EPOCH: u64 = 1 << 40;

/// A client as it is brought, before anything was kept of its secret.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) client: Client,
    /// Its secret, if it comes in plain.
    pub(super) secret: Option<ClientSecret>,
    /// Keys that cannot be used, beside some that can.
    pub(super) left_out: Vec<LeftOut>,
}

/// Reads one document.
pub(super) fn read(
    document: Value,
    limits: &ClientLimits,
    now: Timestamp,
) -> Result<Brought, ClientsError> {
    let document = extended::plain(document);
    if !document.is_object() {
        return refused("this is not a JSON object");
    }
    let members: Members = serde_path_to_error::deserialize(document).map_err(|error| {
        // What is wrong may quote the value; that of a secret must not come back.
        let path = error.path().to_string();
        let secret = path.contains("ecret");
        let why = match secret {
            true => "it cannot be read".to_owned(),
            false => misfit(&error.inner().to_string()),
        };
        ClientsError::Metadata(format!("`{path}`: {why}"))
    })?;
    let created = values::timestamp(&members.created_at).unwrap_or(now).min(now);
    let mut client = members.named(created)?;
    members.refuse_too_many()?;
    let slot = members.public_key.as_ref();
    let listed = members.keys.as_deref().unwrap_or_default();
    let registered = members.auth_signing_alg;
    let (keys, left_out) = credentials::keys(slot, listed, registered, created)?;
    client.keys = keys;
    client.keys.retain(|key| key.is_live_at(now));
    client.auth_method = members.auth_method(!client.keys.is_empty())?;
    if client.auth_method == AuthMethod::PrivateKeyJwt && client.keys.is_empty() {
        return refused("private_key_jwt needs a key, and there is no `publicKey`");
    }
    let uses_secret = client.auth_method != AuthMethod::PrivateKeyJwt;
    client.signing_algorithm = registered.filter(|_| !uses_secret);
    client.secrets = credentials::secrets(members.secrets.as_deref().unwrap_or_default(), created)?;
    client.secrets.retain(|secret| secret.is_live_at(now));
    if client.keys.len() > limits.keys || client.secrets.len() > limits.secrets {
        return refused("it has more keys or secrets than a client may have");
    }
    client.token_epoch = members.token_epoch.unwrap_or_default();
    if client.token_epoch > HIGHEST_EPOCH {
        return refused("its `tokenEpoch` leaves no room for higher ones");
    }
    client.provenance = Some(Provenance::Imported);
    client.creator = members.creator_id.clone().filter(|id| is_somebody(id)).unwrap_or_default();
    client.last_login = values::timestamp(&members.last_login).map(|at| at.min(now));
    let secret = members.client_secret.as_ref().map(|text| text.0.clone());
    if secret.as_ref().is_some_and(String::is_empty) {
        return refused("its secret is empty");
    }
    let secret = secret.filter(|_| uses_secret).map(ClientSecret::from);
    members.grants()?.checked(limits)?.give(&mut client);
    Ok(Brought { client, secret, left_out })
}

/// Whether an author can be somebody: what stands for this server, or for nobody, is for us to say.
fn is_somebody(author: &str) -> bool {
    author != FORMER_SERVER && author != NOBODY && !author.starts_with("latchkey:")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::algorithm::Algorithm;
    use crate::domain::state::State;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    /// RFC 7638 §3.1.
    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn brought(more: &Value) -> Result<Brought, ClientsError> {
        let mut document = json!({ "clientId": "svc", "name": "svc", "__STATE__": "PUBLIC" });
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(
            document,
            &ClientLimits { token_lifetime: Duration::from_secs(3600), ..ClientLimits::default() },
            NOW,
        )
    }

    #[test]
    fn what_a_document_may_leave_out() {
        let bare = read(json!({ "clientId": "a b" }), &ClientLimits::default(), NOW);
        let Brought { client, secret, left_out } = bare.unwrap();
        assert_eq!((client.name.as_str(), client.state), ("a b", State::Draft));
        assert_eq!((client.auth_method, client.created), (AuthMethod::ClientSecretBasic, NOW));
        assert!(secret.is_none() && client.last_login.is_none() && left_out.is_empty());
        let nulls = json!({ "audience": null, "allowedCustomClaims": null, "publicKey": null,
            "authMethod": null, "metadata": null, "lastLogin": null, "permissions": null });
        assert!(brought(&nulls).is_ok());
    }

    #[test]
    fn what_is_refused_is_named() {
        for (why, more, said) in [
            ("no id", json!({ "clientId": null }), "no `clientId`"),
            ("an id that is none", json!({ "clientId": "é" }), "printable ASCII"),
            ("the name of a route", json!({ "clientId": "import" }), "name of a route"),
            ("nobody", json!({ "clientId": "public" }), "stands for no client"),
            ("the server once", json!({ "clientId": "latchkey" }), "stands for no client"),
            ("the server", json!({ "clientId": "latchkey:server" }), "latchkey:"),
            ("a name that turns round", json!({ "name": "a\u{202e}b" }), "`name`"),
            ("a name that cannot be seen", json!({ "name": "\u{200b}" }), "`name`"),
            ("a state that is none", json!({ "__STATE__": "public" }), "`__STATE__`"),
            ("permissions as a number", json!({ "permissions": 7 }), "`permissions`"),
            ("a number as a permission", json!({ "permissions": [7] }), "`permissions[0]`"),
            ("an audience as a flag", json!({ "audience": true }), "`audience`"),
            ("an audience as an empty text", json!({ "audience": "" }), "`audience`"),
            ("groups as an object", json!({ "groups": { "a": 1 } }), "`groups`"),
            ("a scope as a number", json!({ "scope": 7 }), "`scope`"),
            ("a scope with a quote", json!({ "scope": ["a\"b"] }), "`scope`"),
            ("claims as a flag", json!({ "allowedCustomClaims": false }), "`allowedCustomClaims`"),
            ("grants as a number", json!({ "grantTypes": 7 }), "`grantTypes`"),
            (
                "a life as words",
                json!({ "accessTokenLifetime": "an hour" }),
                "`accessTokenLifetime`",
            ),
            (
                "a life of no number",
                json!({ "accessTokenLifetime": { "$numberDouble": "NaN" } }),
                "`accessTokenLifetime`",
            ),
            ("half a token", json!({ "quotaPerHour": 0.5 }), "`quotaPerHour`"),
            ("less than no token", json!({ "quotaPerDay": -1 }), "`quotaPerDay`"),
            ("an epoch as words", json!({ "tokenEpoch": "three" }), "`tokenEpoch`"),
            ("a date as words", json!({ "legacyAudience": "soon" }), "`legacyAudience`"),
            ("a date as a flag", json!({ "legacyAudience": true }), "`legacyAudience`"),
            (
                "a date of no year",
                json!({ "legacyAudience": { "$date": { "$numberLong": "9e30" } } }),
                "`legacyAudience`",
            ),
            ("no algorithm", json!({ "authSigningAlg": "none" }), "`authSigningAlg`"),
            (
                "the end of a key",
                json!({ "keys": [{ "jwk": {}, "expiresAt": "soon" }] }),
                "`keys[0].expiresAt`",
            ),
            ("power over us", json!({ "permissions": ["latchkey:admin"] }), "latchkey:admin"),
            ("an audience with spaces", json!({ "audience": ["a b"] }), "`audience[0]`"),
            ("a claim of ours", json!({ "allowedCustomClaims": ["sub"] }), "`sub`"),
            ("another method", json!({ "authMethod": "none" }), "`authMethod`"),
            ("no key", json!({ "authMethod": "private_key_jwt" }), "no `publicKey`"),
            ("a private key", json!({ "publicKey": { "kty": "RSA", "d": "AQ" } }), "private"),
            ("a set with a private key", json!({ "keys": [{ "jwk": { "d": "AQ" } }] }), "private"),
            ("a set of unusable keys", json!({ "keys": [{ "jwk": { "kty": "x" } }] }), "`kty`"),
            ("a secret as its hash", json!({ "secrets": [{ "hash": "hunter2" }] }), "bcrypt"),
            (
                "an end that is none",
                json!({ "secrets": [{
                "hash": bcrypt::hash("x", 4).unwrap(), "expiresAt": "soon" }] }),
                "`secrets[0].expiresAt`",
            ),
            ("a dotted name", json!({ "metadata": { "a.b": 1 } }), "`a.b`"),
            ("too long a life", json!({ "accessTokenLifetime": 3601 }), "3600"),
            ("an epoch at the end", json!({ "tokenEpoch": u64::MAX }), "tokenEpoch"),
            ("another grant", json!({ "grantTypes": ["password"] }), "client credentials grant"),
            ("an empty secret", json!({ "clientSecret": "" }), "is empty"),
        ] {
            match brought(&more) {
                Err(error) => assert!(error.to_string().contains(said), "{why}: {error}"),
                Ok(_) => panic!("{why} was taken"),
            }
        }
    }

    #[test]
    fn limits_are_read_in_every_form_that_tools_write() {
        const AT: Timestamp = Timestamp(2_051_222_400); // 2035-01-01T00:00:00Z
        for date in [
            json!("2035-01-01T00:00:00Z"),
            json!("2035-01-01 00:00:00"),
            json!("2035-01-01"),
            json!("2051222400"),
            json!(2_051_222_400),
            json!(2_051_222_400_000_u64),
            json!(2_051_222_400.5),
            json!({ "$date": "2035-01-01T00:00:00Z" }),
            json!({ "$date": { "$numberLong": "2051222400000" } }),
            json!({ "$numberLong": "2051222400" }),
            json!({ "$numberDouble": "2051222400.5" }),
            json!({ "$numberDecimal": "2051222400" }),
            json!({ "$timestamp": { "t": 2_051_222_400, "i": 1 } }),
        ] {
            let hash = bcrypt::hash("x", 4).unwrap();
            let more = json!({
                "legacyAudience": date, "secrets": [{ "hash": hash, "expiresAt": date }],
            });
            let client = brought(&more).unwrap_or_else(|why| panic!("{date}: {why}")).client;
            assert_eq!(client.legacy_audience, Some(AT), "{date}");
            assert_eq!(client.secrets[0].expires, Some(AT), "{date}");
        }
        for number in [
            json!(600),
            json!(600.0),
            json!("600"),
            json!(" 6e2 "),
            json!({ "$numberInt": "600" }),
            json!({ "$numberLong": "600" }),
            json!({ "$numberDouble": "600.0" }),
            json!({ "$numberDecimal": "600" }),
        ] {
            let more = json!({
                "accessTokenLifetime": number, "quotaPerHour": number, "quotaPerDay": number,
                "tokenEpoch": number,
            });
            let client = brought(&more).unwrap_or_else(|why| panic!("{number}: {why}")).client;
            assert_eq!(client.access_token_lifetime, Some(Duration::from_secs(600)), "{number}");
            let counts = (client.quota_per_hour, client.quota_per_day, client.token_epoch);
            assert_eq!(counts, (Some(600), Some(600), 600), "{number}");
        }
        for one in [json!("one"), json!(["one"])] {
            let more = json!({
                "permissions": one, "audience": one, "groups": one, "allowedCustomClaims": one,
                "scope": one, "grantTypes": "client_credentials",
            });
            let client = brought(&more).unwrap_or_else(|why| panic!("{one}: {why}")).client;
            assert_eq!(client.permissions, ["one".parse().unwrap()], "{one}");
            assert_eq!(client.audience, ["one".parse().unwrap()], "{one}");
            assert_eq!(
                (&client.groups[..], client.scope.as_str()),
                (&["one".to_owned()][..], "one")
            );
            assert_eq!(client.allowed_custom_claims, ["one"], "{one}");
        }
        let words = brought(&json!({ "scope": ["a", "b"] })).unwrap();
        assert_eq!(words.client.scope.as_str(), "a b");
    }

    #[test]
    fn rfc7591_s2_the_algorithm_of_a_client_is_that_of_its_keys() {
        let rsa = |alg: Value| {
            let mut jwk = json!({ "kty": "RSA", "n": N, "e": "AQAB" });
            jwk["alg"] = alg;
            json!([{ "jwk": jwk }])
        };
        for (why, method, named, alg, expected) in [
            (
                "none is named",
                "private_key_jwt",
                Value::Null,
                json!("PS256"),
                Ok((None, Some("PS256"))),
            ),
            (
                "the key is silent",
                "private_key_jwt",
                json!("PS256"),
                Value::Null,
                Ok((Some("PS256"), Some("PS256"))),
            ),
            (
                "both are the same",
                "private_key_jwt",
                json!("RS384"),
                json!("RS384"),
                Ok((Some("RS384"), Some("RS384"))),
            ),
            (
                "the key says another",
                "private_key_jwt",
                json!("PS256"),
                json!("RS256"),
                Err("token_endpoint_auth_signing_alg"),
            ),
            (
                "the key is of another type",
                "private_key_jwt",
                json!("ES256"),
                Value::Null,
                Err("token_endpoint_auth_signing_alg"),
            ),
            (
                "it has a secret",
                "client_secret_basic",
                json!("PS256"),
                Value::Null,
                Ok((None, Some("PS256"))),
            ),
        ] {
            let more = json!({ "authMethod": method, "authSigningAlg": named, "keys": rsa(alg) });
            let found = brought(&more).map(|it| {
                let key = it.client.keys.first().map(|key| key.verifier.jwk.algorithm.as_str());
                (it.client.signing_algorithm.map(Algorithm::as_str), key)
            });
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{why}"),
                (Err(error), Err(said)) => {
                    assert!(error.to_string().contains(said), "{why}: {error}");
                }
                (found, _) => panic!("{why}: {found:?}"),
            }
        }
    }

    #[test]
    fn nothing_secret_is_in_an_error() {
        for more in [
            json!({ "clientSecret": ["hunter2"] }),
            json!({ "clientSecret": "" }),
            json!({ "secrets": ["hunter2"] }),
            json!({ "secrets": [{ "hash": "hunter2" }] }),
        ] {
            let error = brought(&more).map(drop).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{more}: {error}");
        }
    }

    #[test]
    fn credentials_that_ended_stay_behind() {
        let hash = bcrypt::hash("x", 4).unwrap();
        let secrets = json!({ "secrets": [
            { "hash": hash, "expiresAt": "2020-01-01T00:00:00Z" },
            { "hash": hash, "expiresAt": { "$date": "2040-01-01T00:00:00Z" } },
            { "hash": hash, "checksummed": true },
        ] });
        assert_eq!(brought(&secrets).unwrap().client.secrets.len(), 1);
    }
}
