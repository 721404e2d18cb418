//! The report as one HTML page that needs nothing else: no script, no font, no request.
//!
//! The verdict comes first. Status is written out beside its sign and its colour; plots carry descriptions; wide tables scroll in their own frame on a
//! phone; dark mode follows the reader's system. Everything that came from outside is escaped.

mod text;

use askama::Template;
use jiff::Timestamp;

use crate::MonitoringError;
use crate::performance::Interval;
use crate::plot::{BarChart, Canvas, LineChart, Series, reliability_diagram};
use crate::profile::Counts;
use crate::rules::{Baseline, Report, Signal, Status, Window};

/// How many earlier reports the history shows.
const HISTORY: usize = 48;

/// What the page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What is watched, for the heading: `tweets, version 7, release 3`.
    pub subject: &'a str,
    /// The report.
    pub report: &'a Report,
    /// The baseline that it was held against.
    pub baseline: &'a Baseline,
    /// The window that was evaluated.
    pub window: &'a Window,
    /// Earlier reports of the same model, the oldest first.
    pub history: &'a [Report],
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportTemplate<'a> {
    subject: &'a str,
    report: &'a Report,
    period: String,
    actions: Vec<(&'static str, &'a str)>,
    signals: Vec<SignalRow>,
    figures: Vec<FigureRow>,
    slices: Vec<SliceRow>,
    plots: Vec<Plot>,
    history: Vec<HistoryRow>,
}

struct SignalRow {
    title: String,
    status: StatusMark,
    sentence: String,
    value: String,
    threshold: String,
    p_value: String,
    n: u64,
}

struct FigureRow {
    name: String,
    value: String,
    interval: String,
    baseline: String,
    n: u64,
}

struct SliceRow {
    slice: String,
    labels: u64,
    accuracy: String,
    macro_f1: String,
}

struct Plot {
    heading: String,
    svg: String,
}

struct HistoryRow {
    to: String,
    status: StatusMark,
    predictions: u64,
    labelled: u64,
    macro_f1: String,
    verdict: String,
}

/// A status as a class name, a sign and words.
#[derive(Clone, Copy)]
struct StatusMark {
    class: &'static str,
    sign: &'static str,
    words: &'static str,
}

impl Page<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// [`MonitoringError::Plot`] or [`MonitoringError::Page`] when a library refuses. Missing data is no error: the plot is left out.
    pub fn to_html(&self) -> Result<String, MonitoringError> {
        let report = self.report;
        let actions = [
            ("Retrain early", &report.retrain),
            ("Abort the release", &report.abort),
        ];
        let template = ReportTemplate {
            subject: self.subject,
            report,
            period: format!("{} to {}", moment(report.from), moment(report.to)),
            actions: actions
                .into_iter()
                .filter_map(|(name, reason)| Some((name, reason.as_deref()?)))
                .collect(),
            signals: signal_rows(&report.signals),
            figures: self.figure_rows(),
            slices: self.slice_rows(),
            plots: self.plots()?,
            history: self.history_rows(),
        };
        Ok(template.render()?)
    }

    fn figure_rows(&self) -> Vec<FigureRow> {
        let rows = self.report.figures.iter().map(|figure| FigureRow {
            name: text::figure_name(&figure.name),
            value: text::figure(&figure.name, figure.value),
            interval: text::interval(&figure.name, figure.interval),
            baseline: text::figure(&figure.name, figure.baseline),
            n: figure.n,
        });
        rows.collect()
    }

    fn slice_rows(&self) -> Vec<SliceRow> {
        let accuracy = |interval: Option<Interval>| {
            let share = text::figure("accuracy", interval.map(|interval| interval.value));
            format!("{share} ({})", text::interval("accuracy", interval))
        };
        let rows = self.report.slices.iter().map(|slice| SliceRow {
            slice: slice.slice.clone(),
            labels: slice.labels,
            accuracy: accuracy(slice.accuracy),
            macro_f1: text::figure("macro_f1", slice.macro_f1),
        });
        rows.collect()
    }

    fn history_rows(&self) -> Vec<HistoryRow> {
        let rows = self.recent().rev().map(|report| HistoryRow {
            to: moment(report.to),
            status: mark(report.status),
            predictions: report.predictions,
            labelled: report.labelled,
            macro_f1: text::figure(
                "macro_f1",
                report.figure("macro_f1").and_then(|figure| figure.value),
            ),
            verdict: report.verdict.clone(),
        });
        rows.collect()
    }

    /// The last earlier reports and this one, the oldest first.
    fn recent(&self) -> impl DoubleEndedIterator<Item = &Report> {
        let start = self.history.len().saturating_sub(HISTORY);
        self.history[start..].iter().chain([self.report])
    }

    fn plots(&self) -> Result<Vec<Plot>, MonitoringError> {
        let (before, now) = (&self.baseline.profile, &self.window.profile);
        let score = BarChart::distribution(
            "Score distribution",
            &now.score_meaning(),
            (0.0, 1.0),
            before.score(),
            now.score(),
        );
        let predicted = shares_of(
            self.baseline.profile.labels(),
            before.predicted(),
            now.predicted(),
        );
        let reliability = reliability_diagram(
            "Reliability of the confidence",
            self.baseline.outcomes.reliability(),
            self.window.outcomes.reliability(),
            Canvas::Page,
        );
        let plots = [
            ("Score distribution", score.to_svg(Canvas::Page)),
            ("Predicted labels", predicted.to_svg(Canvas::Page)),
            ("Reliability of the confidence", reliability),
            ("Macro F1 over time", self.trend().to_svg(Canvas::Page)),
        ];
        let mut drawn = Vec::new();
        for (heading, plot) in plots {
            match plot {
                Ok(svg) => drawn.push(Plot {
                    heading: heading.to_owned(),
                    svg,
                }),
                Err(MonitoringError::EmptyPlot { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(drawn)
    }

    fn trend(&self) -> LineChart {
        let values = |name: &str| {
            self.recent()
                .map(|report| report.figure(name)?.value)
                .collect::<Vec<_>>()
        };
        let measured = Series {
            name: "from labels".to_owned(),
            values: values("macro_f1"),
        };
        let estimated = Series {
            name: "expected by the model".to_owned(),
            values: values("estimated_macro_f1"),
        };
        let few = self.history.is_empty();
        LineChart {
            title: "Macro F1 over time".to_owned(),
            y_label: "macro F1".to_owned(),
            y_range: Some((0.0, 1.0)),
            steps: self
                .recent()
                .map(|report| report.to.strftime("%m-%d %H:%M").to_string())
                .collect(),
            // One report is no trend: an empty chart is left out.
            series: if few {
                Vec::new()
            } else {
                vec![measured, estimated]
            },
        }
    }
}

fn signal_rows(signals: &[Signal]) -> Vec<SignalRow> {
    let mut rows: Vec<&Signal> = signals.iter().collect();
    // The worst first; what cannot be judged last.
    rows.sort_by_key(|signal| std::cmp::Reverse(signal.status));
    let p_value = |signal: &Signal| signal.p_value_adjusted.or(signal.p_value);
    let row = |signal: &Signal| SignalRow {
        title: signal.title(),
        status: mark(signal.status),
        sentence: signal.sentence.clone(),
        value: text::number(signal.value),
        threshold: text::number(Some(signal.threshold)),
        p_value: text::p_value(p_value(signal)),
        n: signal.n,
    };
    rows.into_iter().map(row).collect()
}

/// The shares of at most 12 labels, the most frequent in the baseline first.
fn shares_of(labels: &[String], baseline: &Counts, window: &Counts) -> BarChart {
    let share = |counts: &Counts, label: &str| counts.share(label).unwrap_or(0.0);
    let mut names = labels.to_vec();
    names.sort_by(|a, b| share(baseline, b).total_cmp(&share(baseline, a)));
    names.truncate(12);
    BarChart {
        title: "Predicted labels".to_owned(),
        x_label: "predicted label".to_owned(),
        baseline: names.iter().map(|name| share(baseline, name)).collect(),
        window: names.iter().map(|name| share(window, name)).collect(),
        names,
    }
}

fn mark(status: Status) -> StatusMark {
    let (class, sign) = match status {
        Status::NotEnoughData => ("unknown", "?"),
        Status::Ok => ("ok", "✓"),
        Status::Warning => ("warning", "▲"),
        Status::Alert => ("alert", "✕"),
    };
    StatusMark {
        class,
        sign,
        words: status.title(),
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

impl ReportTemplate<'_> {
    fn status(&self) -> StatusMark {
        mark(self.report.status)
    }

    fn coverage(&self) -> String {
        format!("{:.0} %", self.report.label_coverage * 100.0)
    }
}
