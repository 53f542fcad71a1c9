//! Values, in the forms in which tools and servers keep them.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document};
use serde_json::Value;

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

/// The items of a list that can be read as what they should be.
pub(super) fn list<T: std::str::FromStr>(document: &Document, name: &str) -> Vec<T> {
    let items = document.get_array(name).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Bson::as_str).filter_map(|item| item.parse().ok()).collect()
}

/// Numbers come back in whatever width the server or another tool found fit.
pub(in crate::store) fn number(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers, checked before")]
        Bson::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Some(*number as i64)
        }
        _ => None,
    }
}

pub(in crate::store) fn timestamp(value: Option<&Bson>) -> Option<Timestamp> {
    let millis = match value? {
        Bson::DateTime(date) => date.timestamp_millis(),
        Bson::String(text) => text_date(text)?.timestamp_millis(),
        _ => return None,
    };
    u64::try_from(millis / 1000).ok().map(Timestamp)
}

/// A date that a tool, or a server that knows dates as text only, wrote; without a zone it is UTC.
pub(super) fn text_date(text: &str) -> Option<DateTime> {
    let zoned = || format!("{}Z", text.replacen(' ', "T", 1));
    DateTime::parse_rfc3339_str(text).or_else(|_| DateTime::parse_rfc3339_str(zoned())).ok()
}

pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}
