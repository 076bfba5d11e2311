//! Numbers of a schema and of a document, compared by value whatever their notation.
//!
//! Whole numbers of up to 38 digits are exact; the rest are doubles, so two decimals that differ
//! beyond a double's precision count as equal.

use std::cmp::Ordering;

/// A JSON number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// Written without fraction and exponent, and within range.
    Whole(i128),
    /// Anything else.
    Real(f64),
}

impl Number {
    /// The number with this JSON text, which has been scanned before.
    pub(super) fn read(text: &str) -> Self {
        match text.parse() {
            Ok(whole) => Self::Whole(whole),
            Err(_) => Self::Real(text.parse().unwrap_or(f64::NAN)),
        }
    }

    /// Order by value; a double that is no number is above all.
    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Greater),
            (Self::Whole(a), Self::Real(b)) => whole_to_real(a, b),
            (Self::Real(a), Self::Whole(b)) => whole_to_real(b, a).reverse(),
        }
    }
}

/// Compares without rounding the whole number: against the double's floor, then its fraction.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which keeps the order")]
fn whole_to_real(whole: i128, real: f64) -> Ordering {
    let floor = real.floor();
    let fraction = if real > floor { Ordering::Less } else { Ordering::Equal };
    whole.cmp(&(floor as i128)).then(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_by_value() {
        let cases = [
            ("1", "1.0", Ordering::Equal),
            ("1e2", "100", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("2", "2.5", Ordering::Less),
            ("-3", "-2.5", Ordering::Less),
            ("-2", "-2.5", Ordering::Greater),
            ("5", "1e300", Ordering::Less),
            ("5", "-1e999", Ordering::Greater),
            ("1e999", "1e300", Ordering::Greater),
        ];
        for (a, b, expected) in cases {
            let (a_read, b_read) = (Number::read(a), Number::read(b));
            assert_eq!(a_read.order(b_read), expected, "{a} and {b}");
            assert_eq!(b_read.order(a_read), expected.reverse(), "{b} and {a}");
        }
    }
}
