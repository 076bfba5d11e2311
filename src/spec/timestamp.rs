//! Instants in the ledger: whole seconds in UTC, written as RFC 3339.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that RFC 3339 can write, 9999-12-31T23:59:59Z.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp {
    seconds: u64,
}

impl Timestamp {
    /// To the minute, for tables: `2026-06-01 09:30Z`.
    pub fn short(&self) -> String {
        let text = self.to_string();
        format!("{} {}Z", &text[..10], &text[11..16])
    }
}

impl From<SystemTime> for Timestamp {
    /// Cuts to whole seconds; an instant outside 1970 to 9999 becomes the nearest inside.
    fn from(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { seconds: seconds.min(SECONDS_MAX) }
    }
}

impl FromStr for Timestamp {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_rfc3339(text).map(Self::from)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = humantime::TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_secs(self.seconds);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (SECONDS_MAX, "9999-12-31T23:59:59Z"),
        ] {
            let timestamp = Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(timestamp.to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), timestamp);
            assert_eq!(timestamp.short(), format!("{} {}Z", &text[..10], &text[11..16]));
        }
        let beyond = UNIX_EPOCH + Duration::from_secs(SECONDS_MAX + 1);
        assert_eq!(Timestamp::from(beyond).to_string(), "9999-12-31T23:59:59Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
