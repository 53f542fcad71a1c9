//! Numbers and dates in the forms in which tools write them. The types of values are the business of
//! the readers of BSON and of JSON; what a text or a number means is here.

use time::format_description::well_known::{Iso8601, Rfc2822, Rfc3339};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// A whole number that was written as a floating-point number.
#[must_use]
pub fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers, checked before")]
    let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    whole
}

/// A whole number that was written as text.
#[must_use]
pub fn text_whole(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// Seconds since the Unix epoch, or milliseconds, as JavaScript counts: those of seconds would be a
/// date after the year 5000.
#[must_use]
pub fn seconds(number: f64) -> Option<i64> {
    const MILLISECONDS: f64 = 1e11;
    let seconds = if number.abs() < MILLISECONDS { number } else { number / 1000.0 };
    whole(seconds.floor())
}

/// A date that a tool, or a server that knows dates as text only, wrote; without a zone it is UTC.
#[must_use]
pub fn text_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
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
