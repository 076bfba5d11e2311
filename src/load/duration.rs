//! Durations as people write them on the command line: `10s`, `500ms`, `2m`, `1m30s`.
//!
//! A duration is one or more parts, each a decimal number and a unit (`us`, `ms`, `s`, `m`, `h`),
//! from the larger unit to the smaller one. A bare number is refused: nobody can tell whether `30`
//! means seconds or milliseconds.

use crate::error::{Exit, Explain};
use std::time::Duration;

/// The longest duration accepted: a week.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The units, from the largest to the smallest, with their length in nanoseconds.
const UNITS: [(&str, f64); 5] = [("h", 3.6e12), ("m", 6e10), ("s", 1e9), ("ms", 1e6), ("us", 1e3)];

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was written.
    #[error("the duration is empty")]
    Empty,
    /// A part has no number where one is due.
    #[error("duration `{0}`: a number is missing before the unit")]
    NoNumber(String),
    /// A number without a unit.
    #[error("duration `{0}`: the unit is missing")]
    NoUnit(String),
    /// A unit that is none of the five, or out of order.
    #[error("duration `{text}`: unit `{unit}` is unknown or out of order")]
    Unit {
        /// The whole text.
        text: String,
        /// The unit as written.
        unit: String,
    },
    /// Longer than [`DURATION_MAX`].
    #[error("duration `{0}`: longer than a week")]
    TooLong(String),
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("write a number and a unit, for instance `10s`, `500ms`, `2m` or `1m30s`".into())
    }
}

/// Reads a duration.
///
/// # Errors
/// The text is no duration in the form above, or longer than [`DURATION_MAX`].
pub fn parse(text: &str) -> Result<Duration, Error> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Error::Empty);
    }
    let mut total_ns = 0.0_f64;
    let mut units_left = &UNITS[..];
    while !rest.is_empty() {
        let digits = prefix_len(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 =
            rest[..digits].parse().map_err(|_bad| Error::NoNumber(text.to_owned()))?;
        rest = &rest[digits..];
        let letters = prefix_len(rest, |byte| !byte.is_ascii_digit() && byte != b'.');
        let unit = &rest[..letters];
        rest = &rest[letters..];
        if unit.is_empty() {
            return Err(Error::NoUnit(text.to_owned()));
        }
        let Some(at) = units_left.iter().position(|(name, _)| *name == unit) else {
            return Err(Error::Unit { text: text.to_owned(), unit: unit.to_owned() });
        };
        total_ns += number * units_left[at].1;
        units_left = &units_left[at + 1..];
    }
    if total_ns > DURATION_MAX.as_nanos() as f64 {
        return Err(Error::TooLong(text.to_owned()));
    }
    Ok(Duration::from_nanos(total_ns.round() as u64))
}

/// Bytes at the front that `belongs` accepts; always a character boundary, since `belongs` decides
/// every byte of a multi-byte character alike.
fn prefix_len(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len())
}

/// Writes a duration in the form that [`parse`] reads, in its largest whole unit.
pub fn render(duration: Duration) -> String {
    let ns = duration.as_nanos();
    for (unit, length_ns) in UNITS {
        let length_ns = length_ns as u128;
        if ns >= length_ns && ns.is_multiple_of(length_ns) {
            return format!("{}{unit}", ns / length_ns);
        }
    }
    format!("{}us", ns as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_people_write() {
        let cases = [
            ("10s", 10_000_000),
            ("500ms", 500_000),
            ("2m", 120_000_000),
            ("1m30s", 90_000_000),
            ("1h", 3_600_000_000),
            ("0.5s", 500_000),
            ("250us", 250),
            ("0s", 0),
            ("1h0.25ms", 3_600_000_250),
        ];
        for (text, us) in cases {
            assert_eq!(parse(text), Ok(Duration::from_micros(us)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "-1s",
            "1",
            "1x",
            "1s1m",
            "1s1s",
            "1..2s",
            ".s",
            "1e3s",
            "NaNs",
            "infs",
            "169h",
            "9999999999999999999999h",
            "1sé",
            "é",
            "1 s",
        ] {
            assert!(parse(text).is_err(), "`{text}` was accepted");
        }
    }

    #[test]
    fn rendered_durations_read_back() {
        for us in [1, 250, 1_000, 1_500, 1_000_000, 90_000_000, 3_600_000_000] {
            let duration = Duration::from_micros(us);
            assert_eq!(parse(&render(duration)), Ok(duration));
        }
    }
}
