//! SVG plots of the HTML report, each in a wide and a narrow drawing.
//!
//! Two drawings because text in a plot shrinks with it: at 390 pixels the wide one would not be
//! legible. The page shows one of them by media query. Colours are CSS variables of the page, so
//! that one drawing serves light, dark and print; plotters only knows fixed colours, so each `Ink`
//! is drawn in a colour that stands for it and replaced in the text afterwards.
//!
//! # Invariants
//! No text from outside is drawn, no script, no reference to anything outside the drawing.

mod percentile;
mod scale;
mod timeline;

pub use percentile::percentiles;
pub use timeline::timeline;

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};
use scale::Axis;
use std::fmt::Write as _;

/// What a drawing is made of.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Axes drawn on a canvas.
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// Drawing to memory cannot fail; plotters' signatures say it could.
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// plotters draws at whole units; drawing larger gives a fraction of a pixel.
const SUBPIXELS: i32 = 4;

/// Size of text, pixels.
const TEXT_PX: i32 = 13;

/// Room for the vertical axis' labels, and for names at the right end.
const LEFT_PX: i32 = 60;
const RIGHT_PX: i32 = 70;

/// A plot's two drawings and what they say in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// For 700 pixels and more.
    pub wide: String,
    /// For a phone.
    pub narrow: String,
}

/// The size of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    width_px: i32,
    height_px: i32,
    narrow: bool,
}

/// What a stroke or a text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Text,
    Quiet,
    Grid,
    Offered,
    Ok,
    Throttled,
    Error,
    OkArea,
    ThrottledArea,
    ErrorArea,
}

const INKS: [Ink; 10] = [
    Ink::Text,
    Ink::Quiet,
    Ink::Grid,
    Ink::Offered,
    Ink::Ok,
    Ink::Throttled,
    Ink::Error,
    Ink::OkArea,
    Ink::ThrottledArea,
    Ink::ErrorArea,
];

impl Ink {
    /// The CSS variable that colours it.
    fn variable(self) -> &'static str {
        match self {
            Self::Text => "--text",
            Self::Quiet => "--quiet",
            Self::Grid => "--grid",
            Self::Offered => "--offered",
            Self::Ok => "--ok",
            Self::Throttled => "--throttled",
            Self::Error => "--error",
            Self::OkArea => "--ok-area",
            Self::ThrottledArea => "--throttled-area",
            Self::ErrorArea => "--error-area",
        }
    }

    fn solid(self) -> RGBColor {
        RGBColor(0xf0, self as u8, 0)
    }

    fn dashed(self) -> RGBColor {
        RGBColor(0xf0, self as u8, 1)
    }

    fn line(self, width_px: f64) -> ShapeStyle {
        stroke(self.solid(), width_px)
    }

    fn dashes(self, width_px: f64) -> ShapeStyle {
        stroke(self.dashed(), width_px)
    }
}

fn stroke(color: RGBColor, width_px: f64) -> ShapeStyle {
    let width = (width_px * f64::from(SUBPIXELS)).round() as u32;
    ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: width }
}

/// Both drawings of one plot. `id` is unique in the page; `title` and `description` are read out
/// in the plot's place.
fn plot(
    id: &str,
    title: &str,
    description: &str,
    (wide_px, narrow_px): (i32, i32),
    draw: impl Fn(&Canvas<'_>, Frame) -> Drawn,
) -> Plot {
    let drawing = |frame: Frame, id: &str| {
        let mut svg = String::new();
        let size = ((frame.width_px * SUBPIXELS) as u32, (frame.height_px * SUBPIXELS) as u32);
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&canvas, frame)
            .and_then(|()| canvas.present())
            .expect("drawing to memory does not fail");
        drop(canvas);
        embedded(&svg, id, title, description)
    };
    let wide = Frame { width_px: 880, height_px: wide_px, narrow: false };
    let narrow = Frame { width_px: 358, height_px: narrow_px, narrow: true };
    Plot {
        wide: drawing(wide, &format!("{id}-wide")),
        narrow: drawing(narrow, &format!("{id}-narrow")),
    }
}

/// plotters' drawing as part of a page: scaled by the page, named for those who do not see it,
/// coloured by variables.
fn embedded(svg: &str, id: &str, title: &str, description: &str) -> String {
    // Everything after the opening tag, which is written anew.
    let (opening, body) = svg.split_once('\n').unwrap_or(("", svg));
    let view = opening.split('"').find(|part| part.starts_with("0 0 ")).unwrap_or("0 0 1 1");
    let mut page = String::new();
    let _ = write!(
        page,
        "<svg viewBox=\"{view}\" font-size=\"{}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
         <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{description}</desc>\n",
        TEXT_PX * SUBPIXELS,
    );
    // What is the same everywhere is said once, or left to the page.
    let font_size = format!(" font-size=\"{}\"", font_size() / FONT_SIZE_DIVISOR);
    let mut body = body.replace(" opacity=\"1\"", "");
    body = body.replace(" font-family=\"sans-serif\"", "").replace(&font_size, "");
    for ink in INKS {
        let variable = format!("\"var({})\"", ink.variable());
        let (solid, dashed) = (hex(ink.solid()), hex(ink.dashed()));
        body = body.replace(&solid, &variable);
        body = body.replace(
            &format!("stroke={dashed}"),
            &format!("stroke={variable} stroke-dasharray=\"{} {}\"", 6 * SUBPIXELS, 4 * SUBPIXELS),
        );
    }
    page.push_str(&body);
    page
}

/// The colour as plotters writes it, quotes included.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("\"#{red:02X}{green:02X}{blue:02X}\"")
}

/// Pixels in drawing units.
fn pixels(px: i32) -> i32 {
    px * SUBPIXELS
}

/// Space around a pair of axes, pixels.
#[derive(Debug, Clone, Copy)]
struct Margin {
    top_px: i32,
    bottom_px: i32,
}

/// Grid, axes and tick labels, with room for names at the right end.
fn axes<'a, 'b>(
    canvas: &'a Canvas<'b>,
    margin: Margin,
    (x, y): (Axis, Axis),
    x_text: &dyn Fn(&f64) -> String,
    y_text: &dyn Fn(&f64) -> String,
) -> Drawn<Chart<'a, 'b>> {
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(pixels(margin.top_px))
        .margin_right(pixels(RIGHT_PX))
        .x_label_area_size(pixels(margin.bottom_px))
        .y_label_area_size(pixels(LEFT_PX))
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .bold_line_style(Ink::Grid.line(1.0))
        .axis_style(Ink::Quiet.line(1.0))
        .set_all_tick_mark_size(pixels(5))
        .label_style(font(Ink::Quiet))
        .x_label_formatter(x_text)
        .y_label_formatter(y_text)
        .draw()?;
    Ok(chart)
}

/// What plotters' SVG backend divides font sizes by.
const FONT_SIZE_DIVISOR: f64 = 1.24;

fn font_size() -> f64 {
    f64::from(TEXT_PX * SUBPIXELS) * FONT_SIZE_DIVISOR
}

/// Text of the usual size.
fn font(ink: Ink) -> TextStyle<'static> {
    let font = FontDesc::new(FontFamily::SansSerif, font_size(), FontStyle::Normal);
    font.color(&ink.solid())
}

/// A text whose left middle, or right middle, is at `at` (drawing units).
fn label(text: &str, ink: Ink, h_pos: HPos, at: (i32, i32)) -> Text<'static, (i32, i32), String> {
    Text::new(text.to_owned(), at, font(ink).pos(Pos::new(h_pos, VPos::Center)))
}

/// Moves labels apart so that none covers another: each keeps its order, none leaves `top..bottom`.
fn spread(mut wanted: Vec<(i32, usize)>, gap: i32, top: i32, bottom: i32) -> Vec<(usize, i32)> {
    wanted.sort_unstable();
    let mut placed: Vec<(usize, i32)> = Vec::new();
    for (y, index) in wanted {
        let free = placed.last().map_or(top, |(_, above)| above + gap);
        placed.push((index, y.max(free)));
    }
    // What was pushed out at the bottom pushes the others back up.
    let mut limit = bottom;
    for (_, y) in placed.iter_mut().rev() {
        *y = (*y).min(limit);
        limit = *y - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_cover_each_other() {
        let placed = spread(vec![(50, 0), (52, 1), (10, 2), (98, 3)], 14, 0, 100);
        assert_eq!(placed, [(2, 10), (0, 50), (1, 64), (3, 98)]);
        let crowded = spread(vec![(99, 0), (99, 1), (99, 2)], 14, 0, 100);
        assert_eq!(crowded, [(0, 72), (1, 86), (2, 100)]);
    }

    #[test]
    fn inks_stand_for_variables_and_leave_no_colour_behind() {
        let plot = plot("p", "t", "d", (100, 100), |canvas, _| {
            use plotters::element::PathElement;
            canvas.draw(&PathElement::new(vec![(0, 0), (9, 9)], Ink::Ok.dashes(2.0)))?;
            canvas.draw(&label("x", Ink::Text, HPos::Left, (5, 5)))
        });
        assert!(plot.wide.contains("stroke=\"var(--ok)\" stroke-dasharray=\"24 16\""));
        assert!(plot.narrow.contains("fill=\"var(--text)\""));
        assert!(!plot.wide.contains('#'), "{}", plot.wide);
        assert!(
            plot.wide.starts_with("<svg viewBox=\"0 0 3520 400\" font-size=\"52\" role=\"img\"")
        );
        assert_eq!(plot.wide.matches("font-size").count(), 1);
    }
}
