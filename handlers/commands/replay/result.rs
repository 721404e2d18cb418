//! What a replay says: a table, a plot, JSON.

use jiff::SignedDuration;
use serde::Serialize;
use sluice_monitoring::plot::{Canvas, LineChart, Series};

use crate::commands::output;
use crate::config::ModelConfig;

/// One loop's week.
#[derive(Clone, Debug)]
pub(super) struct WeekResult {
    week: String,
    truth: Vec<u32>,
    predicted: Vec<u32>,
    early_runs: u32,
}

impl WeekResult {
    pub(super) fn new(week: &str, truth: &[u32], predicted: &[u32], early_runs: u32) -> Self {
        Self {
            week: week.to_owned(),
            truth: truth.to_vec(),
            predicted: predicted.to_vec(),
            early_runs,
        }
    }

    /// F1 of a label: 2 TP / (2 TP + FP + FN), 0 when there is nothing to find and nothing found.
    fn f1(&self, label: u32) -> f64 {
        let pairs = || self.truth.iter().zip(&self.predicted);
        let hits = pairs()
            .filter(|(truth, predicted)| **truth == label && **predicted == label)
            .count();
        let either = pairs()
            .filter(|(truth, predicted)| (**truth == label) != (**predicted == label))
            .count();
        if hits + either == 0 {
            0.0
        } else {
            2.0 * hits as f64 / (2 * hits + either) as f64
        }
    }
}

/// One week of all three loops.
#[derive(Clone, Debug, Serialize)]
struct Row {
    week: String,
    rows: usize,
    positive_share: f64,
    stale_f1: f64,
    weekly_f1: f64,
    early_f1: f64,
    early_runs: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct MeanF1 {
    stale: f64,
    weekly: f64,
    early: f64,
}

/// The whole replay.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ReplayResult {
    /// Which label F1 speaks of.
    f1_of: String,
    /// Share of the labels that came back during the week.
    label_share: f64,
    /// After how many hours.
    label_delay_hours: f64,
    /// Rows of the file that could not be read.
    rows_refused: u64,
    /// In a replay nobody asks a person.
    approval: &'static str,
    weeks: Vec<Row>,
    mean_f1: MeanF1,
}

impl ReplayResult {
    pub(super) fn new(
        config: &ModelConfig,
        label_share: f64,
        label_delay: SignedDuration,
        rows_refused: u64,
        stale: &[WeekResult],
        weekly: &[WeekResult],
        early: &[WeekResult],
    ) -> Self {
        let names = config.schema.label_names();
        // Without a positive label, the last one: the one that yes/no labels end with.
        let positive = config
            .schema
            .positive_label
            .as_ref()
            .and_then(|label| names.iter().position(|name| name == label));
        let positive = positive.unwrap_or(names.len() - 1);
        let label = positive as u32;
        let weeks: Vec<Row> = stale
            .iter()
            .zip(weekly)
            .zip(early)
            .map(|((stale, weekly), early)| Row {
                week: stale.week.clone(),
                rows: stale.truth.len(),
                positive_share: stale.truth.iter().filter(|truth| **truth == label).count() as f64
                    / stale.truth.len() as f64,
                stale_f1: stale.f1(label),
                weekly_f1: weekly.f1(label),
                early_f1: early.f1(label),
                early_runs: early.early_runs,
            })
            .collect();
        let mean = |f1: fn(&Row) -> f64| weeks.iter().map(f1).sum::<f64>() / weeks.len() as f64;
        let mean_f1 = MeanF1 {
            stale: mean(|row| row.stale_f1),
            weekly: mean(|row| row.weekly_f1),
            early: mean(|row| row.early_f1),
        };
        Self {
            f1_of: names[positive].clone(),
            label_share,
            label_delay_hours: label_delay.as_secs_f64() / 3_600.0,
            rows_refused,
            approval: "automatic: in a replay nobody asks a person",
            weeks,
            mean_f1,
        }
    }

    pub(super) fn table(&self) -> String {
        let number = |value: f64| format!("{value:.3}");
        let mut rows: Vec<Vec<String>> = self
            .weeks
            .iter()
            .map(|row| {
                vec![
                    row.week.clone(),
                    row.rows.to_string(),
                    format!("{:.2}", row.positive_share),
                    number(row.stale_f1),
                    number(row.weekly_f1),
                    number(row.early_f1),
                    row.early_runs.to_string(),
                ]
            })
            .collect();
        let mean = &self.mean_f1;
        let runs: u32 = self.weeks.iter().map(|row| row.early_runs).sum();
        let all: usize = self.weeks.iter().map(|row| row.rows).sum();
        rows.push(vec![
            "mean".into(),
            all.to_string(),
            "–".into(),
            number(mean.stale),
            number(mean.weekly),
            number(mean.early),
            runs.to_string(),
        ]);
        let header = [
            "week",
            "rows",
            "positive",
            "stale F1",
            "weekly F1",
            "early F1",
            "early runs",
        ];
        format!(
            "F1 of {:?}. stale: never retrained. weekly: every week on all earlier weeks. early: also during the week when the\n\
             monitor asks, with {:.0} % of the labels back after {:.1} hours. Releases are approved automatically: in a replay\n\
             nobody asks a person.\n\n{}",
            self.f1_of,
            self.label_share * 100.0,
            self.label_delay_hours,
            output::table(&header, &rows)
        )
    }

    /// Weeks across, F1 up, a line for each loop.
    pub(super) fn plot(&self) -> anyhow::Result<String> {
        let series = |name: &str, f1: fn(&Row) -> f64| Series {
            name: name.to_owned(),
            values: self.weeks.iter().map(|row| Some(f1(row))).collect(),
        };
        let chart = LineChart {
            title: format!("F1 of {:?} by week", self.f1_of),
            y_label: "F1".to_owned(),
            y_range: Some((0.0, 1.0)),
            steps: self.weeks.iter().map(|row| row.week.clone()).collect(),
            series: vec![
                series("stale", |row| row.stale_f1),
                series("weekly", |row| row.weekly_f1),
                series("early", |row| row.early_f1),
            ],
        };
        Ok(chart.to_svg(Canvas::File)?)
    }
}
