//! Signals about the service: latency and errors.

use super::evaluate::SHOWN_CONFIDENCE;
use super::{Figure, MonitorConfig, Rule, Signal, Status, Window};
use crate::drift::binomial_upper;
use crate::performance::wilson;

pub(super) fn signals(config: &MonitorConfig, window: &Window) -> Vec<Signal> {
    vec![latency(config, window), error_rate(config, window)]
}

fn latency(config: &MonitorConfig, window: &Window) -> Signal {
    let threshold = config.latency_p99_ms;
    let n = window.latency_ms.count();
    let value = window
        .latency_ms
        .quantile(0.99)
        .filter(|_| n >= config.min_requests);
    // The limit holds when no more than one in a hundred is slower: a question about a share, with an exact answer.
    let p_value = value.map(|_| binomial_upper(window.latency_ms.count_above(threshold), n, 0.01));
    let sentence = value.map(|p99| {
        format!("99 of 100 requests took at most {p99:.1} ms, the limit is {threshold:.0} ms.")
    });
    signal(
        config,
        Rule::LatencyP99,
        "99th percentile in milliseconds",
        value,
        threshold,
        p_value,
        n,
        sentence,
    )
}

fn error_rate(config: &MonitorConfig, window: &Window) -> Signal {
    let threshold = config.error_rate;
    let n = window.requests;
    let errors = window.errors.min(n);
    let value = (n >= config.min_requests).then(|| errors as f64 / n as f64);
    let p_value = value.map(|_| binomial_upper(errors, n, threshold));
    let sentence = value.map(|rate| {
        format!(
            "{errors} of {n} requests failed ({:.2} %), the limit is {:.2} %.",
            rate * 100.0,
            threshold * 100.0
        )
    });
    signal(
        config,
        Rule::ErrorRate,
        "share of failed requests",
        value,
        threshold,
        p_value,
        n,
        sentence,
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "the two signals differ in exactly these"
)]
fn signal(
    config: &MonitorConfig,
    rule: Rule,
    measure: &str,
    value: Option<f64>,
    threshold: f64,
    p_value: Option<f64>,
    n: u64,
    sentence: Option<String>,
) -> Signal {
    let status = match (value, p_value) {
        (Some(value), Some(p)) if value > threshold && p <= config.significance => Status::Alert,
        (Some(value), _) if value > threshold => Status::Warning,
        (Some(_), _) => Status::Ok,
        _ => Status::NotEnoughData,
    };
    let missing = || {
        format!(
            "{} cannot be judged yet: {n} of the {} requests that it needs.",
            rule.title(),
            config.min_requests
        )
    };
    Signal {
        rule,
        subject: None,
        measure: measure.to_owned(),
        value,
        threshold,
        interval: None,
        p_value,
        p_value_adjusted: None,
        n,
        baseline_n: None,
        status,
        sentence: sentence.unwrap_or_else(missing),
    }
}

pub(super) fn figures(window: &Window) -> Vec<Figure> {
    let latency = |name: &str, share| Figure {
        name: name.to_owned(),
        value: window.latency_ms.quantile(share),
        interval: None,
        baseline: None,
        n: window.latency_ms.count(),
    };
    let errors = wilson(
        window.errors.min(window.requests),
        window.requests,
        SHOWN_CONFIDENCE,
    );
    vec![
        latency("latency_p50_ms", 0.5),
        latency("latency_p99_ms", 0.99),
        Figure {
            name: "error_rate".to_owned(),
            value: errors.map(|interval| interval.value),
            interval: errors,
            baseline: None,
            n: window.requests,
        },
    ]
}
