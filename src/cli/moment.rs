//! Moments as people write them.

use crate::config::duration::in_seconds;
use crate::domain::clock::Timestamp;

/// A day (`2027-01-31`), a moment (`2027-01-31T12:00:00Z`), or how long ago (`90d`).
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(ago) = in_seconds(..)(text) {
        return Ok(now - ago);
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
