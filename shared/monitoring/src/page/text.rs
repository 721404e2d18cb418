//! Numbers and names as a reader wants them.

use crate::performance::Interval;
use crate::plot::short;

const NOTHING: &str = "–";

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), short)
}

pub(super) fn p_value(value: Option<f64>) -> String {
    match value {
        None => NOTHING.to_owned(),
        Some(p) if p < 0.0001 => "< 0.0001".to_owned(),
        Some(p) => format!("{p:.4}"),
    }
}

/// Shares as percent, times in milliseconds, scores with three digits.
pub(super) fn figure(name: &str, value: Option<f64>) -> String {
    let Some(value) = value else {
        return NOTHING.to_owned();
    };
    match name {
        "accuracy" | "estimated_accuracy" => format!("{:.1} %", value * 100.0),
        "error_rate" => format!("{:.2} %", value * 100.0),
        "expected_calibration_error" => format!("{:.1} points", value * 100.0),
        name if name.ends_with("_ms") => format!("{} ms", short(value)),
        _ => format!("{value:.3}"),
    }
}

pub(super) fn interval(name: &str, interval: Option<Interval>) -> String {
    match interval {
        Some(interval) => format!(
            "{} to {}",
            figure(name, Some(interval.low)),
            figure(name, Some(interval.high))
        ),
        None => NOTHING.to_owned(),
    }
}

pub(super) fn figure_name(name: &str) -> String {
    let known = match name {
        "accuracy" => "Accuracy",
        "macro_f1" => "Macro F1",
        "brier" => "Brier score",
        "expected_calibration_error" => "Confidence is off by",
        "estimated_accuracy" => "Accuracy that the model expects",
        "estimated_macro_f1" => "Macro F1 that the model expects",
        "latency_p50_ms" => "Latency, half of the requests",
        "latency_p99_ms" => "Latency, 99 of 100 requests",
        "error_rate" => "Failed requests",
        _ => {
            return name
                .strip_prefix("f1:")
                .map_or_else(|| name.to_owned(), |label| format!("F1 of {label}"));
        }
    };
    known.to_owned()
}
