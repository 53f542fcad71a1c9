//! Values, in the forms in which tools and servers keep them.

use std::str::FromStr;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document};
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::forms;

pub(in crate::store) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(whole(at.0).saturating_mul(1000))
}

pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn texts<'a>(items: impl Iterator<Item = &'a str>) -> Vec<Bson> {
    items.map(Bson::from).collect()
}

pub(super) fn json_to_bson(value: Value) -> Bson {
    Bson::try_from(value).unwrap_or(Bson::Null)
}

pub(super) fn text(document: &Document, name: &str) -> Option<String> {
    document.get_str(name).ok().map(str::to_owned)
}

/// A list of texts; one text alone is a list of one. `None` if anything in it cannot be read.
pub(in crate::store) fn list<T: FromStr>(value: &Bson) -> Option<Vec<T>> {
    let items = match value {
        Bson::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().map(|item| item.as_str()?.parse().ok()).collect()
}

/// Numbers come back in whatever width the server or another tool found fit.
pub(in crate::store) fn number(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => forms::whole(*number),
        _ => None,
    }
}

/// A whole number that is not negative, in any form in which tools write one.
pub(super) fn count(value: &Bson) -> Option<u64> {
    let number = match value {
        Bson::Decimal128(decimal) => forms::text_whole(&decimal.to_string()),
        Bson::String(text) => forms::text_whole(text),
        other => number(Some(other)),
    };
    number.and_then(|number| u64::try_from(number).ok())
}

/// A date in any form in which tools write one. What lies before 1970 is 1970.
pub(in crate::store) fn timestamp(value: Option<&Bson>) -> Option<Timestamp> {
    let seconds = match value? {
        Bson::DateTime(date) => date.timestamp_millis().div_euclid(1000),
        Bson::Timestamp(date) => i64::from(date.time),
        Bson::String(text) => forms::text_seconds(text)?,
        Bson::Decimal128(decimal) => forms::seconds(decimal.to_string().parse().ok()?)?,
        Bson::Double(number) => forms::seconds(*number)?,
        #[expect(clippy::cast_precision_loss, reason = "no date needs more")]
        other => forms::seconds(number(Some(other))? as f64)?,
    };
    Some(Timestamp(u64::try_from(seconds).unwrap_or_default()))
}

pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{Decimal128, Timestamp as BsonTimestamp, oid::ObjectId};

    #[test]
    fn dates_are_read_in_every_form_that_tools_write() {
        const AT: u64 = 1_577_836_800; // 2020-01-01T00:00:00Z
        let decimal: Decimal128 = "1577836800".parse().unwrap();
        for (value, expected) in [
            (Bson::DateTime(DateTime::from_millis(1_577_836_800_999)), Some(AT)),
            (Bson::DateTime(DateTime::from_millis(-5)), Some(0)),
            (Bson::DateTime(DateTime::MIN), Some(0)),
            (Bson::Timestamp(BsonTimestamp { time: 1_577_836_800, increment: 7 }), Some(AT)),
            (Bson::Int32(1_577_836_800), Some(AT)),
            (Bson::Int64(1_577_836_800), Some(AT)),
            (Bson::Int64(1_577_836_800_123), Some(AT)),
            (Bson::Double(1_577_836_800.75), Some(AT)),
            (Bson::Double(1_577_836_800_123.5), Some(AT)),
            (Bson::Int32(-1), Some(0)),
            (Bson::Int32(0), Some(0)),
            (Bson::Decimal128(decimal), Some(AT)),
            ("2020-01-01T00:00:00Z".into(), Some(AT)),
            ("2020-01-01T01:00:00.5+01:00".into(), Some(AT)),
            ("2020-01-01 00:00:00Z".into(), Some(AT)),
            ("2020-01-01 00:00:00".into(), Some(AT)),
            ("2020-01-01T00:00:00.123".into(), Some(AT)),
            ("2020-01-01T00:00Z".into(), Some(AT)),
            ("2020-01-01".into(), Some(AT)),
            (" 1577836800 ".into(), Some(AT)),
            ("1577836800123".into(), Some(AT)),
            ("Wed, 01 Jan 2020 00:00:00 GMT".into(), Some(AT)),
            ("1960-01-01T00:00:00Z".into(), Some(0)),
            ("soon".into(), None),
            ("".into(), None),
            (Bson::Double(f64::NAN), None),
            (Bson::Double(f64::INFINITY), None),
            (Bson::Boolean(true), None),
            (Bson::ObjectId(ObjectId::from_bytes([7; 12])), None),
            (Bson::Array(vec![]), None),
        ] {
            assert_eq!(timestamp(Some(&value)), expected.map(Timestamp), "{value:?}");
        }
        assert_eq!(timestamp(None), None);
    }

    #[test]
    fn counts_are_read_in_every_form_that_tools_write() {
        let decimal: Decimal128 = "600".parse().unwrap();
        for (value, expected) in [
            (Bson::Int32(600), Some(600)),
            (Bson::Int64(600), Some(600)),
            (Bson::Double(600.0), Some(600)),
            (Bson::Decimal128(decimal), Some(600)),
            ("600".into(), Some(600)),
            (" 600 ".into(), Some(600)),
            ("6e2".into(), Some(600)),
            (Bson::Int32(0), Some(0)),
            (Bson::Int32(-1), None),
            (Bson::Double(0.5), None),
            (Bson::Double(f64::NAN), None),
            (Bson::Double(1e300), None),
            ("many".into(), None),
            (Bson::Boolean(true), None),
            (Bson::Array(vec![Bson::Int32(600)]), None),
        ] {
            assert_eq!(count(&value), expected, "{value:?}");
        }
    }
}
