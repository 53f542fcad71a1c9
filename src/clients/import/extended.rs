//! MongoDB's extended JSON as plain JSON: what `mongoexport` writes instead of dates, ids and
//! numbers of a certain width.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The same document without wrapped values.
#[must_use]
pub fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => match unwrapped(&members) {
            Some(value) => value,
            None => members.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        },
        other => other,
    }
}

/// What an object stands for, if it is one of the wrappers. One that is not known stays.
fn unwrapped(members: &Map<String, Value>) -> Option<Value> {
    let mut all = members.iter();
    let (Some((name, value)), None) = (all.next(), all.next()) else { return None };
    match name.as_str() {
        "$date" => date(value),
        "$numberInt" | "$numberLong" => value.as_str()?.parse::<i64>().ok().map(Value::from),
        "$numberDouble" => double(value.as_str()?),
        "$numberDecimal" | "$oid" | "$symbol" | "$uuid" => value.as_str().map(Value::from),
        "$timestamp" => value.get("t").cloned().map(plain).filter(Value::is_u64),
        "$undefined" => Some(Value::Null),
        _ => None,
    }
}

/// JSON has no number that is infinite, or none. As `null` it would pass for absent, so it is text.
fn double(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    Some(if number.is_finite() { number.into() } else { text.into() })
}

/// A date is text where it can be, else milliseconds.
fn date(value: &Value) -> Option<Value> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let milliseconds = plain(value.clone()).as_i64()?;
    let moment = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)).ok()?;
    moment.format(&Rfc3339).ok().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_extended_json() {
        for (wrapped, expected) in [
            (json!({ "$date": "2026-01-02T03:04:05Z" }), json!("2026-01-02T03:04:05Z")),
            (json!({ "$date": { "$numberLong": "1767323045000" } }), json!("2026-01-02T03:04:05Z")),
            (json!({ "$date": 1_767_323_045_999_u64 }), json!("2026-01-02T03:04:05Z")),
            (json!({ "$oid": "65f0c0ffee65f0c0ffee65f0" }), json!("65f0c0ffee65f0c0ffee65f0")),
            (json!({ "$numberLong": "7" }), json!(7)),
            (json!({ "$numberInt": "-7" }), json!(-7)),
            (json!({ "$numberDouble": "7.5" }), json!(7.5)),
            (json!({ "$numberDouble": "NaN" }), json!("NaN")),
            (json!({ "$numberDouble": "-Infinity" }), json!("-Infinity")),
            (json!({ "$timestamp": { "t": 1_767_323_045, "i": 1 } }), json!(1_767_323_045)),
            (json!([{ "a": { "$numberInt": "1" } }]), json!([{ "a": 1 }])),
            (json!({ "$numberInt": "many" }), json!({ "$numberInt": "many" })),
            (json!({ "$code": "x" }), json!({ "$code": "x" })),
            (json!({ "$oid": "x", "more": 1 }), json!({ "$oid": "x", "more": 1 })),
            (json!("plain"), json!("plain")),
        ] {
            assert_eq!(plain(wrapped.clone()), expected, "{wrapped}");
        }
    }
}
