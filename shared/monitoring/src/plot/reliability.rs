//! Confidence against the share that was right.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Canvas;
use super::frame::{Area, FONT_SIZE, GRID, INK, anchored, colour, draw, text};
use crate::MonitoringError;
use crate::performance::{Reliability, wilson};

const SIZE: (u32, u32) = (720, 400);
const TOP: u32 = 40;

/// A reliability diagram: for each bin of confidence the share of right predictions with its 95 % interval; on the diagonal confidence means what it says.
///
/// # Errors
/// [`MonitoringError::EmptyPlot`] when neither side has rows, [`MonitoringError::Plot`] when the library refuses.
pub fn reliability_diagram(
    title: &str,
    baseline: &Reliability,
    window: &Reliability,
    canvas: Canvas,
) -> Result<String, MonitoringError> {
    if baseline.rows() + window.rows() == 0 {
        return Err(MonitoringError::EmptyPlot {
            title: title.to_owned(),
        });
    }
    let error = |side: &Reliability| match side.expected_calibration_error() {
        Some(error) => format!(
            "off by {:.1} points on average over {} labels",
            error * 100.0,
            side.rows()
        ),
        None => "without labels".to_owned(),
    };
    let description = format!(
        "Confidence against the share of right predictions. Baseline: {}. Window: {}.",
        error(baseline),
        error(window)
    );
    draw(SIZE, canvas, (title, &description), |area| {
        paint(area, baseline, window).map_err(|error| error.to_string())
    })
}

fn paint(
    area: &Area<'_>,
    baseline: &Reliability,
    window: &Reliability,
) -> Result<(), Box<dyn std::error::Error>> {
    for (series, (name, x)) in [
        ("baseline (rings)", 60),
        ("this window (discs, 95 % interval)", 220),
    ]
    .into_iter()
    .enumerate()
    {
        area.draw(&point(series, (x + 8, 19)))?;
        area.draw(&Text::new(
            name,
            (x + 22, 19),
            anchored(FONT_SIZE, HPos::Left, VPos::Center),
        ))?;
    }
    let lowest = baseline
        .bins()
        .chain(window.bins())
        .map(|bin| bin.confidence)
        .fold(1.0, f64::min);
    let left = ((lowest - 0.02) * 10.0).floor().max(0.0) / 10.0;
    let (_, body) = area.split_vertically(TOP);
    let mut chart = ChartBuilder::on(&body)
        .margin_left(12)
        .margin_right(16)
        .margin_bottom(6)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(left..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_labels(6)
        .y_labels(6)
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(FONT_SIZE - 1))
        .axis_desc_style(text(FONT_SIZE))
        .x_desc("confidence")
        .y_desc("share that was right")
        .x_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .draw()?;
    chart.draw_series(DashedLineSeries::new(
        [(left, left), (1.0, 1.0)],
        6,
        5,
        GRID.mix(2.5).stroke_width(2),
    ))?;
    for (series, side) in [baseline, window].into_iter().enumerate() {
        for bin in side.bins() {
            let right = (bin.accuracy * bin.rows as f64).round() as u64;
            if let (1, Some(interval)) = (series, wilson(right, bin.rows, 0.95)) {
                let ends = [interval.low, interval.high]
                    .map(|end| chart.backend_coord(&(bin.confidence, end)));
                area.draw(&PathElement::new(ends.to_vec(), colour(1).stroke_width(2)))?;
            }
            area.draw(&point(
                series,
                chart.backend_coord(&(bin.confidence, bin.accuracy)),
            ))?;
        }
    }
    Ok(())
}

fn point(series: usize, at: (i32, i32)) -> Circle<(i32, i32), i32> {
    let style = if series == 0 {
        colour(0).stroke_width(2)
    } else {
        colour(1).filled()
    };
    Circle::new(at, 6, style)
}
