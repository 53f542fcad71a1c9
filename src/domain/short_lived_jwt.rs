//! JWTs that live for minutes and are used once: client assertions and proofs of possession. One
//! place judges what both say in the same claims.

use std::time::Duration;

use serde_json::{Map, Value};

use super::clock::Timestamp;

/// How long a `jti` may be, in characters.
const LONGEST_JTI: usize = 256;

/// What such a JWT must say.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What `aud` must be, as the only value.
    pub audience: &'a str,
    /// What `aud` may be instead.
    pub other_audience: Option<&'a str>,
    /// The longest time from `iat`, or from now, to `exp`.
    pub longest_life: Duration,
    /// The skew between the clocks: it forgives `iat` and `nbf`, never `exp`.
    pub skew: Duration,
}

/// What a JWT that keeps the rules says.
#[derive(Debug, Eq, PartialEq)]
pub struct ShortLived {
    /// When it was signed, if it says so.
    pub iat: Option<Timestamp>,
    /// When it ends.
    pub exp: Timestamp,
    /// The name under which its use is remembered.
    pub jti: String,
}

/// Why a JWT is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// `aud` is another one, or not the only one.
    Audience,
    /// `exp`, `iat` or `nbf` is not a `NumericDate`.
    Date,
    /// `exp` is over.
    Expired,
    /// `iat` or `nbf` is still to come.
    Future,
    /// `jti` is missing, or is not a string of 1 to 256 characters.
    Jti,
    /// It lives too long.
    LongLife,
    /// `exp` is missing.
    NoExpiry,
}

impl ShortLived {
    /// Judges `aud`, `exp`, `iat`, `nbf` and `jti`, and takes them out of the claims.
    ///
    /// `exp` is the time "on or after which" the JWT is dead, and `nbf` the time before which it is
    /// not alive: [RFC 7519 §4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1).
    pub fn judge(
        claims: &mut Map<String, Value>,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let aud = claims.remove("aud");
        let only = aud.as_ref().and_then(only_value).ok_or(Fault::Audience)?;
        if only != rules.audience && Some(only) != rules.other_audience {
            return Err(Fault::Audience);
        }

        let mut date = |name, whole| claims.remove(name).map(|value| seconds(&value, whole));
        let exp = date("exp", f64::floor).transpose()?;
        let iat = date("iat", f64::floor).transpose()?;
        let nbf = date("nbf", f64::ceil).transpose()?;
        let exp = exp.ok_or(Fault::NoExpiry)?;
        if exp <= now {
            return Err(Fault::Expired);
        }
        if iat.max(nbf).is_some_and(|start| start > now + rules.skew) {
            return Err(Fault::Future);
        }
        if iat.is_some_and(|iat| exp > iat + rules.longest_life)
            || exp > now + rules.longest_life + rules.skew
        {
            return Err(Fault::LongLife);
        }

        match claims.remove("jti") {
            Some(Value::String(jti)) if (1..=LONGEST_JTI).contains(&jti.chars().count()) => {
                Ok(Self { iat, exp, jti })
            }
            _ => Err(Fault::Jti),
        }
    }
}

/// Whether `typ` is one of these types, which are in lower case:
/// [RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9).
#[must_use]
pub fn is_of_type(typ: &str, types: &[&str]) -> bool {
    let typ = typ.to_ascii_lowercase();
    types.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

/// The value of `aud`, if it is the only one.
fn only_value(aud: &Value) -> Option<&str> {
    match aud {
        Value::String(only) => Some(only),
        Value::Array(list) => match list.as_slice() {
            [Value::String(only)] => Some(only),
            _ => None,
        },
        _ => None,
    }
}

/// A `NumericDate`, which may have a fraction
/// ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)), in whole seconds, as the clock
/// has them. `exp` is cut and `nbf` rounded up, so that no fraction lengthens a life; `iat` is cut
/// like `exp`, so that a life of whole seconds stays one.
fn seconds(value: &Value, whole: fn(f64) -> f64) -> Result<Timestamp, Fault> {
    if let Some(seconds) = value.as_u64() {
        return Ok(Timestamp(seconds));
    }
    let date = value.as_f64().filter(|date| (0.0..1e15).contains(date)).ok_or(Fault::Date)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    Ok(Timestamp(whole(date) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RULES: Rules<'_> = Rules {
        audience: "us",
        other_audience: None,
        longest_life: Duration::from_secs(300),
        skew: Duration::from_secs(30),
    };

    fn judge(changes: &Value, rules: &Rules<'_>, now: u64) -> Result<ShortLived, Fault> {
        let mut claims = json!({ "aud": "us", "exp": 1300, "iat": 1000, "jti": "j", "other": 1 });
        let claims = claims.as_object_mut().unwrap();
        claims.extend(changes.as_object().unwrap().clone());
        claims.retain(|_, value| *value != json!("missing"));
        let judged = ShortLived::judge(claims, rules, Timestamp(now));
        assert!(judged.is_err() || claims.keys().eq(["other"]), "the others are left: {claims:?}");
        judged
    }

    #[test]
    fn rfc7519_s4_1_times() {
        use Fault::{Date, Expired, Future, LongLife, NoExpiry};
        #[rustfmt::skip]
        let cases = [
            // why                            claims                                                                alive from, to      else, before and after
            ("five minutes",                  json!({}),                                                            Some((970, 1299)),  (Future, Expired)),
            ("a second too long",             json!({ "exp": 1301 }),                                               None,               (Future, LongLife)),
            ("one second",                    json!({ "exp": 1001 }),                                               Some((970, 1000)),  (Future, Expired)),
            ("ends before it begins",         json!({ "exp": 999 }),                                                Some((970, 998)),   (Future, Expired)),
            ("nbf later than iat",            json!({ "nbf": 1100 }),                                               Some((1070, 1299)), (Future, Expired)),
            ("nbf earlier than iat",          json!({ "nbf": 0 }),                                                  Some((970, 1299)),  (Future, Expired)),
            ("no iat",                        json!({ "iat": "missing" }),                                          Some((970, 1299)),  (LongLife, Expired)),
            ("nbf does not stand for iat",    json!({ "iat": "missing", "nbf": 1000, "exp": 1400 }),                Some((1070, 1399)), (Future, Expired)),
            ("no exp",                        json!({ "exp": "missing" }),                                          None,               (NoExpiry, NoExpiry)),
            ("exp null",                      json!({ "exp": null }),                                               None,               (Date, Date)),
            ("iat null",                      json!({ "iat": null }),                                               None,               (Date, Date)),
            ("nbf null",                      json!({ "nbf": null }),                                               None,               (Date, Date)),
            ("exp a string",                  json!({ "exp": "1300" }),                                             None,               (Date, Date)),
            ("iat a string",                  json!({ "iat": "1000" }),                                             None,               (Date, Date)),
            ("iat negative",                  json!({ "iat": -1 }),                                                 None,               (Date, Date)),
            ("exp beyond all whole numbers",  json!({ "exp": 1e300 }),                                              None,               (Date, Date)),
            ("all the largest number",        json!({ "exp": u64::MAX, "iat": u64::MAX, "nbf": u64::MAX }),         None,               (Future, Future)),
            ("s2: whole numbers as floats",   json!({ "exp": 1300.0, "iat": 1000.0, "nbf": 1000.0 }),               Some((970, 1299)),  (Future, Expired)),
            ("s2: exp with a fraction ends no later",     json!({ "exp": 1299.9 }),                                 Some((970, 1298)),  (Future, Expired)),
            ("s2: nbf with a fraction begins no earlier", json!({ "nbf": 1000.1 }),                                 Some((971, 1299)),  (Future, Expired)),
            ("s2: iat with a fraction",       json!({ "iat": 1000.9 }),                                             Some((970, 1299)),  (Future, Expired)),
            ("s2: five minutes of fractions", json!({ "exp": 1300.75, "iat": 1000.75 }),                            Some((970, 1299)),  (Future, Expired)),
            ("s2: a second too long",         json!({ "exp": 1301.25, "iat": 1000.25 }),                            None,               (Future, LongLife)),
        ];
        for (why, claims, life, (before, after)) in cases {
            for now in 900..1450 {
                let alive = life.is_some_and(|(from, to)| (from..=to).contains(&now));
                assert_eq!(judge(&claims, &RULES, now).is_ok(), alive, "{why}, at {now}");
            }
            assert_eq!(judge(&claims, &RULES, 900), Err(before), "{why}, before");
            let end = life.map_or(1000, |(_, to)| to + 1);
            assert_eq!(judge(&claims, &RULES, end), Err(after), "{why}, at {end}");
        }
    }

    #[test]
    fn rfc7519_s4_1_3_one_audience() {
        let also = Rules { other_audience: Some("us too"), ..RULES };
        #[rustfmt::skip]
        let cases = [
            // why                  aud                      alone  with another
            ("the one",             json!("us"),             true,  true),
            ("in a list",           json!(["us"]),           true,  true),
            ("the other",           json!("us too"),         false, true),
            ("the other in a list", json!(["us too"]),       false, true),
            ("both",                json!(["us", "us too"]), false, false),
            ("twice",               json!(["us", "us"]),     false, false),
            ("with more behind",    json!("us/"),            false, false),
            ("another case",        json!("US"),             false, false),
            ("none",                json!([]),               false, false),
            ("a list in a list",    json!([["us"]]),         false, false),
            ("a number",            json!(1),                false, false),
            ("null",                json!(null),             false, false),
            ("missing",             json!("missing"),        false, false),
        ];
        for (why, aud, alone, with_another) in cases {
            let claims = json!({ "aud": aud });
            for (rules, good) in [(&RULES, alone), (&also, with_another)] {
                let fault = judge(&claims, rules, 1000).err();
                assert_eq!(fault, (!good).then_some(Fault::Audience), "{why}");
            }
        }
    }

    #[test]
    fn rfc7519_s4_1_7_a_name_of_its_own() {
        #[rustfmt::skip]
        let cases = [
            ("one character",  json!("j"),             true),
            ("256 characters", json!("é".repeat(256)), true),
            ("257 characters", json!("j".repeat(257)), false),
            ("empty",          json!(""),              false),
            ("a number",       json!(1),               false),
            ("missing",        json!("missing"),       false),
        ];
        for (why, jti, good) in cases {
            let fault = judge(&json!({ "jti": jti }), &RULES, 1000).err();
            assert_eq!(fault, (!good).then_some(Fault::Jti), "{why}");
        }
    }

    #[test]
    fn rfc7515_s4_1_9_types() {
        #[rustfmt::skip]
        let cases = [
            ("jwt", true), ("JWT", true), ("application/jwt", true), ("Application/JWT", true),
            ("text/jwt", false), ("at+jwt", false), ("", false), ("application/application/jwt", false),
        ];
        for (typ, good) in cases {
            assert_eq!(is_of_type(typ, &["x", "jwt"]), good, "{typ}");
        }
    }
}
