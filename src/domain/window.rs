//! Fixed spans of time, the same for everybody: hours and days of UTC.

use std::time::Duration;

use strum::{EnumString, IntoStaticStr};

use super::clock::Timestamp;

/// How long a window is.
#[derive(Clone, Copy, Debug, EnumString, Eq, Hash, IntoStaticStr, Ord, PartialEq, PartialOrd)]
#[strum(serialize_all = "lowercase")]
pub enum Length {
    /// From midnight to midnight.
    Day,
    /// From one full hour to the next.
    Hour,
}

impl Length {
    /// Its name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn seconds(self) -> u64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3_600,
        }
    }
}

/// One hour or one day; half open.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Window {
    /// How long it is.
    pub length: Length,
    /// When it begins.
    pub start: Timestamp,
}

impl Window {
    /// The one that this moment is in.
    #[must_use]
    pub fn at(length: Length, now: Timestamp) -> Self {
        Self { length, start: Timestamp(now.0 - now.0 % length.seconds()) }
    }

    /// When it is over.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.start + Duration::from_secs(self.length.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_utc_and_half_open() {
        // 2027-01-15 is the day from 1_799_971_200.
        let day = 1_799_971_200;
        for (why, length, now, start, end) in [
            ("first second of an hour", Length::Hour, day + 3_600, day + 3_600, day + 7_200),
            ("last second of an hour", Length::Hour, day + 3_599, day, day + 3_600),
            ("first second of a day", Length::Day, day, day, day + 86_400),
            ("last second of a day", Length::Day, day + 86_399, day, day + 86_400),
        ] {
            let window = Window::at(length, Timestamp(now));
            assert_eq!((window.start.0, window.end().0), (start, end), "{why}");
        }
    }
}
