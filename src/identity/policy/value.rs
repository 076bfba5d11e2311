//! What condition values say: numbers, instants, networks.

use std::cmp::Ordering;
use std::net::IpAddr;

/// Two numbers; `None` unless both are.
pub(super) fn compare_numbers(request: &str, policy: &str) -> Option<Ordering> {
    // Whole numbers are compared exactly, also those an f64 would round.
    if let (Ok(request), Ok(policy)) = (request.parse::<i128>(), policy.parse::<i128>()) {
        return Some(request.cmp(&policy));
    }
    number(request)?.partial_cmp(&number(policy)?)
}

/// A finite number. Rust's parser takes `inf`, `nan` and their kin too; those have letters that no
/// number has.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

/// An instant in nanoseconds since 1970: seconds since then, or one of the forms of
/// <https://www.w3.org/TR/NOTE-datetime> (`2020`, `2020-04`, `2020-04-01`,
/// `2020-04-01T12:00Z`, seconds and fractions of up to nine digits, `+01:00`).
///
/// Four digits are a year.
pub(super) fn instant_ns(text: &str) -> Option<i128> {
    const NS: i128 = 1_000_000_000;
    let all_digits = text.bytes().all(|b| b.is_ascii_digit());
    if all_digits && text.len() != 4 {
        return text.parse::<i64>().ok().map(|seconds| i128::from(seconds) * NS);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let whole = date.len() == 10;
    if parts.next().is_some() || day < 1 || day > days_in(year, month)? || time.is_some() && !whole
    {
        return None;
    }
    let seconds = i128::from(days_since_1970(year, month, day)) * 86_400;
    Some(seconds * NS + time.map_or(Some(0), time_ns)?)
}

/// `hh:mm[:ss[.fraction]]` and a zone, as nanoseconds since that day's midnight in UTC.
fn time_ns(text: &str) -> Option<i128> {
    let (clock, offset_minutes) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (hours, minutes) = text[at + 1..].split_once(':')?;
        let minutes = within(digits(hours, 2)?, 23)? * 60 + within(digits(minutes, 2)?, 59)?;
        (&text[..at], if text[at..].starts_with('-') { -minutes } else { minutes })
    };
    let mut parts = clock.split(':');
    let hour = within(digits(parts.next()?, 2)?, 23)?;
    let minute = within(digits(parts.next()?, 2)?, 59)?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(part) => {
            let (second, fraction) = part.split_once('.').unwrap_or((part, "0"));
            if fraction.is_empty() || fraction.len() > 9 {
                return None;
            }
            let scale = 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
            // 60 is a leap second.
            (within(digits(second, 2)?, 60)?, digits(fraction, fraction.len())? * scale)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let seconds = i128::from((hour * 60 + minute - offset_minutes) * 60 + second);
    Some(seconds * 1_000_000_000 + i128::from(fraction))
}

/// Exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn within(number: i64, max: i64) -> Option<i64> {
    (number <= max).then_some(number)
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that the leap
/// day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March on have 31, 30, 31, 30, 31, 31, 30, ... days: (153 m + 2) / 5 before month m.
    let before_month = (153 * month + 2) / 5;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + before_month + day - 1 - 719_468
}

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// `203.0.113.0/24`, `2001:db8::/32`, or an address alone, which stands for itself.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => u32::try_from(digits(prefix, prefix.len())?).ok()?,
            None => bits,
        };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether the address is in it; never across the two kinds of address.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u128::from(own.to_bits() ^ other.to_bits()) << 96
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => own.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= self.prefix
    }
}
