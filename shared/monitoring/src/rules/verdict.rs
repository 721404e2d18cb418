//! The whole report in one sentence.

use super::{Signal, Status};

pub(super) fn verdict(
    predictions: u64,
    signals: &[Signal],
    holds: bool,
    (retrain, abort): (bool, bool),
) -> String {
    let count = |status| {
        signals
            .iter()
            .filter(|signal| signal.status == status)
            .count()
    };
    let names = |status| {
        let names: Vec<String> = signals
            .iter()
            .filter(|signal| signal.status == status)
            .map(|signal| lower_first(&signal.title()))
            .collect();
        names.join(", ")
    };
    let judged = signals.len() - count(Status::NotEnoughData);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let alerts = count(Status::Alert);
    if alerts > 0 {
        let follows = match (retrain, abort) {
            (true, true) => "the release should be aborted, and an early retrain is asked for",
            (false, true) => "the release should be aborted",
            (true, false) => "an early retrain is asked for",
            (false, false) if holds => {
                "the labels show that macro F1 holds, so nothing is asked for"
            }
            (false, false) => "nothing is asked for",
        };
        return format!(
            "{alerts} alert{} ({}): {follows}.",
            plural(alerts),
            names(Status::Alert)
        );
    }
    let warnings = count(Status::Warning);
    if warnings > 0 {
        return format!(
            "No alert; {warnings} warning{} ({}).",
            plural(warnings),
            names(Status::Warning)
        );
    }
    if judged == 0 {
        return format!(
            "Too little has happened to judge: {predictions} prediction{}.",
            plural(predictions as usize)
        );
    }
    format!(
        "All quiet: {judged} of {} signals judged, none moved.",
        signals.len()
    )
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_lowercase().to_string())
        .unwrap_or_default();
    first + characters.as_str()
}
