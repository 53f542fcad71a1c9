//! Which of a replica's own signing keys signs, and which one comes after it. Pure.

use std::cmp::Reverse;
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::jwk::Algorithm;
use crate::domain::signing_key::{KeyState, PUBLICATION_LEAD, PublishedKey, Rotation, SharedKeys};

use super::OwnPublicKey;

/// Our own keys of this algorithm, as they are published.
fn ours<'k>(
    own: &[OwnPublicKey],
    keys: &'k [PublishedKey],
    algorithm: Algorithm,
) -> impl Iterator<Item = (bool, &'k PublishedKey)> {
    let preferred = move |key: &PublishedKey| {
        own.iter().find(|own| own.jwk.kid == key.jwk.kid).map(|own| own.preferred)
    };
    keys.iter()
        .filter(move |key| key.jwk.algorithm == algorithm)
        .filter_map(move |key| Some((preferred(key)?, key)))
}

/// The one of our keys that signs with this algorithm: of those that may, the one that was
/// published last; of several at once the one that was set to sign, else the first to do so.
#[must_use]
pub fn signer<'k>(
    own: &[OwnPublicKey],
    keys: &'k [PublishedKey],
    algorithm: Algorithm,
    now: Timestamp,
) -> Option<&'k PublishedKey> {
    let may = ours(own, keys, algorithm).filter(|(_, key)| key.state_at(now) == KeyState::Active);
    may.max_by_key(|(preferred, key)| {
        (key.published, *preferred, Reverse(key.signs_from), &key.jwk.kid)
    })
    .map(|(_, key)| key)
}

/// Those of our keys that a newer one has taken over from.
#[must_use]
pub fn superseded<'k>(
    own: &[OwnPublicKey],
    keys: &'k [PublishedKey],
    now: Timestamp,
) -> Vec<&'k PublishedKey> {
    let of = |algorithm| {
        let signer = signer(own, keys, algorithm, now);
        let active = ours(own, keys, algorithm).map(|(_, key)| key);
        let active = active.filter(|key| key.state_at(now) == KeyState::Active);
        active.filter(|key| signer.is_some_and(|signer| signer.jwk.kid != key.jwk.kid)).collect()
    };
    Algorithm::FOR_TOKENS.into_iter().flat_map(|algorithm| -> Vec<_> { of(algorithm) }).collect()
}

/// The key of ours that will sign next with this algorithm.
#[must_use]
pub fn next<'k>(
    own: &[OwnPublicKey],
    keys: &'k [PublishedKey],
    algorithm: Algorithm,
    now: Timestamp,
) -> Option<&'k PublishedKey> {
    let next = ours(own, keys, algorithm).filter(|(_, key)| key.state_at(now) == KeyState::Next);
    next.map(|(_, key)| key).min_by_key(|key| (key.signs_from, &key.jwk.kid))
}

/// How long a key of ours waits yet, if it is a clock that was ahead when its dates were written, or
/// is behind now, that keeps all of ours from signing. One that has signed, and one without any
/// other beside it that somebody could have cached, need not wait.
#[must_use]
pub fn corrected_lead(
    key: &PublishedKey,
    own: &[OwnPublicKey],
    keys: &[PublishedKey],
    now: Timestamp,
) -> Option<Duration> {
    let signs = signer(own, keys, key.jwk.algorithm, now).is_some();
    if signs || key.state_at(now) != KeyState::Next {
        return None;
    }
    let alone = keys.iter().all(|other| other.jwk.kid == key.jwk.kid);
    if key.has_signed() || (alone && now < key.published) {
        return Some(Duration::ZERO);
    }
    (now + PUBLICATION_LEAD < key.published).then_some(PUBLICATION_LEAD)
}

/// The open rotation requests for this algorithm, on a replica that signs with `signing`.
pub fn open_requests<'s>(
    own: &'s [OwnPublicKey],
    shared: &'s SharedKeys,
    algorithm: Algorithm,
    signing: Algorithm,
) -> impl Iterator<Item = &'s Rotation> {
    let concerned = algorithm == signing
        || ours(own, &shared.keys, algorithm).any(|(_, key)| key.retired.is_none());
    let newest = ours(own, &shared.keys, algorithm).map(|(_, key)| key.published).max();
    shared.rotations.iter().filter(move |request| {
        concerned
            && request.algorithm.unwrap_or(signing) == algorithm
            && request.succeeds.as_ref().is_none_or(|kid| own.iter().any(|own| own.jwk.kid == *kid))
            && newest.is_none_or(|newest| newest <= request.at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::jwk::PublicJwk;
    use serde_json::json;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    /// A key by its name, when it was published and when it signs.
    fn key(kid: &str, published: u64, signs_from: u64, retired: Option<u64>) -> PublishedKey {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": kid });
        PublishedKey {
            jwk: PublicJwk::parse(&jwk).unwrap(),
            published: Timestamp(published),
            signs_from: Timestamp(signs_from),
            signs_until: Timestamp(5000),
            imported: None,
            retired: retired.map(Timestamp),
        }
    }

    fn own(keys: &[PublishedKey], preferred: &str) -> Vec<OwnPublicKey> {
        let own = |key: &PublishedKey| OwnPublicKey {
            jwk: key.jwk.clone(),
            preferred: key.jwk.kid == preferred,
            imported: false,
        };
        keys.iter().filter(|key| !key.jwk.kid.starts_with("other")).map(own).collect()
    }

    #[test]
    fn one_key_signs_and_the_newest_takes_over() {
        #[rustfmt::skip]
        let cases = [
            // why                       keys                                                                      preferred  now   signs      superseded     next
            ("one",                      vec![key("a", 1000, 1000, None)],                                          "",  1000, Some("a"), vec![],    None),
            ("of others",                vec![key("other", 1000, 1000, None)],                                      "",  1000, None,      vec![],    None),
            ("a new one leads",          vec![key("a", 1000, 1000, None), key("b", 1100, 1160, None)],              "",  1159, Some("a"), vec![],    Some("b")),
            ("a new one takes over",     vec![key("a", 1000, 1000, None), key("b", 1100, 1160, None)],              "",  1160, Some("b"), vec!["a"], None),
            ("also from the preferred",  vec![key("a", 1000, 1000, None), key("b", 1100, 1160, None)],              "a", 1160, Some("b"), vec!["a"], None),
            ("both at first",            vec![key("a", 1000, 1060, None), key("b", 1000, 1000, None)],              "",  1060, Some("b"), vec!["a"], None),
            ("both at first, preferred", vec![key("a", 1000, 1060, None), key("b", 1000, 1000, None)],              "a", 1060, Some("a"), vec!["b"], None),
            ("retired",                  vec![key("a", 1000, 1000, Some(1050))],                                    "",  1050, None,      vec![],    None),
            ("retired, one to come",     vec![key("a", 1000, 1000, Some(1110)), key("b", 1100, 1160, None)],        "",  1120, None,      vec![],    Some("b")),
            ("others are left alone",    vec![key("a", 1100, 1100, None), key("other", 1000, 1000, None)],          "",  1200, Some("a"), vec![],    None),
            ("its promise ran out",      vec![key("a", 1000, 1000, None)],                                          "",  5000, None,      vec![],    None),
        ];
        for (why, keys, preferred, now, signs, old, coming) in cases {
            let (own, now) = (own(&keys, preferred), Timestamp(now));
            let kid = |key: Option<&PublishedKey>| key.map(|key| key.jwk.kid.clone());
            assert_eq!(kid(signer(&own, &keys, Algorithm::EdDSA, now)).as_deref(), signs, "{why}");
            let gone = superseded(&own, &keys, now);
            let gone: Vec<&str> = gone.iter().map(|key| key.jwk.kid.as_str()).collect();
            assert_eq!(gone, old, "{why}");
            assert_eq!(kid(next(&own, &keys, Algorithm::EdDSA, now)).as_deref(), coming, "{why}");
        }
    }

    #[test]
    fn what_a_clock_that_was_ahead_left_is_corrected() {
        let at = |kid, published, signs_from, signs_until| PublishedKey {
            signs_until: Timestamp(signs_until),
            ..key(kid, published, signs_from, None)
        };
        let (first, second) = (|| at("a", 4600, 4600, 8200), || at("b", 4600, 4660, 8200));
        let retired = PublishedKey { retired: Some(Timestamp(900)), ..first() };
        #[rustfmt::skip]
        let cases = [
            // why                                  the key   beside it                              lead
            ("it has signed",                       first(),  vec![],                                Some(0)),
            ("it has signed, with others",          first(),  vec![at("other", 900, 900, 4500)],     Some(0)),
            ("a second ahead",                      at("a", 1001, 1001, 4601), vec![],               Some(0)),
            ("it is alone",                         second(), vec![],                                Some(0)),
            ("others may be cached",                second(), vec![at("other", 900, 900, 4500)],     Some(60)),
            ("one of ours signs",                   second(), vec![at("c", 900, 900, 4500)],         None),
            ("one of ours signs already",           first(),  vec![at("c", 900, 900, 4500)],         None),
            ("a clock that is ahead a little",      at("b", 1060, 1120, 4600), vec![at("other", 900, 900, 4500)], None),
            ("it was just shown",                   at("b", 1000, 1060, 4600), vec![],               None),
            ("it signs",                            at("a", 1000, 1000, 4600), vec![],               None),
            ("it is retired",                       retired,  vec![],                                None),
        ];
        for (why, key, mut beside, lead) in cases {
            beside.push(key.clone());
            let own = own(&beside, "");
            let found = corrected_lead(&key, &own, &beside, Timestamp(1000));
            assert_eq!(found, lead.map(Duration::from_secs), "{why}");
        }
    }

    #[test]
    fn requests_are_open_until_a_key_was_published_since() {
        let request = |algorithm, succeeds: Option<&str>| Rotation {
            id: "w".to_owned(),
            at: Timestamp(1100),
            algorithm,
            hasty: false,
            succeeds: succeeds.map(str::to_owned),
        };
        let (old, new) = (|| key("a", 1100, 1100, None), || key("b", 1101, 1161, None));
        let ed = Algorithm::EdDSA;
        #[rustfmt::skip]
        let cases = [
            // why                      request                          keys                signing           open
            ("an old key",              request(None, None),             vec![old()],        ed,               true),
            ("a new key",               request(None, None),             vec![old(), new()], ed,               false),
            ("by its name",             request(Some(ed), None),         vec![old()],        Algorithm::RS256, true),
            ("what it signs with only", request(None, None),             vec![old()],        Algorithm::RS256, false),
            ("of another algorithm",    request(Some(Algorithm::ES256), None), vec![old()],  ed,               false),
            ("after this key",          request(Some(ed), Some("a")),    vec![old()],        ed,               true),
            ("after somebody else's",   request(Some(ed), Some("z")),    vec![old()],        ed,               false),
        ];
        for (why, request, keys, signing, open) in cases {
            let own = own(&keys, "");
            let shared = SharedKeys { keys, rotations: vec![request], ..SharedKeys::default() };
            assert_eq!(open_requests(&own, &shared, ed, signing).next().is_some(), open, "{why}");
        }
    }
}
