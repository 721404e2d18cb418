//! How often the signals fire when nothing has changed: both samples come from one law.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise, and prints what it measured"
)]

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Beta, Distribution, LogNormal, Normal};
use sluice_monitoring::MonitorConfig;
use sluice_monitoring::drift::{compare_categories, compare_values};
use sluice_monitoring::profile::{Counts, Histogram};

/// Rows of the baseline and of the window, and how often both are drawn: less often where drawing is slow.
const CASES: [(usize, usize, u32); 3] =
    [(1_500, 100, 600), (1_500, 1_000, 600), (10_000, 300, 200)];

/// The rates in which a test at the level .05 may reject: within four standard errors, since a dozen rates are looked at.
fn nominal(repeats: u32) -> std::ops::RangeInclusive<f64> {
    let margin = 4.0 * (0.05 * 0.95 / f64::from(repeats)).sqrt();
    (0.05 - margin).max(0.0)..=0.05 + margin
}

fn histogram(law: &impl Distribution<f64>, rows: usize, random: &mut StdRng) -> Histogram {
    let mut histogram = Histogram::default();
    law.sample_iter(random)
        .take(rows)
        .for_each(|value| histogram.add(value));
    histogram
}

/// The shares of repeats in which the test rejects at .05, and in which our whole rule fires at that level, and at its default.
fn rates(
    law: &impl Distribution<f64>,
    (n, m, repeats): (usize, usize, u32),
    random: &mut StdRng,
) -> [f64; 3] {
    let config = MonitorConfig::default();
    let mut counts = [0u32; 3];
    for _ in 0..repeats {
        let comparison =
            compare_values(&histogram(law, n, random), &histogram(law, m, random)).unwrap();
        let p = comparison.chi_squared.p_value;
        let large = comparison.psi >= config.score_drift_psi;
        for (count, fires) in counts.iter_mut().zip([
            p <= 0.05,
            p <= 0.05 && large,
            p <= config.significance && large,
        ]) {
            *count += u32::from(fires);
        }
    }
    counts.map(|count| f64::from(count) / f64::from(repeats))
}

#[test]
fn numbers_of_one_law_rarely_alarm() {
    let mut random = StdRng::seed_from_u64(20_130_424);
    for case in CASES {
        // A smooth law, a score that crowds at both ends, and whole numbers with many ties. A rising map of these, such as the
        // lognormal, changes nothing: the bins hold equal shares.
        let laws = [
            (
                "normal",
                rates(&Normal::new(0.0, 1.0).unwrap(), case, &mut random),
            ),
            (
                "score",
                rates(&Beta::new(0.3, 0.2).unwrap(), case, &mut random),
            ),
            (
                "words",
                rates(
                    &LogNormal::new(2.5, 0.4).unwrap().map(f64::round),
                    case,
                    &mut random,
                ),
            ),
        ];
        for (law, [test, rule, default]) in laws {
            println!(
                "{case:?} {law}: test at .05 {test:.3}, rule at .05 {rule:.3}, rule as configured {default:.3}"
            );
            assert!(nominal(case.2).contains(&test), "{case:?} {law}: {test}");
            assert!(rule <= 0.07, "{case:?} {law}: {rule}");
            assert!(default <= 0.01, "{case:?} {law}: {default}");
        }
    }
}

#[test]
fn categories_of_one_law_rarely_alarm() {
    let mut random = StdRng::seed_from_u64(20_130_425);
    let law = Normal::new(0.0, 1.0).unwrap();
    let sample = |rows: usize, random: &mut StdRng| {
        let mut counts = Counts::default();
        for value in law.sample_iter(random).take(rows) {
            counts.add(if value < 0.0 {
                "a"
            } else if value < 0.84 {
                "b"
            } else {
                "c"
            });
        }
        counts
    };
    for (n, m, repeats) in CASES {
        let fired = (0..repeats)
            .filter(|_| {
                let comparison =
                    compare_categories(&sample(n, &mut random), &sample(m, &mut random)).unwrap();
                comparison.chi_squared.p_value <= 0.05
            })
            .count();
        let rate = fired as f64 / f64::from(repeats);
        println!("({n}, {m}) three categories: test at .05 {rate:.3}");
        assert!(nominal(repeats).contains(&rate), "({n}, {m}): {rate}");
    }
}

#[test]
fn a_huge_window_does_not_alarm_about_next_to_nothing_and_a_small_one_sees_a_real_shift() {
    let mut random = StdRng::seed_from_u64(20_130_426);
    let config = MonitorConfig::default();
    let before = histogram(&Normal::new(0.0, 1.0).unwrap(), 200_000, &mut random);
    let nearly = compare_values(
        &before,
        &histogram(&Normal::new(0.03, 1.0).unwrap(), 200_000, &mut random),
    )
    .unwrap();
    assert!(
        nearly.chi_squared.p_value < 1e-6 && nearly.psi < config.score_drift_psi / 10.0,
        "{nearly:?}"
    );
    let shifted = compare_values(
        &before,
        &histogram(&Normal::new(1.0, 1.0).unwrap(), 200, &mut random),
    )
    .unwrap();
    assert!(
        shifted.chi_squared.p_value < config.significance && shifted.psi > config.score_drift_psi,
        "{shifted:?}"
    );
}
