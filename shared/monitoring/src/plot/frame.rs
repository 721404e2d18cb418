//! What all plots share: size, colours, text, and what a screen reader is told.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::MonitoringError;

/// Where a plot will be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// A file of its own: white ground, dark text.
    File,
    /// Inside a page: clear ground; the text's colour is the page's.
    Page,
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Five colours that colour-blind readers can tell apart (Okabe and Ito), of middling lightness to show on white and on black.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 105),
    RGBColor(170, 90, 145),
    RGBColor(150, 115, 0),
];
/// Text and axes. The page's style sheet replaces it.
pub(super) const INK: RGBColor = RGBColor(51, 51, 51);
/// Grid lines: visible on white and on black.
pub(super) const GRID: RGBAColor = RGBAColor(128, 128, 128, 0.3);
pub(super) const FONT: &str = "system-ui, sans-serif";
pub(super) const FONT_SIZE: i32 = 14;

pub(super) fn colour(series: usize) -> RGBColor {
    COLOURS[series % COLOURS.len()]
}

pub(super) fn text(size: i32) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font()).color(&INK)
}

pub(super) fn anchored(size: i32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    text(size).pos(Pos::new(horizontal, vertical))
}

/// Draws into an SVG of this size and returns its text. `describe` is (title, description) for readers who do not see it.
pub(super) fn draw(
    size: (u32, u32),
    canvas: Canvas,
    describe: (&str, &str),
    paint: impl FnOnce(&Area<'_>) -> Result<(), String>,
) -> Result<String, MonitoringError> {
    let (title, description) = describe;
    let failed = |reason: String| MonitoringError::Plot {
        title: title.to_owned(),
        reason,
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        if canvas == Canvas::File {
            area.fill(&WHITE)
                .map_err(|error| failed(error.to_string()))?;
        }
        paint(&area).map_err(failed)?;
        area.present().map_err(|error| failed(error.to_string()))?;
    }
    Ok(accessible(&svg, title, description))
}

/// Puts the role, the title and the description into the opening tag that the drawing library wrote.
fn accessible(svg: &str, title: &str, description: &str) -> String {
    let (title, description) = (escape(title), escape(description));
    let opened = svg.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{title}. {description}\" "),
        1,
    );
    match opened.find('>') {
        Some(end) => {
            let (head, rest) = opened.split_at(end + 1);
            format!("{head}\n<title>{title}</title>\n<desc>{description}</desc>{rest}")
        }
        None => opened,
    }
}

/// The five characters that XML reserves.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Other control characters are not allowed in XML at all.
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// A number as an axis or a table shows it: three or so digits that say something.
pub(crate) fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => return "0".to_owned(),
        size if size >= 100.0 => return format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        size if size >= 0.0001 => format!("{value:.5}"),
        _ => return format!("{value:.1e}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
