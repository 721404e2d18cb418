//! `sluice replay FILE`: the loop over a time-stamped labelled file, week by week, through the same verbs as in production.
//!
//! Three loops see the same rows: one that is never retrained, one that is retrained every week on all earlier weeks,
//! and one whose monitor may also ask for a retrain during the week, with the labels that came back until then.
//! Releases are approved automatically, which no production does, and the output says so.

mod result;
mod simulation;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use jiff::{SignedDuration, Span, Timestamp};
use sluice_dataset::Row;
use sluice_lifecycle::parse_duration;

use super::{output, train};
use crate::config::{ModelConfig, Settings};
use result::{ReplayResult, WeekResult};
use simulation::{EarlyLabels, Simulation};

/// What to replay.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A labelled file with a time column (CSV, JSON lines or Parquet, plain or gzip).
    file: PathBuf,
    /// Weeks that the first model is trained on.
    #[arg(long, default_value_t = 2, value_name = "WEEKS")]
    warm_up: usize,
    /// Share of the predictions whose true label comes back during the week.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    labels: f64,
    /// How long a label takes to come back.
    #[arg(long, default_value = "6h", value_parser = parse_duration, value_name = "DURATION")]
    label_delay: SignedDuration,
    /// Where the plot goes (SVG).
    #[arg(long, default_value = "replay.svg", value_name = "FILE")]
    plot: PathBuf,
}

/// The rows of one ISO week.
struct Week {
    name: String,
    end: Timestamp,
    rows: Vec<Row>,
}

impl Replay {
    pub(super) async fn run(
        self,
        settings: Settings,
        config: ModelConfig,
        json: bool,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(
            (0.0..=1.0).contains(&self.labels),
            "--labels: expected a share from 0 to 1, got {}",
            self.labels
        );
        let (rows, refused) = train::read_rows(&self.file, &config)?;
        let weeks = weeks(rows)?;
        anyhow::ensure!(
            weeks.len() > self.warm_up && self.warm_up > 0,
            "{} has rows in {} weeks; expected more than the {} of --warm-up",
            self.file.display(),
            weeks.len(),
            self.warm_up
        );
        let (warm_up, weeks) = weeks.split_at(self.warm_up);

        let simulate = async |name: &'static str,
                              weekly: bool,
                              early: Option<EarlyLabels>|
               -> anyhow::Result<Vec<WeekResult>> {
            let mut simulation =
                Simulation::start(name, &settings, &config, warm_up, weekly, early).await?;
            let mut results = Vec::new();
            for week in weeks {
                say(
                    json,
                    &format!("{name}: week {} ({} rows)", week.name, week.rows.len()),
                );
                results.push(simulation.live(week).await?);
            }
            Ok(results)
        };
        let stale = simulate("stale", false, None).await?;
        let weekly = simulate("weekly", true, None).await?;
        let labels = EarlyLabels {
            share: self.labels,
            delay: self.label_delay,
            seed: config.training.seed,
        };
        let early = simulate("early", true, Some(labels)).await?;

        let result = ReplayResult::new(
            &config,
            self.labels,
            self.label_delay,
            refused,
            &stale,
            &weekly,
            &early,
        );
        std::fs::write(&self.plot, result.plot()?)
            .with_context(|| format!("{} cannot be written", self.plot.display()))?;
        if json {
            return output::json(&result);
        }
        output::line(result.table());
        output::line(format!("plot: {}", self.plot.display()));
        Ok(())
    }
}

/// How far it is, for a person who waits.
fn say(json: bool, text: &str) {
    use std::io::Write as _;
    if !json && output::is_terminal() {
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}

/// Rows by ISO week, in order of time.
fn weeks(mut rows: Vec<Row>) -> anyhow::Result<Vec<Week>> {
    let without_time = rows.iter().filter(|row| row.time.is_none()).count();
    anyhow::ensure!(
        without_time == 0,
        "{without_time} rows have no time: a replay needs a column with role = \"time\""
    );
    rows.sort_by_key(|row| row.time);
    let mut weeks: Vec<Week> = Vec::new();
    for row in rows {
        let at = row.time.unwrap_or_default();
        let date = jiff::tz::Offset::UTC.to_datetime(at).date();
        let iso = date.iso_week_date();
        let name = format!("{}-W{:02}", iso.year(), iso.week());
        match weeks.last_mut() {
            Some(week) if week.name == name => week.rows.push(row),
            _ => {
                let days_left = 8 - i64::from(iso.weekday().to_monday_one_offset());
                let monday = date
                    .checked_add(Span::new().days(days_left))?
                    .to_zoned(jiff::tz::TimeZone::UTC)?
                    .timestamp();
                weeks.push(Week {
                    name,
                    end: monday,
                    rows: vec![row],
                });
            }
        }
    }
    Ok(weeks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_ends_on_the_monday_after() {
        let row = |time: &str| Row {
            id: None,
            time: time.parse().ok(),
            slice: None,
            label: 0,
            text: String::new(),
        };
        let weeks = weeks(vec![
            row("2013-02-04T00:00:00Z"),
            row("2013-02-03T23:59:59Z"),
            row("2013-01-28T00:00:00Z"),
        ])
        .unwrap();
        let found: Vec<(&str, usize, String)> = weeks
            .iter()
            .map(|week| (week.name.as_str(), week.rows.len(), week.end.to_string()))
            .collect();
        assert_eq!(
            found,
            [
                ("2013-W05", 2, "2013-02-04T00:00:00Z".to_owned()),
                ("2013-W06", 1, "2013-02-11T00:00:00Z".to_owned())
            ]
        );
    }
}
