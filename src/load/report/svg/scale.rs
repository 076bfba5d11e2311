//! Axes: ranges and ticks at numbers a person would choose.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// More ticks than this and only powers of ten are kept.
const TICKS_MAX: usize = 8;

/// One axis. plotters' own cannot be given both ticks and a format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) ticks: Vec<f64>,
    pub(super) is_logarithmic: bool,
}

impl Axis {
    /// A logarithmic axis that begins and ends at 1, 2 or 5 times a power of ten.
    pub(super) fn logarithmic(least: f64, largest: f64) -> Self {
        let start = below(least.max(1.0));
        let mut end = above(largest.max(1.0));
        if end <= start {
            end = above(start * 1.5);
        }
        let mut ticks = vec![start];
        while let Some(last) = ticks.last().copied().filter(|last| *last < end) {
            ticks.push(above(last * 1.5));
        }
        if ticks.len() > TICKS_MAX {
            ticks.retain(|tick| is_power_of_ten(*tick));
        }
        Self { range: start..end, ticks, is_logarithmic: true }
    }

    /// A linear axis from 0 to `end`, with about `count` ticks.
    pub(super) fn linear(end: f64, count: usize) -> Self {
        let end = if end > 0.0 { end } else { 1.0 };
        let step = above(end / count as f64);
        // A tick that is the end but for rounding is kept.
        let steps = (end / step + 1e-9).floor() as usize;
        let ticks = (0..=steps).map(|index| index as f64 * step).collect();
        Self { range: 0.0..end, ticks, is_logarithmic: false }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let at = |value: f64| if self.is_logarithmic { value.ln() } else { value };
        let (start, end) = (at(self.range.start), at(self.range.end));
        let share = ((at(*value) - start) / (end - start)).clamp(0.0, 1.0);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// The largest 1, 2 or 5 times a power of ten that is not above `value`.
fn below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [10.0, 5.0, 2.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|nice| *nice <= value)
        .unwrap_or(power)
}

/// The smallest 1, 2 or 5 times a power of ten that is not below `value`.
fn above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|nice| *nice >= value)
        .unwrap_or(power * 10.0)
}

fn is_power_of_ten(value: f64) -> bool {
    let exponent = value.log10();
    (exponent - exponent.round()).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithmic_axes_hold_the_values() {
        let cases = [
            (180.0, 11_000.0, 100.0..20_000.0, vec![100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4]),
            (100.0, 100.0, 100.0..200.0, vec![100.0, 200.0]),
            (0.0, 0.0, 1.0..2.0, vec![1.0, 2.0]),
            (90.0, 3e7, 50.0..5e7, vec![1e2, 1e3, 1e4, 1e5, 1e6, 1e7]),
        ];
        for (least, largest, range, ticks) in cases {
            let axis = Axis::logarithmic(least, largest);
            assert_eq!((axis.range, axis.ticks), (range, ticks));
        }
    }

    #[test]
    fn linear_axes_begin_at_zero_and_end_where_the_values_do() {
        let cases = [
            (525.0, 4, vec![0.0, 200.0, 400.0]),
            (0.0, 4, vec![0.0, 0.5, 1.0]),
            (10.0, 5, vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            (0.3, 3, vec![0.0, 0.1, 0.2, 0.1 * 3.0]),
        ];
        for (end, count, ticks) in cases {
            assert_eq!(Axis::linear(end, count).ticks, ticks, "{end}");
        }
    }

    #[test]
    fn values_map_onto_pixels_and_never_outside() {
        let axis = Axis::logarithmic(1.0, 100.0);
        let mapped = [0.1, 1.0, 10.0, 100.0, 1e9].map(|value| axis.map(&value, (200, 0)));
        assert_eq!(mapped, [200, 200, 100, 0, 0]);
        let linear = Axis::linear(10.0, 5);
        assert_eq!([0.0, 5.0, 10.0].map(|value| linear.map(&value, (0, 50))), [0, 25, 50]);
    }
}
