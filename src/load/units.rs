//! Numbers as a person reads them: times, counts, shares and rates, each with its unit.
//!
//! Three significant digits, which is what the histograms keep; [`time_exact`] shows a measured
//! value finely enough to be compared with an objective by eye.

/// A time of three significant digits: `812 µs`, `1.84 ms`, `18.4 s`.
pub fn time(us: u64) -> String {
    let (number, unit) = time_parts(us);
    format!("{number} {unit}")
}

/// [`time`] without the space, for narrow columns.
pub fn time_compact(us: u64) -> String {
    let (number, unit) = time_parts(us);
    format!("{number}{unit}")
}

/// A time to the histogram's resolution, without trailing zeros: `50.015 ms`.
pub fn time_exact(us: f64) -> String {
    let (value, unit) = if us < 1e3 {
        (us, "µs")
    } else if us < 1e6 {
        (us / 1e3, "ms")
    } else {
        (us / 1e6, "s")
    };
    format!("{} {unit}", trimmed(value, 3))
}

/// A time that was counted in seconds: `10.0 s`, `2 min 30 s`.
pub fn seconds(s: f64) -> String {
    if s < 120.0 {
        return format!("{s:.1} s");
    }
    let whole = s.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, rest) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{minutes} min {rest} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// A count with thousands separated: `5,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of at most six characters: `99,999`, `124k`, `1.24M`.
pub fn count_compact(n: u64) -> String {
    if n < 100_000 {
        return count(n);
    }
    let (value, suffix) = match n {
        0..999_500 => (n as f64 / 1e3, "k"),
        999_500..999_500_000 => (n as f64 / 1e6, "M"),
        _ => (n as f64 / 1e9, "G"),
    };
    format!("{}{suffix}", significant(value))
}

/// A share as percent for prose: `42 %`, `0.2 %`, never `0 %` or `100 %` unless exactly so.
pub fn percent(share: f64) -> String {
    let text = percent_fixed(share);
    text.replace(".0 %", " %")
}

/// A share as percent with one decimal, for columns: `42.0 %`, `<0.1 %`, `>99.9 %`.
pub fn percent_fixed(share: f64) -> String {
    if share > 0.0 && share < 0.000_5 {
        "<0.1 %".to_owned()
    } else if (0.999_5..1.0).contains(&share) {
        ">99.9 %".to_owned()
    } else {
        format!("{:.1} %", share * 100.0)
    }
}

/// A share as whole percent without a space, for narrow columns: `42%`, `<1%`, `>99%`.
pub fn percent_compact(share: f64) -> String {
    if share > 0.0 && share < 0.005 {
        "<1%".to_owned()
    } else if (0.995..1.0).contains(&share) {
        ">99%".to_owned()
    } else {
        format!("{:.0}%", share * 100.0)
    }
}

/// A share as percent with up to four decimals, as little as needed: `1.25 %`.
pub fn percent_exact(share: f64) -> String {
    if share > 0.0 && share < 0.000_001 {
        return "<0.0001 %".to_owned();
    }
    format!("{} %", trimmed(share * 100.0, 4))
}

/// A rate with its unit: `490 rps`, `4.5 rps`.
pub fn rate(rps: f64) -> String {
    format!("{} rps", rate_number(rps))
}

/// A rate without its unit.
pub fn rate_number(rps: f64) -> String {
    if rps >= 999.5 {
        count(rps.round() as u64)
    } else {
        let text = significant(rps);
        if text.contains('.') { trim_zeros(&text).to_owned() } else { text }
    }
}

/// A signed change as percent: `+12 %`, `−3.4 %`.
pub fn change(percent: f64) -> String {
    let sign = if percent < 0.0 { '−' } else { '+' };
    let size = percent.abs();
    if size < 0.05 {
        return "0 %".to_owned();
    }
    if size >= 99.5 { format!("{sign}{size:.0} %") } else { format!("{sign}{size:.1} %") }
}

fn time_parts(us: u64) -> (String, &'static str) {
    // The bounds are where three significant digits would round up to the next unit.
    match us {
        0..1_000 => (us.to_string(), "µs"),
        1_000..999_500 => (significant(us as f64 / 1e3), "ms"),
        _ => (significant(us as f64 / 1e6), "s"),
    }
}

/// Three significant digits, in plain notation, for values of at least 0.01.
fn significant(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn trimmed(value: f64, decimals: usize) -> String {
    trim_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn trim_zeros(text: &str) -> &str {
    text.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits() {
        let cases = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (1_844, "1.84 ms"),
            (9_996, "10.0 ms"),
            (99_960, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (18_400_000, "18.4 s"),
            (600_000_000, "600 s"),
        ];
        for (us, text) in cases {
            assert_eq!(time(us), text, "{us}");
        }
        assert_eq!(time_compact(1_844), "1.84ms");
    }

    #[test]
    fn exact_times_show_what_was_compared() {
        let cases =
            [(812.0, "812 µs"), (50_015.0, "50.015 ms"), (50_000.0, "50 ms"), (2.5e6, "2.5 s")];
        for (us, text) in cases {
            assert_eq!(time_exact(us), text);
        }
    }

    #[test]
    fn counts_group_thousands() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (n, text) in cases {
            assert_eq!(count(n), text);
        }
        let compact =
            [(99_999, "99,999"), (124_400, "124k"), (999_499, "999k"), (999_500, "1.00M")];
        for (n, text) in compact {
            assert_eq!(count_compact(n), text);
        }
    }

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        let cases = [
            (0.0, "0 %"),
            (1e-5, "<0.1 %"),
            (0.002, "0.2 %"),
            (0.42, "42 %"),
            (0.4249, "42.5 %"),
            (0.999_99, ">99.9 %"),
            (1.0, "100 %"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text, "{share}");
        }
        let compact = [(0.0, "0%"), (0.004, "<1%"), (0.42, "42%"), (0.996, ">99%"), (1.0, "100%")];
        for (share, text) in compact {
            assert_eq!(percent_compact(share), text, "{share}");
        }
        assert_eq!(percent_exact(0.0125), "1.25 %");
        assert_eq!(percent_exact(1e-9), "<0.0001 %");
    }

    #[test]
    fn rates_and_changes() {
        let cases =
            [(0.0, "0 rps"), (4.5, "4.5 rps"), (490.0, "490 rps"), (12_345.6, "12,346 rps")];
        for (rps, text) in cases {
            assert_eq!(rate(rps), text);
        }
        assert_eq!(change(12.0), "+12.0 %");
        assert_eq!(change(-250.0), "−250 %");
        assert_eq!(change(-0.01), "0 %");
    }

    #[test]
    fn long_runs_read_as_minutes() {
        let cases =
            [(10.0, "10.0 s"), (150.0, "2 min 30 s"), (600.0, "10 min"), (7_260.0, "2 h 1 min")];
        for (s, text) in cases {
            assert_eq!(seconds(s), text);
        }
    }
}
