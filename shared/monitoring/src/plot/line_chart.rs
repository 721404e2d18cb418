//! Lines over named steps: weeks on the x axis, a metric on the y axis.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Canvas;
use super::frame::{Area, FONT_SIZE, GRID, INK, anchored, colour, draw, short, text};
use crate::MonitoringError;

const SIZE: (u32, u32) = (860, 440);
/// Room for the title and the legend.
const TOP: u32 = 70;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its value at each step; `None` leaves a gap.
    pub values: Vec<Option<f64>>,
}

/// A line chart over named steps.
///
/// ```
/// use sluice_monitoring::plot::{Canvas, LineChart, Series};
///
/// # fn main() -> Result<(), sluice_monitoring::MonitoringError> {
/// let chart = LineChart {
///     title: "F1 by week".to_owned(),
///     y_label: "F1 of the positive class".to_owned(),
///     y_range: Some((0.0, 1.0)),
///     steps: vec!["2013-W04".to_owned(), "2013-W05".to_owned()],
///     series: vec![Series { name: "stale model".to_owned(), values: vec![Some(0.37), Some(0.28)] }],
/// };
/// assert!(chart.to_svg(Canvas::File)?.contains("stale model"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// The title above it.
    pub title: String,
    /// What the y axis measures.
    pub y_label: String,
    /// The ends of the y axis; chosen from the values when `None`.
    pub y_range: Option<(f64, f64)>,
    /// The names of the steps, in order.
    pub steps: Vec<String>,
    /// The lines.
    pub series: Vec<Series>,
}

impl LineChart {
    /// Draws it.
    ///
    /// # Errors
    /// [`MonitoringError::EmptyPlot`] when no series has a finite value at a named step, [`MonitoringError::Plot`] when the library refuses.
    pub fn to_svg(&self, canvas: Canvas) -> Result<String, MonitoringError> {
        if self.points().next().is_none() {
            return Err(MonitoringError::EmptyPlot {
                title: self.title.clone(),
            });
        }
        draw(SIZE, canvas, (&self.title, &self.description()), |area| {
            self.legend(area)
                .and_then(|()| self.lines(area))
                .map_err(|error| error.to_string())
        })
    }

    /// Every finite point: series, step, value.
    fn points(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        self.series.iter().enumerate().flat_map(|(line, series)| {
            let values = series.values.iter().take(self.steps.len()).enumerate();
            values.filter_map(move |(step, value)| {
                value
                    .filter(|value| value.is_finite())
                    .map(|value| (line, step, value))
            })
        })
    }

    fn range(&self) -> (f64, f64) {
        if let Some((low, high)) = self.y_range.filter(|(low, high)| low < high) {
            return (low, high);
        }
        let (low, high) = self
            .points()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
                (low.min(point.2), high.max(point.2))
            });
        let margin = ((high - low) * 0.08).max(high.abs() * 0.01).max(1e-9);
        (low - margin, high + margin)
    }

    fn description(&self) -> String {
        let lines: Vec<String> = self
            .series
            .iter()
            .enumerate()
            .map(|(line, series)| {
                let mut points = self.points().filter(|point| point.0 == line);
                let named = |point: (usize, usize, f64)| {
                    format!("{} at {}", short(point.2), self.steps[point.1])
                };
                let (first, last) = (points.next(), points.last());
                match (first.map(named), last.map(named)) {
                    (Some(first), Some(last)) => format!("{}: from {first} to {last}", series.name),
                    (Some(only), None) => format!("{}: {only}", series.name),
                    _ => format!("{}: no value", series.name),
                }
            })
            .collect();
        format!(
            "Line chart of {} over {} steps. {}.",
            self.y_label,
            self.steps.len(),
            lines.join("; ")
        )
    }

    fn legend(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        area.draw(&Text::new(
            self.title.clone(),
            (60, 14),
            text(FONT_SIZE + 3),
        ))?;
        let mut x = 60;
        for (line, series) in self.series.iter().enumerate() {
            stroke(area, line, (x, 52), (x + 38, 52))?;
            area.draw(&mark(line, (x + 19, 52)))?;
            area.draw(&Text::new(
                series.name.clone(),
                (x + 46, 52),
                anchored(FONT_SIZE, HPos::Left, VPos::Center),
            ))?;
            x += 72 + series.name.chars().count() as i32 * 8;
        }
        Ok(())
    }

    /// Writes the steps' names under the axis: as many as have room.
    fn name_steps(
        &self,
        area: &Area<'_>,
        at: impl Fn(f64) -> (i32, i32),
    ) -> Result<(), Box<dyn std::error::Error>> {
        let longest = self
            .steps
            .iter()
            .map(|step| step.chars().count())
            .max()
            .unwrap_or(0)
            .max(1);
        let room = (SIZE.0 as usize / (longest * 8 + 10)).max(1);
        for (step, name) in self
            .steps
            .iter()
            .enumerate()
            .step_by(self.steps.len().div_ceil(room).max(1))
        {
            let (x, y) = at(step as f64);
            area.draw(&PathElement::new(vec![(x, y), (x, y + 5)], INK))?;
            area.draw(&Text::new(
                name.clone(),
                (x, y + 9),
                anchored(FONT_SIZE - 1, HPos::Center, VPos::Top),
            ))?;
        }
        Ok(())
    }

    fn lines(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let (low, high) = self.range();
        let last = self.steps.len().saturating_sub(1).max(1) as f64;
        let (_, body) = area.split_vertically(TOP);
        let mut chart = ChartBuilder::on(&body)
            .margin_left(12)
            .margin_right(24)
            .margin_bottom(6)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(-0.3..last + 0.3, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(text(FONT_SIZE - 1))
            .axis_desc_style(text(FONT_SIZE))
            .y_desc(self.y_label.clone())
            .y_label_formatter(&|value| short((value * 1e6).round() / 1e6))
            .draw()?;
        self.name_steps(area, |step| chart.backend_coord(&(step, low)))?;
        for line in 0..self.series.len() {
            let points: Vec<(usize, f64)> = self
                .points()
                .filter(|point| point.0 == line)
                .map(|point| (point.1, point.2))
                .collect();
            // Steps without a value leave a gap.
            for run in points.chunk_by(|a, b| a.0 + 1 == b.0) {
                let pixels: Vec<(i32, i32)> = run
                    .iter()
                    .map(|(step, value)| {
                        chart.backend_coord(&(*step as f64, value.clamp(low, high)))
                    })
                    .collect();
                for pair in pixels.windows(2) {
                    stroke(area, line, pair[0], pair[1])?;
                }
                for pixel in pixels {
                    area.draw(&mark(line, pixel))?;
                }
            }
        }
        Ok(())
    }
}

/// Draws a series' line between two pixels, in its dashes.
fn stroke(
    area: &Area<'_>,
    line: usize,
    from: (i32, i32),
    to: (i32, i32),
) -> Result<(), Box<dyn std::error::Error>> {
    for piece in dash(line, from, to).chunks(2) {
        area.draw(&PathElement::new(
            piece.to_vec(),
            colour(line).stroke_width(3),
        ))?;
    }
    Ok(())
}

/// The ends of the strokes of a line between two pixels: whole for the first series, dashed for the second, dotted for the third.
fn dash(line: usize, from: (i32, i32), to: (i32, i32)) -> Vec<(i32, i32)> {
    let (stroke, gap) = match line % 3 {
        0 => return vec![from, to],
        1 => (10.0, 5.0),
        _ => (3.0, 4.0),
    };
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy).max(1.0);
    let at = |distance: f64| {
        let share = (distance / length).min(1.0);
        (
            from.0 + (dx * share).round() as i32,
            from.1 + (dy * share).round() as i32,
        )
    };
    let strokes = (length / (stroke + gap)).ceil() as usize;
    (0..strokes)
        .flat_map(|index| {
            let start = index as f64 * (stroke + gap);
            [at(start), at(start + stroke)]
        })
        .collect()
}

/// The mark of a series: a disc, a square, a triangle, and again.
fn mark<'a>(line: usize, (x, y): (i32, i32)) -> DynElement<'a, SVGBackend<'a>, (i32, i32)> {
    let style = colour(line).filled();
    match line % 3 {
        0 => Circle::new((x, y), 5, style).into_dyn(),
        1 => Rectangle::new([(x - 4, y - 4), (x + 5, y + 5)], style).into_dyn(),
        _ => Polygon::new(vec![(x, y - 6), (x + 6, y + 5), (x - 6, y + 5)], style).into_dyn(),
    }
}
