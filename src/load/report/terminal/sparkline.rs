//! The run over time as one line of eighth blocks for each of offered, ok, throttled, errors, p99.

use super::LABEL_COLUMNS;
use super::paint::{Ink, Paint};
use crate::load::report::document::{Report, TimelineSlice};
use crate::load::units;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Room after a line for its largest value.
const PEAK_COLUMNS: usize = 20;

/// The longest line drawn.
const SPARK_COLUMNS_MAX: usize = 100;

/// A line's label, its ink, and what it counts.
type Count = (&'static str, Ink, fn(&TimelineSlice) -> u64);

/// The lines, or nothing when the run has fewer than two slices.
pub(super) fn render(report: &Report, columns: usize, paint: Paint) -> String {
    let slices = &report.timeline;
    if slices.len() < 2 {
        return String::new();
    }
    let room = columns.saturating_sub(LABEL_COLUMNS + PEAK_COLUMNS).clamp(8, SPARK_COLUMNS_MAX);
    let counts: [Count; 4] = [
        ("offered", Ink::Plain, |slice| slice.offered),
        ("ok", Ink::Good, |slice| slice.ok),
        ("throttled", Ink::Warn, |slice| slice.throttled),
        ("errors", Ink::Bad, |slice| slice.errors),
    ];
    let rate = |count: u64, slice: &TimelineSlice| {
        (slice.duration_s > 0.0).then(|| count as f64 / slice.duration_s)
    };
    // One scale for all counts, so that the lines can be compared.
    let offered = sampled(slices, room, |slice| rate(slice.offered.max(slice.ok), slice));
    let scale = peak(&offered).unwrap_or(0.0);
    let mut text = String::new();
    for (label, ink, count) in counts {
        let values = sampled(slices, room, |slice| rate(count(slice), slice));
        let Some(peak) = peak(&values).filter(|peak| *peak > 0.0) else { continue };
        let line = blocks(&values, scale);
        text.push_str(&labelled(label, &line, ink, &format!("peak {}", units::rate(peak)), paint));
    }
    let p99_us = sampled(slices, room, |slice| slice.p99_us.map(|us| us as f64));
    if let Some(peak) = peak(&p99_us) {
        let line = blocks(&p99_us, peak);
        let peak = format!("peak {}", units::time(peak.round() as u64));
        text.push_str(&labelled("p99 of ok", &line, Ink::Plain, &peak, paint));
    }
    text
}

fn labelled(label: &str, line: &str, ink: Ink, peak: &str, paint: Paint) -> String {
    let label = paint.ink(&format!("{label:<LABEL_COLUMNS$}"), Ink::Quiet);
    format!("{label}{}  {}\n", paint.ink(line, ink), paint.ink(peak, Ink::Quiet))
}

/// One value a column: slices side by side are widened evenly or joined by their largest value.
fn sampled(
    slices: &[TimelineSlice],
    room: usize,
    value: impl Fn(&TimelineSlice) -> Option<f64>,
) -> Vec<Option<f64>> {
    let joined = slices.len().div_ceil(room);
    let widened = (room / slices.len()).max(1);
    slices
        .chunks(joined)
        .map(|chunk| chunk.iter().filter_map(&value).max_by(f64::total_cmp))
        .flat_map(|largest| std::iter::repeat_n(largest, widened))
        .collect()
}

fn peak(values: &[Option<f64>]) -> Option<f64> {
    values.iter().flatten().copied().max_by(f64::total_cmp)
}

/// Nothing and zero are blank; anything more is at least the lowest block.
fn blocks(values: &[Option<f64>], scale: f64) -> String {
    values
        .iter()
        .map(|value| match value {
            Some(value) if *value > 0.0 && scale > 0.0 => {
                let eighths = (value / scale * 8.0).ceil() as usize;
                BLOCKS[eighths.clamp(1, 8) - 1]
            }
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_tell_nothing_from_little() {
        let values = [None, Some(0.0), Some(0.1), Some(50.0), Some(100.0)];
        assert_eq!(blocks(&values, 100.0), "  ▁▄█");
        assert_eq!(blocks(&[Some(1.0)], 0.0), " ");
    }
}
