//! Shares of the baseline and of the window side by side.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Canvas;
use super::frame::{Area, FONT_SIZE, GRID, INK, anchored, colour, draw, short, text};
use crate::MonitoringError;
use crate::profile::Histogram;

const SIZE: (u32, u32) = (720, 340);
/// Room for the legend.
const TOP: u32 = 40;
/// Bars of a distribution.
const BINS: usize = 20;

/// Pairs of bars: the share of each category, or of each range of values, in the baseline and in the window.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    /// The title, told to readers who do not see the plot.
    pub title: String,
    /// What the x axis shows.
    pub x_label: String,
    /// The name of each pair.
    pub names: Vec<String>,
    /// The shares of the baseline, 0 to 1.
    pub baseline: Vec<f64>,
    /// The shares of the window, 0 to 1.
    pub window: Vec<f64>,
}

impl BarChart {
    /// The distributions of two histograms in 20 equal ranges from `low` to `high`; values outside count in the outermost ranges.
    #[must_use]
    pub fn distribution(
        title: &str,
        x_label: &str,
        (low, high): (f64, f64),
        baseline: &Histogram,
        window: &Histogram,
    ) -> Self {
        let width = (high - low) / BINS as f64;
        let shares = |histogram: &Histogram| {
            let mut shares = vec![0.0; BINS];
            for bin in histogram.bins() {
                let place = ((bin.middle() - low) / width)
                    .floor()
                    .clamp(0.0, (BINS - 1) as f64) as usize;
                shares[place] += bin.count as f64 / histogram.count() as f64;
            }
            shares
        };
        let names = (0..BINS)
            .map(|bin| short(low + width * bin as f64))
            .collect();
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            names,
            baseline: shares(baseline),
            window: shares(window),
        }
    }

    /// Draws it.
    ///
    /// # Errors
    /// [`MonitoringError::EmptyPlot`] when all shares are zero, [`MonitoringError::Plot`] when the library refuses.
    pub fn to_svg(&self, canvas: Canvas) -> Result<String, MonitoringError> {
        let highest = self
            .baseline
            .iter()
            .chain(&self.window)
            .copied()
            .filter(|share| share.is_finite())
            .fold(0.0, f64::max);
        if highest <= 0.0 {
            return Err(MonitoringError::EmptyPlot {
                title: self.title.clone(),
            });
        }
        draw(SIZE, canvas, (&self.title, &self.description()), |area| {
            self.legend(area)
                .and_then(|()| self.bars(area, highest))
                .map_err(|error| error.to_string())
        })
    }

    fn description(&self) -> String {
        let largest = |shares: &[f64]| {
            let place = shares
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map(|(place, share)| (place, *share));
            place
                .and_then(|(place, share)| {
                    Some(format!(
                        "{:.0} % at {}",
                        share * 100.0,
                        self.names.get(place)?
                    ))
                })
                .unwrap_or_default()
        };
        format!(
            "Bars over {}. The largest share of the baseline is {}, of the window {}.",
            self.x_label,
            largest(&self.baseline),
            largest(&self.window)
        )
    }

    fn legend(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        for (series, (name, x)) in [("baseline (outlined)", 60), ("this window (filled)", 240)]
            .into_iter()
            .enumerate()
        {
            bar(area, series, [(x, 12), (x + 22, 26)])?;
            area.draw(&Text::new(
                name,
                (x + 30, 19),
                anchored(FONT_SIZE, HPos::Left, VPos::Center),
            ))?;
        }
        Ok(())
    }

    fn bars(&self, area: &Area<'_>, highest: f64) -> Result<(), Box<dyn std::error::Error>> {
        let (_, body) = area.split_vertically(TOP);
        let pairs = self.names.len() as f64;
        let mut chart = ChartBuilder::on(&body)
            .margin_left(12)
            .margin_right(16)
            .margin_bottom(6)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..pairs, 0.0..highest * 1.08)?;
        // Named ranges have their name at the left end, categories in the middle.
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(5)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(text(FONT_SIZE - 1))
            .axis_desc_style(text(FONT_SIZE))
            .y_desc("share")
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .draw()?;
        let bottom = chart.backend_coord(&(0.0, 0.0)).1;
        let every = self.names.len().div_ceil(10);
        for (pair, name) in self.names.iter().enumerate() {
            for (series, shares) in [&self.baseline, &self.window].into_iter().enumerate() {
                let share = shares
                    .get(pair)
                    .copied()
                    .filter(|share| share.is_finite())
                    .unwrap_or(0.0);
                let left = pair as f64 + 0.08 + 0.42 * series as f64;
                let corner = chart.backend_coord(&(left, share));
                let opposite = chart.backend_coord(&(left + 0.42, 0.0));
                if share > 0.0 {
                    bar(area, series, [corner, opposite])?;
                }
            }
            if pair % every == 0 {
                let (x, _) = chart.backend_coord(&(pair as f64 + 0.5, 0.0));
                let shown: String = name.chars().take(24).collect();
                area.draw(&Text::new(
                    shown,
                    (x, bottom + 6),
                    anchored(FONT_SIZE - 1, HPos::Center, VPos::Top),
                ))?;
            }
        }
        let middle = chart.backend_coord(&(pairs / 2.0, 0.0)).0;
        area.draw(&Text::new(
            self.x_label.clone(),
            (middle, bottom + 26),
            anchored(FONT_SIZE, HPos::Center, VPos::Top),
        ))?;
        Ok(())
    }
}

/// The baseline's bars are outlined and the window's filled.
fn bar(
    area: &Area<'_>,
    series: usize,
    corners: [(i32, i32); 2],
) -> Result<(), Box<dyn std::error::Error>> {
    let style = if series == 0 {
        colour(0).stroke_width(2)
    } else {
        colour(1).filled()
    };
    area.draw(&Rectangle::new(corners, style))?;
    Ok(())
}
