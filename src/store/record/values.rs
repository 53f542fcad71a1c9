//! Values, in the forms in which tools and servers keep them.

use std::str::FromStr;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document};
use serde_json::Value;
use time::format_description::well_known::{Iso8601, Rfc2822, Rfc3339};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::domain::clock::Timestamp;

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
        Bson::Double(number) => whole_double(*number),
        _ => None,
    }
}

/// A whole number that is not negative, in any form in which tools write one.
pub(super) fn count(value: &Bson) -> Option<u64> {
    let number = match value {
        Bson::Decimal128(decimal) => text_number(&decimal.to_string()),
        Bson::String(text) => text_number(text),
        other => number(Some(other)),
    };
    number.and_then(|number| u64::try_from(number).ok())
}

fn text_number(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole_double(text.parse().ok()?))
}

fn whole_double(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers, checked before")]
    let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    whole
}

/// A date in any form in which tools write one. What lies before 1970 is 1970.
pub(in crate::store) fn timestamp(value: Option<&Bson>) -> Option<Timestamp> {
    let seconds = match value? {
        Bson::DateTime(date) => date.timestamp_millis().div_euclid(1000),
        Bson::Timestamp(date) => i64::from(date.time),
        Bson::String(text) => text_seconds(text)?,
        Bson::Decimal128(decimal) => number_seconds(decimal.to_string().parse().ok()?)?,
        Bson::Double(number) => number_seconds(*number)?,
        #[expect(clippy::cast_precision_loss, reason = "no date needs more")]
        other => number_seconds(number(Some(other))? as f64)?,
    };
    Some(Timestamp(u64::try_from(seconds).unwrap_or_default()))
}

/// Seconds since the Unix epoch, or milliseconds, as JavaScript counts: those of seconds would be a
/// date after the year 5000.
fn number_seconds(number: f64) -> Option<i64> {
    const MILLISECONDS: f64 = 1e11;
    let seconds = if number.abs() < MILLISECONDS { number } else { number / 1000.0 };
    whole_double(seconds.floor())
}

/// A date that a tool, or a server that knows dates as text only, wrote; without a zone it is UTC.
fn text_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number_seconds(number);
    }
    let one_way = text.replacen(' ', "T", 1);
    let zoned = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&one_way, &Rfc3339))
        .or_else(|_| OffsetDateTime::parse(&one_way, &Iso8601::PARSING))
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822));
    let local =
        || PrimitiveDateTime::parse(&one_way, &Iso8601::PARSING).map(PrimitiveDateTime::assume_utc);
    let day = || Date::parse(text, &Iso8601::PARSING).map(|day| day.midnight().assume_utc());
    let date = zoned.or_else(|_| local()).or_else(|_| day()).ok()?;
    Some(date.unix_timestamp())
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
