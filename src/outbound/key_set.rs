//! What was fetched: the keys in it, and for how long they are good.

use std::time::Duration;

use serde_json::Value;

use crate::domain::jwks_uri::KeysUnavailable;
use crate::domain::submitted_jwk::SubmittedJwk;

/// How many usable keys of a set count: the first.
const MOST_KEYS: usize = 10;

/// How long a set is good that does not say so.
const USUAL: u64 = 60 * 60;
/// The bounds of what it may say.
const SHORTEST: u64 = 60;
const LONGEST: u64 = 24 * 60 * 60;

/// The first keys of a JWK Set that are good enough:
/// [RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5), which says to pass over the
/// others. Several may have one name, such as one for each algorithm (§4.5).
pub(super) fn keys(body: &[u8]) -> Result<Vec<SubmittedJwk>, KeysUnavailable> {
    let set: Value = serde_json::from_slice(body).map_err(|_| KeysUnavailable::Unusable)?;
    let listed = set.get("keys").and_then(Value::as_array).ok_or(KeysUnavailable::Unusable)?;
    let usable = listed.iter().filter_map(|jwk| SubmittedJwk::parse(jwk).ok());
    let keys: Vec<SubmittedJwk> = usable.take(MOST_KEYS).collect();
    if keys.is_empty() { Err(KeysUnavailable::Unusable) } else { Ok(keys) }
}

/// How long the answer may be kept: `max-age` of
/// [RFC 9111 §5.2.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1), within bounds.
pub(super) fn freshness<'a>(cache_control: impl Iterator<Item = &'a str>) -> Duration {
    let mut said = None;
    for directive in cache_control.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            // What must not be kept at all is kept as short as anything.
            "no-cache" | "no-store" => said = Some(0),
            "max-age" if said.is_none() => {
                said = value.trim().trim_matches('"').parse::<u64>().ok();
            }
            _ => {}
        }
    }
    Duration::from_secs(said.unwrap_or(USUAL).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ed25519(kid: &str) -> Value {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })
    }

    #[test]
    fn rfc7517_s5_usable_keys() {
        let many = |count: usize| -> Vec<Value> {
            (0..count).map(|kid| ed25519(&kid.to_string())).collect()
        };
        let secret = json!({ "kty": "oct", "k": "c2VjcmV0" });
        let rubbish_first = [vec![json!(1), secret.clone()], many(11)].concat();
        #[rustfmt::skip]
        let cases = [
            ("one",                 json!({ "keys": [ed25519("a")] }),                   Some(1)),
            ("two",                 json!({ "keys": [ed25519("a"), ed25519("b")] }),     Some(2)),
            ("one and rubbish",     json!({ "keys": [secret, 1, {}, ed25519("a")] }),    Some(1)),
            ("ten",                 json!({ "keys": many(10) }),                         Some(10)),
            ("eleven",              json!({ "keys": many(11) }),                         Some(10)),
            ("rubbish and eleven",  json!({ "keys": rubbish_first }),                    Some(10)),
            ("the same kid twice",  json!({ "keys": [ed25519("a"), ed25519("a")] }),     Some(2)),
            ("none usable",         json!({ "keys": [{ "kty": "RSA" }] }),               None),
            ("empty",               json!({ "keys": [] }),                               None),
            ("no keys",             json!({}),                                           None),
            ("a list",              json!([ed25519("a")]),                               None),
            ("null",                json!(null),                                         None),
        ];
        for (why, set, count) in cases {
            let found = keys(set.to_string().as_bytes()).ok().map(|keys| keys.len());
            assert_eq!(found, count, "{why}");
        }
        assert!(keys(b"<html>").is_err() && keys(b"").is_err());
    }

    #[test]
    fn rfc9111_s5_2_2_1_max_age() {
        for (lines, seconds) in [
            (&[][..], 3600),
            (&["max-age=600"], 600),
            (&["public, Max-Age = 600"], 600),
            (&["public", "max-age=600"], 600),
            (&["max-age=\"600\""], 600),
            (&["max-age=0"], 60),
            (&["no-store"], 60),
            (&["max-age=600, no-cache"], 60),
            (&["max-age=59"], 60),
            (&["max-age=31536000"], 86400),
            (&["max-age=99999999999999999999"], 3600),
            (&["max-age=-1"], 3600),
            (&["s-maxage=5"], 3600),
        ] {
            assert_eq!(freshness(lines.iter().copied()).as_secs(), seconds, "{lines:?}");
        }
    }
}
