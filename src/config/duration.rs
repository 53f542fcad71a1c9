//! Durations as people write them: a bare number in the unit of the setting, or one with units of
//! its own, such as `10h` or `1h 30m`.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use serde::Serializer;

use crate::domain::clock::DAY;

/// A parser of durations: a bare number is in seconds. `range` is in seconds, too.
pub fn in_seconds<R>(range: R) -> impl Fn(&str) -> Result<Duration, String> + Clone
where
    R: Clone + RangeBounds<u64>,
{
    move |text| Unit::SECOND.read(text, &range)
}

/// A parser of durations: a bare number is in days. `range` is in days, too.
pub(super) fn in_days<R>(range: R) -> impl Fn(&str) -> Result<Duration, String> + Clone
where
    R: Clone + RangeBounds<u64>,
{
    move |text| Unit::DAY.read(text, &range)
}

/// The same parser, for a setting where 0 means that there is no limit.
pub(super) fn unless_zero(
    parse: impl Fn(&str) -> Result<Duration, String> + Clone,
) -> impl Fn(&str) -> Result<Option<Duration>, String> + Clone {
    move |text| Ok(Some(parse(text)?).filter(|duration| !duration.is_zero()))
}

pub(super) fn as_seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    Unit::SECOND.write(*duration, to)
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn as_seconds_or_zero<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    Unit::SECOND.write(duration.unwrap_or_default(), to)
}

#[expect(clippy::ref_option, reason = "the shape that serde calls")]
pub(super) fn as_days_or_zero<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    Unit::DAY.write(duration.unwrap_or_default(), to)
}

/// The unit of a bare number.
struct Unit {
    name: &'static str,
    length: Duration,
}

impl Unit {
    const SECOND: Self = Self { name: "second", length: Duration::from_secs(1) };
    const DAY: Self = Self { name: "day", length: DAY };

    fn read(&self, text: &str, range: &impl RangeBounds<u64>) -> Result<Duration, String> {
        let malformed = || {
            let unit = self.name;
            format!("a duration is a number of {unit}s, or reads like 30m, 12h, 90d or 1h 30m")
        };
        let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let duration = match bare {
            true => text.parse().ok().and_then(|number| self.times(number)),
            false => humantime::parse_duration(text).ok(),
        };
        let duration = duration.ok_or_else(malformed)?;
        if duration.subsec_nanos() != 0 {
            return Err("a duration is in whole seconds".to_owned());
        }
        let bound =
            |bound: Bound<&u64>| bound.map(|number| self.times(*number).unwrap_or(Duration::MAX));
        let range = (bound(range.start_bound()), bound(range.end_bound()));
        if range.contains(&duration) {
            return Ok(duration);
        }
        Err(match range {
            (Bound::Included(least), _) if duration < least => {
                format!("must be at least {}", humantime::format_duration(least))
            }
            (_, Bound::Included(most)) => {
                format!("must be at most {}", humantime::format_duration(most))
            }
            _ => "out of range".to_owned(),
        })
    }

    /// As a bare number if that says it all.
    fn write<S: Serializer>(&self, duration: Duration, to: S) -> Result<S::Ok, S::Error> {
        let (seconds, length) = (duration.as_secs(), self.length.as_secs());
        match seconds % length {
            0 => to.serialize_u64(seconds / length),
            _ => to.collect_str(&humantime::format_duration(duration)),
        }
    }

    fn times(&self, number: u64) -> Option<Duration> {
        Some(Duration::from_secs(number.checked_mul(self.length.as_secs())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_a_duration() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("0", Some(0)),
            ("45s", Some(45)),
            ("30m", Some(1800)),
            ("12h", Some(43_200)),
            ("1.5h", Some(5400)),
            ("90d", Some(7_776_000)),
            ("2w", Some(1_209_600)),
            ("1h30m", Some(5400)),
            ("1h 30m", Some(5400)),
            ("2 days", Some(172_800)),
            ("", None),
            ("d", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1500ms", None),
            ("1 fortnight", None),
            ("99999999999999999w", None),
            ("99999999999999999999", None),
        ] {
            let seconds = in_seconds(..)(text).ok().map(|duration| duration.as_secs());
            assert_eq!(seconds, expected, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_in_the_unit_of_the_setting() {
        for (text, days, shown) in [
            ("0", None, "0"),
            ("90", Some(90.0), "90"),
            ("90d", Some(90.0), "90"),
            ("36h", Some(1.5), "\"1day 12h\""),
            ("86400s", Some(1.0), "1"),
        ] {
            let read = unless_zero(in_days(..))(text).unwrap();
            assert_eq!(read, days.map(|days| DAY.mul_f64(days)), "{text}");
            let written = as_days_or_zero(&read, serde_json::value::Serializer).unwrap();
            assert_eq!(written.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn ranges_are_in_the_unit_of_the_setting() {
        let example = "reads like 30m, 12h, 90d or 1h 30m";
        for (read, said) in [
            (in_seconds(1..)("1"), None),
            (in_seconds(1..)("0"), Some("must be at least 1s")),
            (in_seconds(..=600)("10m"), None),
            (in_seconds(..=600)("601s"), Some("must be at most 10m")),
            (in_days(..=36500)("36500"), None),
            (in_days(..=36500)("36501"), Some("must be at most")),
            (in_days(..)("soon"), Some("a number of days")),
            (in_seconds(..)("soon"), Some(example)),
        ] {
            match (read, said) {
                (Ok(_), None) => {}
                (Err(error), Some(said)) => assert!(error.contains(said), "{error}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
