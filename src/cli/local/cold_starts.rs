//! Recorded cold starts, read to be played: a list of init durations, or what an earlier run met.

use super::super::input;
use crate::error::{Exit, Failure};
use crate::load::baseline;
use crate::load::report::document::TimeSummary;
use std::path::Path;
use std::time::Duration;

/// Most durations of a list.
const LIST_MAX: usize = 100_000;
/// Longest init: Lambda gives up after 10 s and starts again within the function's timeout, so
/// anything an hour long is no init.
const INIT_MAX_MS: f64 = 3_600_000.0;
/// Durations made of a report's percentiles.
const SAMPLES: u32 = 1_000;

/// The durations in a file.
pub(super) fn read(path: &Path) -> Result<Vec<Duration>, Failure> {
    let bytes = input::read_file("cold-starts", path, baseline::REPORT_BYTES_MAX)?;
    parse(&bytes).map_err(|message| {
        Failure::new(Exit::Refused, format!("cold-starts `{}`: {message}", path.display()))
            .with_hint(
                "give a JSON list of milliseconds, for instance [412.5, 380], or a report of \
                 `gwtf loadtest --json` that met cold starts",
            )
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<Duration>, String> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        let list: Vec<f64> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if list.is_empty() || list.len() > LIST_MAX {
            return Err(format!("a list of {} durations, not of 1 to {LIST_MAX}", list.len()));
        }
        return list.into_iter().map(from_ms).collect();
    }
    let report = baseline::read(bytes).map_err(|error| error.to_string())?;
    let summary = report.cold_starts.response_time_us;
    summary.map(|summary| from_summary(&summary)).ok_or_else(|| "it met no cold start".to_owned())
}

fn from_ms(ms: f64) -> Result<Duration, String> {
    match (0.0..=INIT_MAX_MS).contains(&ms) {
        true => Ok(Duration::from_secs_f64(ms / 1_000.0)),
        false => Err(format!("{ms} is no number of milliseconds up to {INIT_MAX_MS}")),
    }
}

/// Durations spread as the percentiles say, straight lines between them; what is below the median
/// is not known and counts as the median. They are response times, so each holds one run of the
/// model too.
///
/// In an order that looks shuffled and is always the same: steps of 617, which has no divisor in
/// common with 1,000.
fn from_summary(times: &TimeSummary) -> Vec<Duration> {
    let known = [
        (0.0, times.p50),
        (0.5, times.p50),
        (0.9, times.p90),
        (0.95, times.p95),
        (0.99, times.p99),
        (0.999, times.p999),
        (1.0, times.max),
    ];
    let at = |share: f64| {
        let pair = known.windows(2).find(|pair| share <= pair[1].0);
        let [(from, low), (to, high)] =
            pair.map_or([known[5], known[6]], |pair| [pair[0], pair[1]]);
        let (low, high) = (low as f64, high.max(low) as f64);
        low + (high - low) * (share - from) / (to - from)
    };
    (0..SAMPLES)
        .map(|n| f64::from(n * 617 % SAMPLES) / f64::from(SAMPLES - 1))
        .map(|share| Duration::from_micros(at(share) as u64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_milliseconds_in_its_order() {
        assert_eq!(
            parse(b" [412.5, 0, 3]"),
            Ok(vec![Duration::from_micros(412_500), Duration::ZERO, Duration::from_millis(3)])
        );
        for text in ["[]", "[-1]", "[1e300]", "[\"1\"]", "[1", "{}", "", "7", "[NaN]"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!("[{}1]", "1,".repeat(LIST_MAX));
        assert!(parse(long.as_bytes()).unwrap_err().contains("100001"));
    }

    #[test]
    fn percentiles_become_durations_of_the_same_percentiles() {
        let times = TimeSummary {
            p50: 100,
            p90: 900,
            p95: 950,
            p99: 2_000,
            p999: 3_000,
            max: 9_000,
            mean: 400.0,
        };
        let mut made = from_summary(&times);
        assert_eq!(made.len(), 1_000);
        assert_ne!(made[0..10], made[10..20]);
        made.sort();
        let at = |share: f64| made[(share * 999.0) as usize].as_micros();
        assert_eq!((at(0.0), at(0.4), at(1.0)), (100, 100, 9_000));
        assert!((899..=901).contains(&at(0.9)), "{}", at(0.9));
        assert!((1_990..=2_010).contains(&at(0.99)), "{}", at(0.99));
    }
}
