//! Time, handed in: whoever decides something about time takes `now` as an argument.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whole seconds since the Unix epoch: a `NumericDate` of
/// [RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2).
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// How long a day is.
pub const DAY: Duration = Duration::from_secs(86_400);

impl Timestamp {
    /// When the day of this moment began, in UTC.
    #[must_use]
    pub fn day(self) -> Self {
        Self(self.0 - self.0 % DAY.as_secs())
    }

    /// Reads a date of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), such as
    /// `2027-01-31T00:00:00Z`; `None` if it is none, or before the Unix epoch.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(date.unix_timestamp()).ok().map(Self)
    }

    /// The date in UTC as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) writes it; `None`
    /// after the year 9999.
    #[must_use]
    pub fn to_rfc3339(self) -> Option<String> {
        let seconds = i64::try_from(self.0).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
    }

    /// The date as above, for a log; after the year 9999 the seconds.
    #[must_use]
    pub fn for_people(self) -> String {
        self.to_rfc3339().unwrap_or_else(|| self.0.to_string())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_secs()))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier.as_secs()))
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time now, in whole seconds.
    fn now(&self) -> Timestamp;
}

/// The system's wall clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the system")]
    fn now(&self) -> Timestamp {
        Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}
