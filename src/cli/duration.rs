//! Durations and moments as people write them.

use crate::domain::clock::Timestamp;

/// A number of seconds, or one with a unit: `45s`, `30m`, `12h`, `90d`, `2w`.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let wrong =
        || "a duration is a number of seconds, or reads like 30m, 12h, 90d or 2w".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let worth: u64 = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(worth)).ok_or_else(wrong)
}

/// A day (`2027-01-31`), a moment (`2027-01-31T12:00:00Z`), or how long ago (`90d`).
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(ago) = seconds(text) {
        return Ok(Timestamp(now.0.saturating_sub(ago)));
    }
    let day = || Timestamp::from_rfc3339(&format!("{text}T00:00:00Z"));
    Timestamp::from_rfc3339(text).or_else(day).ok_or_else(|| {
        format!("`{text}` is neither a date such as 2027-01-31 or 2027-01-31T12:00:00Z nor a duration such as 90d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("45s", Some(45)),
            ("30m", Some(1800)),
            ("12h", Some(43_200)),
            ("90d", Some(7_776_000)),
            ("2w", Some(1_209_600)),
            ("0", Some(0)),
            ("", None),
            ("d", None),
            ("-1", None),
            ("1.5h", None),
            ("1h30m", None),
            ("1y", None),
            ("99999999999999999w", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn moments() {
        let now = Timestamp(1_800_000_000);
        for (text, expected) in [
            ("90d", Some(1_800_000_000 - 7_776_000)),
            ("1970-01-02", Some(86_400)),
            ("1970-01-02T01:00:00+01:00", Some(86_400)),
            ("1969-01-01", None),
            ("yesterday", None),
        ] {
            assert_eq!(moment(text, now).ok().map(|at| at.0), expected, "{text}");
        }
    }
}
