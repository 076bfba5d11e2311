//! The run over time: response time of ok requests above, what became of the offered rate below.
//!
//! Both share the time axis, so that a jump above can be traced to what happened below. Requests
//! are drawn at the instant they were meant to be sent, not when they ended.

use super::scale::Axis;
use super::{
    Canvas, Drawn, Frame, Ink, LEFT_PX, Margin, Plot, SUBPIXELS, TEXT_PX, axes, label, pixels,
    plot, spread,
};
use crate::load::report::document::{Report, TimelineSlice};
use crate::load::report::words;
use crate::load::units;
use plotters::element::{PathElement, Polygon};
use plotters::series::LineSeries;
use plotters::style::Color as _;
use plotters::style::text_anchor::HPos;

/// The longest run that is drawn, seconds (30 years).
const SECONDS_MAX: f64 = 1e9;

/// Room for a plot's title, pixels.
const TITLE_PX: i32 = 26;

/// A class's name at the right end, its ink there, its area's ink, and its share of a slice.
type Band = (&'static str, Ink, Ink, fn(&TimelineSlice) -> u64);

const BANDS: [Band; 3] = [
    ("ok", Ink::Ok, Ink::OkArea, |slice| slice.ok),
    ("throttled", Ink::Throttled, Ink::ThrottledArea, |slice| slice.throttled),
    ("errors", Ink::Error, Ink::ErrorArea, |slice| slice.errors),
];

/// The timeline; `None` without at least one slice that lasted.
pub fn timeline(report: &Report) -> Option<Plot> {
    let slices: Vec<TimelineSlice> =
        report.timeline.iter().filter(|s| can_be_drawn(s)).copied().collect();
    let end_s = slices.last().map(|slice| slice.t_s + slice.duration_s)?;
    let timed = slices.iter().any(|slice| slice.p99_us.is_some());
    let description = format!(
        "{}, {} offered on average. The table below holds the numbers.",
        words::headline(report),
        units::rate(words::offered_rps(report)),
    );
    let description = description.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let heights = if timed { (470, 430) } else { (280, 260) };
    Some(plot("timeline", "The run over time", &description, heights, |canvas, frame| {
        let x = Axis::linear(end_s, if frame.narrow { 4 } else { 10 });
        if timed {
            let split = frame.height_px * SUBPIXELS * 45 / 100;
            let (upper, lower) = canvas.split_vertically(split);
            draw_times(&upper, frame, &slices, &x)?;
            draw_rates(&lower, frame, &slices, &x)
        } else {
            draw_rates(canvas, frame, &slices, &x)
        }
    }))
}

/// Whether a slice lasted, and lies within what a run can last (a report read back may hold anything).
fn can_be_drawn(slice: &TimelineSlice) -> bool {
    (0.0..SECONDS_MAX).contains(&slice.t_s) && (1e-6..SECONDS_MAX).contains(&slice.duration_s)
}

fn draw_times(canvas: &Canvas<'_>, frame: Frame, slices: &[TimelineSlice], x: &Axis) -> Drawn {
    let p50 = lasting(slices, |slice| slice.p50_us.map(|us| us.max(1) as f64));
    let p99 = lasting(slices, |slice| slice.p99_us.map(|us| us.max(1) as f64));
    let values = || p50.iter().chain(&p99).flatten().map(|(_, us)| *us);
    let least = values().fold(f64::INFINITY, f64::min);
    let largest = values().fold(1.0, f64::max);
    let axis = (x.clone(), Axis::logarithmic(least, largest));
    let margin = Margin { top_px: TITLE_PX, bottom_px: 8 };
    let mut chart = axes(canvas, margin, axis, &|_| String::new(), &|us| units::time_exact(*us))?;
    for (runs, style) in [(&p99, Ink::Ok.line(2.0)), (&p50, Ink::Ok.dashes(2.0))] {
        for run in runs {
            chart.draw_series(LineSeries::new(run.iter().copied(), style))?;
        }
    }
    title(canvas, frame, "response time of ok requests")?;
    let ends: Vec<(&str, Ink, (f64, f64))> = [("p99", &p99), ("p50", &p50)]
        .into_iter()
        .filter_map(|(name, runs)| Some((name, Ink::Ok, *runs.last()?.last()?)))
        .collect();
    let at = ends.iter().map(|(_, _, end)| chart.plotting_area().map_coordinate(end)).collect();
    end_labels(canvas, &ends, at)
}

fn draw_rates(canvas: &Canvas<'_>, frame: Frame, slices: &[TimelineSlice], x: &Axis) -> Drawn {
    let rate = |count: u64, slice: &TimelineSlice| count as f64 / slice.duration_s;
    let stacked = |slice: &TimelineSlice, bands: usize| {
        let sum = |sum: u64, (_, _, _, count): &Band| sum.saturating_add(count(slice));
        rate(BANDS[..bands].iter().fold(0, sum), slice)
    };
    let offered =
        |slice: &TimelineSlice| rate(slice.offered, slice).max(stacked(slice, BANDS.len()));
    let largest = slices.iter().map(offered).fold(0.0, f64::max);
    let axis = (x.clone(), Axis::linear(largest * 1.05, 6));
    let margin = Margin { top_px: TITLE_PX, bottom_px: 28 };
    let seconds = |t_s: &f64| format!("{} s", units::rate_number(*t_s));
    let mut chart = axes(canvas, margin, axis, &seconds, &|rps| units::rate_number(*rps))?;
    let mut ends: Vec<(&str, Ink, (f64, f64))> = Vec::new();
    let end_s = x.range.end;
    for (index, (name, ink, area, count)) in BANDS.iter().enumerate() {
        if slices.iter().all(|slice| count(slice) == 0) {
            continue;
        }
        let mut outline = steps(slices, |slice| stacked(slice, index + 1));
        outline.extend(steps(slices, |slice| stacked(slice, index)).into_iter().rev());
        chart.draw_series([Polygon::new(outline, area.solid().filled())])?;
        let last =
            slices.last().map_or(0.0, |slice| stacked(slice, index) + stacked(slice, index + 1));
        ends.push((name, *ink, (end_s, last / 2.0)));
    }
    let line = PathElement::new(steps(slices, offered), Ink::Offered.line(1.5));
    chart.draw_series([line])?;
    ends.push(("offered", Ink::Offered, (end_s, slices.last().map_or(0.0, offered))));
    title(canvas, frame, "requests per second, by intended send instant")?;
    let at = ends.iter().map(|(_, _, end)| chart.plotting_area().map_coordinate(end)).collect();
    end_labels(canvas, &ends, at)
}

fn title(canvas: &Canvas<'_>, frame: Frame, text: &str) -> Drawn {
    let text = if frame.narrow { text.split(',').next().unwrap_or(text) } else { text };
    let left = if frame.narrow { 4 } else { LEFT_PX };
    canvas.draw(&label(text, Ink::Text, HPos::Left, (pixels(left), pixels(TITLE_PX / 2 - 2))))
}

/// Names at the right end of lines and bands. The canvas may be a part of the drawing, so that
/// positions (in the whole drawing) are moved into it.
fn end_labels(canvas: &Canvas<'_>, ends: &[(&str, Ink, (f64, f64))], at: Vec<(i32, i32)>) -> Drawn {
    let (_, y_range) = canvas.get_pixel_range();
    let wanted = at.iter().enumerate().map(|(index, (_, y))| (*y - y_range.start, index)).collect();
    let height = y_range.end - y_range.start;
    let gap = pixels(TEXT_PX + 2);
    for (index, y) in spread(wanted, gap, pixels(TITLE_PX), height - pixels(10)) {
        let (name, ink, _) = ends[index];
        canvas.draw(&label(name, ink, HPos::Left, (at[index].0 + pixels(8), y)))?;
    }
    Ok(())
}

/// The outline of a value that holds for each slice's length.
fn steps(slices: &[TimelineSlice], value: impl Fn(&TimelineSlice) -> f64) -> Vec<(f64, f64)> {
    slices
        .iter()
        .flat_map(|slice| {
            let value = value(slice);
            [(slice.t_s, value), (slice.t_s + slice.duration_s, value)]
        })
        .collect()
}

/// Points at the middle of each slice, broken where a slice has no value.
fn lasting(
    slices: &[TimelineSlice],
    value: impl Fn(&TimelineSlice) -> Option<f64>,
) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for slice in slices {
        match value(slice) {
            Some(value) => {
                if let Some(run) = runs.last_mut() {
                    run.push((slice.t_s + slice.duration_s / 2.0, value));
                }
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}
