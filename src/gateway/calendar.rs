//! UTC days, weeks and months: when a quota starts anew, and how an access log writes an instant.
//!
//! Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

use super::options::QuotaReset;
use crate::spec::Period;

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month (1-12) and day (1-31) of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The number of the period that an instant falls into: the same number, the same period.
pub(super) fn period_number(period: Period, utc_ms: u64, reset: &QuotaReset) -> i64 {
    let shifted_ms = i64::try_from(utc_ms).unwrap_or(i64::MAX) - reset.after_midnight_utc_s * 1_000;
    let days = shifted_ms.div_euclid(DAY_MS);
    match period {
        Period::Day => days,
        // Day 0 of 1970 was a Thursday, 4 days after a Sunday.
        Period::Week => (days + 4 - i64::from(reset.week_starts_after_sunday_days)).div_euclid(7),
        Period::Month => {
            let (year, month, _) = civil(days);
            year * 12 + month
        }
    }
}

/// Appends `02/Aug/2024:23:34:43 +0000`, the Common Log Format's time.
pub(super) fn push_clf_time(line: &mut Vec<u8>, utc_ms: u64) {
    let seconds = utc_ms / 1_000;
    let (year, month, day) = civil(i64::try_from(seconds / 86_400).unwrap_or(0));
    let name = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"-");
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    push_two_digits(line, day.unsigned_abs());
    line.push(b'/');
    line.extend_from_slice(name.as_bytes());
    line.push(b'/');
    line.extend_from_slice(itoa::Buffer::new().format(year).as_bytes());
    for part in [hour, minute, second] {
        line.push(b':');
        push_two_digits(line, part);
    }
    line.extend_from_slice(b" +0000");
}

fn push_two_digits(line: &mut Vec<u8>, number: u64) {
    if number < 10 {
        line.push(b'0');
    }
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clf(utc_ms: u64) -> String {
        let mut line = Vec::new();
        push_clf_time(&mut line, utc_ms);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn writes_the_time_as_aws_does() {
        assert_eq!(clf(1_722_641_683_999), "02/Aug/2024:23:34:43 +0000");
        assert_eq!(clf(951_782_400_000), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(clf(0), "01/Jan/1970:00:00:00 +0000");
    }

    #[test]
    fn periods_turn_at_their_boundaries() {
        let reset = QuotaReset::default();
        let number = |period, utc_ms| period_number(period, utc_ms, &reset);
        // Each instant is the first of its period: a Wednesday, a Sunday, a first of March.
        let cases = [
            (Period::Day, 1_722_384_000_000),
            (Period::Week, 1_722_729_600_000),
            (Period::Month, 1_709_251_200_000),
        ];
        for (period, start) in cases {
            assert_eq!(number(period, start - 1) + 1, number(period, start), "{period:?}");
            assert_eq!(number(period, start), number(period, start + 86_399_999), "{period:?}");
        }
        let december = 1_735_689_599_999;
        assert_eq!(number(Period::Month, december) + 1, number(Period::Month, december + 1));
    }

    #[test]
    fn boundaries_can_be_moved() {
        let monday = QuotaReset { week_starts_after_sunday_days: 1, ..QuotaReset::default() };
        let sunday_midnight = 1_722_729_600_000;
        let week = |utc_ms| period_number(Period::Week, utc_ms, &monday);
        assert_eq!(week(sunday_midnight - 1), week(sunday_midnight));
        assert_eq!(week(sunday_midnight) + 1, week(sunday_midnight + 86_400_000));
        let later = QuotaReset { after_midnight_utc_s: 3_600, ..QuotaReset::default() };
        let day = |utc_ms| period_number(Period::Day, utc_ms, &later);
        assert_eq!(day(sunday_midnight - 1), day(sunday_midnight + 3_599_999));
        assert_eq!(day(sunday_midnight) + 1, day(sunday_midnight + 3_600_000));
    }
}
