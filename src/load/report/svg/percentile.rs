//! The percentile curve: how slow the slowest share of requests is, on a logarithmic axis.
//!
//! The horizontal axis is `1 / (1 - quantile)`, so that 90 %, 99 % and 99.9 % are equally far
//! apart and the tail, which decides objectives, is as wide as the rest.

use super::scale::Axis;
use super::{Canvas, Drawn, Frame, Ink, Margin, Plot, TEXT_PX, axes, label, pixels, plot, spread};
use crate::load::report::document::Report;
use crate::load::units;
use hdrhistogram::Histogram;
use plotters::element::Circle;
use plotters::series::LineSeries;
use plotters::style::text_anchor::HPos;

/// Points per power of ten of a curve.
const POINTS_PER_DECADE: i32 = 24;

/// A class's two curves.
struct Curve<'a> {
    name: &'static str,
    ink: Ink,
    response_time_us: &'a Histogram<u64>,
    service_time_us: &'a Histogram<u64>,
}

/// Response time (solid) and service time (dashed) by percentile, for ok, throttled and errors;
/// `None` when nothing ended.
pub fn percentiles(report: &Report) -> Option<Plot> {
    let histograms = &report.histograms;
    let curves: Vec<Curve<'_>> = [
        ("ok", Ink::Ok, &histograms.ok, &histograms.ok_service_time),
        ("throttled", Ink::Throttled, &histograms.throttled, &histograms.throttled_service_time),
        ("errors", Ink::Error, &histograms.error, &histograms.error_service_time),
    ]
    .into_iter()
    .map(|(name, ink, response, service)| Curve {
        name,
        ink,
        response_time_us: &response.0,
        service_time_us: &service.0,
    })
    .filter(|curve| !curve.response_time_us.is_empty())
    .collect();
    if curves.is_empty() {
        return None;
    }
    let said: Vec<String> = curves.iter().map(Curve::in_words).collect();
    Some(plot(
        "percentiles",
        "Response and service time by percentile",
        &format!("{}. The table below holds the numbers.", said.join(". ")),
        (400, 330),
        |canvas, frame| draw(canvas, frame, &curves),
    ))
}

impl Curve<'_> {
    fn in_words(&self) -> String {
        let times = self.response_time_us;
        format!(
            "Response time of {}: median {}, 99 % within {}, at most {}",
            self.name,
            units::time(times.value_at_quantile(0.5)),
            units::time(times.value_at_quantile(0.99)),
            units::time(times.max()),
        )
    }
}

fn draw(canvas: &Canvas<'_>, frame: Frame, curves: &[Curve<'_>]) -> Drawn {
    let samples_max = curves.iter().map(|curve| curve.response_time_us.len()).max().unwrap_or(1);
    let x_end = (samples_max as f64).max(10.0);
    let ticks = std::iter::once(2.0).chain((1..=9).map(|n| 10_f64.powi(n)));
    let ticks: Vec<f64> = ticks.filter(|x| *x <= x_end).collect();
    let x = Axis { range: 1.0..x_end, ticks: ticks.clone(), is_logarithmic: true };
    let every = || curves.iter().flat_map(|curve| [curve.response_time_us, curve.service_time_us]);
    let least = every().map(Histogram::min).min().unwrap_or(1);
    let largest = every().map(Histogram::max).max().unwrap_or(1);
    let y = Axis::logarithmic(least as f64, largest as f64);
    let margin = Margin { top_px: 10, bottom_px: 28 };
    let mut chart =
        axes(canvas, margin, (x, y), &|x| percent_of(*x), &|us| units::time_exact(*us))?;
    for curve in curves {
        chart.draw_series(LineSeries::new(points(curve.service_time_us), curve.ink.dashes(1.5)))?;
        chart.draw_series(LineSeries::new(points(curve.response_time_us), curve.ink.line(2.5)))?;
        let marks = ticks.iter().filter(|x| **x <= curve.response_time_us.len() as f64);
        chart.draw_series(marks.map(|x| {
            let us = curve.response_time_us.value_at_quantile(1.0 - 1.0 / x).max(1);
            let mut filled = curve.ink.line(1.0);
            filled.filled = true;
            Circle::new((*x, us as f64), pixels(3), filled)
        }))?;
    }
    let ends: Vec<(i32, i32)> = curves
        .iter()
        .map(|curve| {
            let times = curve.response_time_us;
            let at = ((times.len() as f64).clamp(1.0, x_end), times.max().max(1) as f64);
            chart.plotting_area().map_coordinate(&at)
        })
        .collect();
    let wanted = ends.iter().enumerate().map(|(index, (_, y))| (*y, index)).collect();
    let text = pixels(TEXT_PX);
    for (index, y) in spread(wanted, text + pixels(3), text, pixels(frame.height_px - 40)) {
        let at = (ends[index].0 + pixels(8), y);
        canvas.draw(&label(curves[index].name, curves[index].ink, HPos::Left, at))?;
    }
    Ok(())
}

/// The curve from the fastest sample to the slowest, without points that add nothing.
fn points(times_us: &Histogram<u64>) -> Vec<(f64, f64)> {
    let samples = times_us.len() as f64;
    if samples < 1.0 {
        return Vec::new();
    }
    let mut points: Vec<(f64, f64)> = Vec::new();
    let steps = (samples.log10() * f64::from(POINTS_PER_DECADE)).floor() as i32;
    let exponent = |step: i32| f64::from(step) / f64::from(POINTS_PER_DECADE);
    let mut at: Vec<f64> = (0..=steps).map(|step| 10_f64.powf(exponent(step))).collect();
    // The median has a tick, but no step falls on it.
    at.extend(Some(2.0).filter(|two| *two < samples));
    at.sort_by(f64::total_cmp);
    let inner =
        at.into_iter().map(|x| (x, times_us.value_at_quantile(1.0 - 1.0 / x).max(1) as f64));
    for point in inner.chain([(samples, times_us.max().max(1) as f64)]) {
        // Of a level stretch only the ends are kept.
        if let [.., (_, before), (_, last)] = points.as_slice()
            && *before == point.1
            && *last == point.1
        {
            points.pop();
        }
        points.push(point);
    }
    points
}

/// `1 / (1 - quantile)` as the percentile it stands for: 1000 is p99.9.
fn percent_of(x: f64) -> String {
    let decimals = (x.log10().round() as usize).saturating_sub(2);
    format!("p{:.decimals$}", (1.0 - 1.0 / x) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::class::empty_histogram;

    #[test]
    fn ticks_read_as_percentiles() {
        let cases = [(2.0, "p50"), (10.0, "p90"), (100.0, "p99"), (1e3, "p99.9"), (1e5, "p99.999")];
        for (x, text) in cases {
            assert_eq!(percent_of(x), text);
        }
    }

    #[test]
    fn curves_rise_from_the_fastest_to_the_slowest() {
        let mut times = empty_histogram();
        for us in 1..=1_000 {
            times.record(us).unwrap();
        }
        let points = points(&times);
        assert_eq!(points.first(), Some(&(1.0, 1.0)));
        assert_eq!(points.last(), Some(&(1_000.0, 1_000.0)));
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        assert!(super::points(&empty_histogram()).is_empty());
        let mut level = empty_histogram();
        level.record_n(5, 10_000).unwrap();
        assert_eq!(super::points(&level).len(), 2);
    }
}
