//! Each rule fails for its own reason, and only that one.

use sluice_registry::Digest;

use super::*;
use crate::progress::NoProgress;
use crate::{Confidence, LinearTextModel};

/// A test set of two slices with 100 rows each, labels in turn, and how a model answers it.
struct Bench {
    data: TrainingData,
    candidate: Predictions,
    champion: Predictions,
    trainer: Predictions,
}

/// Answers right but for the rows that `wrong` names.
fn answers(data: &TrainingData, wrong: impl Fn(usize) -> bool) -> Predictions {
    let row = |(index, row): (usize, &crate::Row)| {
        let label = if wrong(index) {
            1 - row.label
        } else {
            row.label
        };
        if label == 1 {
            [0.1_f32, 0.9]
        } else {
            [0.9, 0.1]
        }
    };
    Predictions::new("bench", 2, data.test().iter().enumerate().map(row)).unwrap()
}

fn bench() -> Bench {
    let mut data = TrainingData::new(vec!["other".into(), "flood".into()]);
    for index in 0..200_u32 {
        let slice = if index < 100 { "queensland" } else { "alberta" };
        data.push(Split::Test, format!("Text {index}"), index % 2, Some(slice))
            .unwrap();
    }
    for index in 0..10 {
        data.push(Split::Train, "text", u32::from(index > 6), None)
            .unwrap();
    }
    let candidate = answers(&data, |index| index % 20 == 7);
    Bench {
        champion: answers(&data, |index| index % 10 == 7),
        trainer: candidate.clone(),
        candidate,
        data,
    }
}

fn model(name: &str) -> ModelRef {
    ModelRef {
        name: "messages".into(),
        version: 3,
        digest: Digest::of(name.as_bytes()),
    }
}

fn fitted(trainer: &Predictions) -> FittedModel {
    let confidence = Confidence::new([], trainer);
    FittedModel {
        model: LinearTextModel {
            features: Default::default(),
            labels: vec![],
            weights: vec![],
            bias: vec![],
            temperature: 1.0,
        },
        test_predictions: trainer.clone(),
        calibration: crate::Calibration {
            temperature: 1.25,
            before: confidence.clone(),
            after: confidence,
        },
        summary: sluice_registry::TrainingSummary {
            algorithm: "hashed-ngram-logistic-regression".into(),
            seed: 1,
            parameters: [("regularisation".to_owned(), 10.0)].into(),
            search: vec![
                [
                    ("regularisation", 10.0),
                    ("log_loss", 0.15),
                    ("temperature", 1.25),
                    ("iterations", 20.0),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ],
            rows: 10,
            seconds: 0.5,
        },
    }
}

/// The candidate's file: as on the test rows, blind to case, white space and links.
fn steady(
    bench: &Bench,
) -> impl Fn(&[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
    let candidate = bench.candidate.clone();
    move |texts| {
        let row = |text: &&str| {
            let index: usize = text.split_whitespace().nth(1).unwrap().parse().unwrap();
            candidate.row(index).to_vec()
        };
        Ok(texts.iter().map(row).collect())
    }
}

fn judge_with(
    bench: &Bench,
    config: &GateConfig,
    change: impl FnOnce(&mut GateInputs<'_>),
) -> Evidence {
    try_judge(bench, config, Some(&bench.champion), &steady(bench), change).unwrap()
}

fn try_judge(
    bench: &Bench,
    config: &GateConfig,
    champion: Option<&Predictions>,
    predict: &Predict<'_>,
    change: impl FnOnce(&mut GateInputs<'_>),
) -> Result<Evidence, TrainingError> {
    let fitted = fitted(&bench.trainer);
    let mut inputs = GateInputs {
        data: &bench.data,
        positive_label: Some("flood"),
        fitted: &fitted,
        candidate: Contender {
            model: model("candidate"),
            predictions: &bench.candidate,
        },
        champion: champion.map(|predictions| Contender {
            model: model("champion"),
            predictions,
        }),
        latency: Latency {
            p50_us: 9.0,
            p99_us: 25.0,
            samples: 1000,
        },
        size_bytes: 2_097_152,
        predict,
        provenance: Provenance {
            dataset: DatasetRef {
                dataset: "messages".into(),
                version: 4,
                digest: Digest::of(b"dataset"),
                rows: 230,
            },
            code: CodeVersion {
                version: "0.1.0".into(),
                digest: Digest::of(b"code"),
                commit: Some("61bd74e".into()),
            },
            onnx_runtime: "1.31.1".into(),
            run: "4-0123456789ab".into(),
            created_at: "2026-11-20T03:00:00Z".parse().unwrap(),
        },
    };
    change(&mut inputs);
    gate(config, &inputs, &NoProgress)
}

fn judge(bench: &Bench, config: &GateConfig) -> Evidence {
    judge_with(bench, config, |_| ())
}

/// Checks that one rule fails, with its sentence.
fn only_failure(evidence: &Evidence, expected: &str) {
    assert!(!evidence.passed);
    assert_eq!(evidence.failures(), [expected], "{:#?}", evidence.rules);
}

#[test]
fn a_better_candidate_passes_every_rule() {
    let evidence = judge(&bench(), &GateConfig::default());
    let rules: Vec<&str> = evidence
        .rules
        .iter()
        .map(|rule| rule.rule.as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "test_rows",
            "beats_majority",
            "improvement",
            "not_worse",
            "slice_floor",
            "slice_drop",
            "parity",
            "latency",
            "size",
            "behaviour_upper_case",
            "behaviour_lower_case",
            "behaviour_added_whitespace",
            "behaviour_trailing_url"
        ]
    );
    assert!(evidence.passed, "{:?}", evidence.failures());
    let comparison = evidence.comparison.as_ref().unwrap();
    assert!(
        (comparison.improvement - 0.05).abs() < 0.01 && comparison.lower > 0.0,
        "{comparison:?}"
    );
    let summary = evidence.summary(Digest::of(b"evidence"));
    assert!(summary.passed && summary.failures.is_empty());
}

#[test]
fn equal_inputs_give_equal_evidence_that_survives_json() {
    let bench = bench();
    let evidence = judge(&bench, &GateConfig::default());
    let json = serde_json::to_string(&evidence).unwrap();
    assert_eq!(
        json,
        serde_json::to_string(&judge(&bench, &GateConfig::default())).unwrap()
    );
    // The last bit of a number may change on the way through JSON: the page shows four digits.
    let read: Evidence = serde_json::from_str(&json).unwrap();
    assert_eq!(read.to_markdown(), evidence.to_markdown());
    assert_eq!(read.failures(), evidence.failures());
}

#[test]
fn without_a_champion_the_majority_must_be_beaten() {
    let mut bench = bench();
    let evidence = judge_with(&bench, &GateConfig::default(), |inputs| {
        inputs.champion = None
    });
    assert!(evidence.passed, "{:?}", evidence.failures());
    assert!(
        evidence
            .rules
            .iter()
            .all(|rule| !["improvement", "not_worse", "slice_drop"].contains(&rule.rule.as_str()))
    );
    // "other" is most frequent in training, and half of the test rows: F1 2/3 there, 0 for "flood".
    assert_eq!(evidence.baseline.label, "other");
    assert!((evidence.baseline.value - 1.0 / 3.0).abs() < 1e-9);

    bench.candidate = answers(&bench.data, |index| bench.data.test()[index].label == 1);
    bench.trainer = bench.candidate.clone();
    let config = GateConfig {
        slices: SliceRules {
            floor: 0.0,
            ..SliceRules::default()
        },
        ..GateConfig::default()
    };
    only_failure(
        &judge_with(&bench, &config, |inputs| inputs.champion = None),
        "beats_majority: the candidate's macro_f1 is 0.3333, and always answering \"other\" gives 0.3333, 0.0000 below what is \
         needed (> 0.3333)",
    );
}

#[test]
fn too_few_test_rows_fail() {
    let config = GateConfig {
        min_test_rows: 250,
        ..GateConfig::default()
    };
    only_failure(
        &judge(&bench(), &config),
        "test_rows: there are 200 test rows, 50 below what is needed (≥ 250)",
    );
}

#[test]
fn too_little_improvement_fails() {
    let config = GateConfig {
        min_improvement: 0.08,
        ..GateConfig::default()
    };
    only_failure(
        &judge(&bench(), &config),
        "improvement: the candidate's macro_f1 is 0.9499 and the champion's 0.8990 on the same 200 rows, an improvement of \
         +0.0509, 0.0291 below what is needed (≥ 0.0800)",
    );
}

#[test]
fn an_improvement_that_may_be_chance_fails_only_the_interval() {
    let mut bench = bench();
    // 20 rows change sides, 11 for the better: a mean above 0, and an interval far below.
    bench.champion = answers(&bench.data, |index| (100..111).contains(&index));
    bench.candidate = answers(&bench.data, |index| (150..159).contains(&index));
    bench.trainer = bench.candidate.clone();
    let evidence = judge(&bench, &GateConfig::default());
    let failures = evidence.failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        failures[0]
            .starts_with("not_worse: the 95 % interval of the improvement of macro_f1 is -0.0"),
        "{failures:?}"
    );
    assert!(
        failures[0].ends_with("below what is needed (≥ -0.0100)"),
        "{failures:?}"
    );
}

#[test]
fn a_bad_slice_fails_although_the_whole_is_good() {
    let mut bench = bench();
    // In "alberta" 30 of 100 are wrong; the champion is as bad there and worse elsewhere.
    bench.candidate = answers(&bench.data, |index| index >= 170);
    bench.champion = answers(&bench.data, |index| !(20..170).contains(&index));
    bench.trainer = bench.candidate.clone();
    let config = GateConfig {
        slices: SliceRules {
            floor: 0.75,
            ..SliceRules::default()
        },
        ..GateConfig::default()
    };
    only_failure(
        &judge(&bench, &config),
        "slice_floor: the worst slice is \"alberta\" with a macro_f1 of 0.7000 on 100 rows, 0.0500 below what is needed (≥ \
         0.7500)",
    );
    // A slice that is too small does not count.
    let config = GateConfig {
        slices: SliceRules {
            min_rows: 101,
            ..config.slices
        },
        ..config
    };
    let evidence = judge(&bench, &config);
    assert!(evidence.passed, "{:?}", evidence.failures());
    assert!(evidence.slices.iter().all(|slice| !slice.counts));
}

#[test]
fn a_slice_that_gets_worse_fails_when_it_is_no_chance() {
    let mut bench = bench();
    bench.champion = answers(&bench.data, |index| index < 50);
    bench.candidate = answers(&bench.data, |index| index >= 180);
    bench.trainer = bench.candidate.clone();
    only_failure(
        &judge(&bench, &GateConfig::default()),
        "slice_drop: against the champion, macro_f1 in slice \"alberta\" changes by -0.2000 on 100 rows, 0.1500 below what is \
         needed (≥ -0.0500)",
    );
    // Six rows more wrong and nine others right is worse by 0.06 at most, and may be chance.
    bench.champion = answers(&bench.data, |index| {
        index < 50 || (100..104).contains(&index)
    });
    bench.candidate = answers(&bench.data, |index| index >= 190);
    bench.trainer = bench.candidate.clone();
    let evidence = judge(&bench, &GateConfig::default());
    assert!(evidence.passed, "{:?}", evidence.failures());
    assert!(
        evidence.slices[0].improvement.unwrap() < -0.05,
        "{:?}",
        evidence.slices[0]
    );
}

#[test]
fn a_file_that_says_something_else_than_the_trainer_fails() {
    let mut bench = bench();
    let rows = bench
        .candidate
        .rows()
        .map(|row| [row[0] + 0.001, row[1] - 0.001]);
    bench.trainer = Predictions::new("trainer", 2, rows).unwrap();
    only_failure(
        &judge(&bench, &GateConfig::default()),
        "parity: the file's probabilities differ from the trainer's by up to 0.0010000 on 200 rows, 0.0009900 above what is \
         allowed (≤ 0.0000100)",
    );
    let config = GateConfig {
        parity_tolerance: 0.01,
        parity_rows: 50,
        ..GateConfig::default()
    };
    let evidence = judge(&bench, &config);
    assert!(evidence.passed);
    assert_eq!(evidence.parity.rows, 50);
}

#[test]
fn a_slow_or_large_model_fails() {
    let evidence = judge_with(&bench(), &GateConfig::default(), |inputs| {
        inputs.latency.p99_us = 2500.0
    });
    only_failure(
        &evidence,
        "latency: 99 of 100 texts take 2500 µs or less (1000 measured), 500 above what is allowed (≤ 2000)",
    );
    let config = GateConfig {
        max_size_bytes: 2_000_000,
        ..GateConfig::default()
    };
    only_failure(
        &judge(&bench(), &config),
        "size: the file has 2097152 bytes, 97152 above what is allowed (≤ 2000000)",
    );
}

#[test]
fn a_model_that_looks_at_capitals_fails_for_them() {
    let bench = bench();
    let steady = steady(&bench);
    let shouting = |texts: &[&str]| {
        let mut rows = steady(texts)?;
        for (text, row) in texts.iter().zip(&mut rows) {
            if text.starts_with("TEXT 1") {
                row.reverse();
            }
        }
        Ok(rows)
    };
    let evidence = try_judge(
        &bench,
        &GateConfig::default(),
        Some(&bench.champion),
        &shouting,
        |_| (),
    )
    .unwrap();
    only_failure(
        &evidence,
        "behaviour_upper_case: 111 of 200 labels flip with upper case, a share of 0.5550, 0.5450 above what is allowed (≤ \
         0.0100)",
    );
}

#[test]
fn every_metric_can_decide() {
    for (metric, name) in [
        (Metric::Accuracy, "accuracy"),
        (Metric::F1, "f1:flood"),
        (Metric::LogLoss, "log_loss"),
        (Metric::MacroF1, "macro_f1"),
    ] {
        let config = GateConfig {
            metric,
            ..GateConfig::default()
        };
        let bench = bench();
        let evidence = judge(&bench, &config);
        assert_eq!(evidence.metric, name);
        assert!(evidence.passed, "{:?}", evidence.failures());
        let reversed = Bench {
            candidate: bench.champion.clone(),
            champion: bench.candidate.clone(),
            trainer: bench.champion.clone(),
            data: bench.data,
        };
        let evidence = judge(&reversed, &config);
        let failed: Vec<&str> = evidence
            .rules
            .iter()
            .filter(|rule| !rule.passed)
            .map(|rule| rule.rule.as_str())
            .collect();
        assert!(
            failed.starts_with(&["improvement", "not_worse"]),
            "{name}: {failed:?}"
        );
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let bench = bench();
    let error = |config: &GateConfig,
                 champion: Option<&Predictions>,
                 positive_label: Option<&'static str>| {
        let change = |inputs: &mut GateInputs<'_>| inputs.positive_label = positive_label;
        try_judge(&bench, config, champion, &steady(&bench), change)
            .unwrap_err()
            .to_string()
    };
    let defaults = GateConfig::default();
    assert!(
        error(&defaults, Some(&bench.champion.head(150)), None)
            .starts_with("the probabilities of the champion cannot be used: 150 rows of 2 labels for 200 test rows")
    );
    assert_eq!(
        error(&defaults, None, Some("fire")),
        "positive_label: expected one of other, flood for the metric f1, got \"fire\""
    );
    let f1 = GateConfig {
        metric: Metric::F1,
        ..GateConfig::default()
    };
    assert!(error(&f1, None, None).starts_with("positive_label: expected one of other, flood"));
    let level = GateConfig {
        confidence_level: 2.0,
        ..GateConfig::default()
    };
    assert!(error(&level, None, None).starts_with("confidence_level: expected"));
}

#[test]
fn the_page_is_what_it_was() {
    let passed = judge(&bench(), &GateConfig::default()).to_markdown();
    assert_eq!(passed, include_str!("../../tests/pages/passed.md"));
    let mut failing = bench();
    failing.data = {
        let mut data = TrainingData::new(failing.data.labels().to_vec());
        for row in failing.data.test() {
            // Names come from uploads: none may break the table.
            data.push(
                Split::Test,
                row.text.clone(),
                row.label,
                Some("a|b <i>\n`c`"),
            )
            .unwrap();
        }
        data.push(Split::Train, "text", 0, None).unwrap();
        data
    };
    let config = GateConfig {
        min_test_rows: 1000,
        min_improvement: 0.5,
        ..GateConfig::default()
    };
    let failed = judge(&failing, &config).to_markdown();
    assert_eq!(failed, include_str!("../../tests/pages/failed.md"));
    let first = judge_with(&bench(), &GateConfig::default(), |inputs| {
        inputs.champion = None
    })
    .to_markdown();
    assert!(first.contains("No champion yet"));
}
