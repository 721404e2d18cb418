//! Our numbers beside those of Evidently, NannyML and Azure ML on the same literal inputs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise, and says when it is skipped"
)]

use std::path::Path;

use serde_json::Value;
use sluice_monitoring::drift::{
    azure_ml, chi_squared_contingency, chi_squared_goodness_of_fit, evidently, kolmogorov_smirnov,
    nannyml, two_proportions,
};
use sluice_monitoring::performance::{Isotonic, estimate_binary};

const NUMBERS: [&str; 4] = ["num_big", "num_small", "num_same", "num_11k"];
const CATEGORIES: [&str; 4] = ["cat_small", "cat_3", "cat_big", "bin_small"];

fn golden() -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/drift.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: ../shared is absent");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect()
}

/// Relative to the larger of the two, so that small p-values count too.
#[track_caller]
fn assert_near(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: the golden file has {theirs}"));
    let difference = (ours - theirs).abs();
    assert!(
        difference <= tolerance * ours.abs().max(theirs.abs()) + 1e-15,
        "{what}: {ours} is not {theirs}"
    );
}

#[test]
fn evidently_on_numbers() {
    let Some(golden) = golden() else { return };
    for case in NUMBERS {
        let input = &golden["inputs"][case];
        let (reference, current) = (numbers(&input["ref"]), numbers(&input["cur"]));
        let expected = |test: &str| &golden["expected"]["evidently"][case][test]["score"];
        let bins = evidently::bin_counts(&reference, &current);
        assert_near(
            case,
            evidently::jensen_shannon(&bins),
            expected("jensenshannon"),
            1e-9,
        );
        assert_near(
            case,
            evidently::population_stability_index(&bins),
            expected("psi"),
            1e-9,
        );
        assert_near(
            case,
            evidently::kullback_leibler(&bins),
            expected("kl_div"),
            1e-9,
        );
        assert_near(
            case,
            evidently::wasserstein(&reference, &current),
            expected("wasserstein"),
            1e-9,
        );
        // 11,000 rows: the asymptotic law, of which we take the leading term.
        let (tolerance, test) = (
            if case == "num_11k" { 1e-5 } else { 1e-9 },
            kolmogorov_smirnov(&reference, &current).unwrap(),
        );
        assert_near(case, test.p_value, expected("ks"), tolerance);
        if !expected("hellinger").is_null() {
            assert_near(
                case,
                evidently::hellinger(&reference, &current),
                expected("hellinger"),
                1e-9,
            );
        }
    }
}

#[test]
fn evidently_on_categories() {
    let Some(golden) = golden() else { return };
    for case in CATEGORIES {
        let input = &golden["inputs"][case];
        let bins = evidently::bin_categories(&names(&input["ref"]), &names(&input["cur"]));
        let expected = |test: &str| &golden["expected"]["evidently"][case][test]["score"];
        assert_near(
            case,
            evidently::jensen_shannon(&bins),
            expected("jensenshannon"),
            1e-9,
        );
        assert_near(
            case,
            evidently::population_stability_index(&bins),
            expected("psi"),
            1e-9,
        );
        assert_near(
            case,
            evidently::kullback_leibler(&bins),
            expected("kl_div"),
            1e-9,
        );
        let goodness_of_fit = chi_squared_goodness_of_fit(&bins.0, &bins.1).unwrap();
        assert_near(case, goodness_of_fit.p_value, expected("chisquare"), 1e-9);
        if case == "bin_small" {
            let z = two_proportions(
                (bins.0[1], bins.0[0] + bins.0[1]),
                (bins.1[1], bins.1[0] + bins.1[1]),
            )
            .unwrap();
            assert_near(case, z.p_value, expected("z"), 1e-9);
        }
    }
}

#[test]
fn nannyml_on_numbers() {
    let Some(golden) = golden() else { return };
    for case in NUMBERS {
        let input = &golden["inputs"][case];
        let (reference, current) = (numbers(&input["ref"]), numbers(&input["cur"]));
        let expected = |method: &str| &golden["expected"]["nannyml"][case][method]["score"];
        let bins = nannyml::bin_shares(&reference, &current);
        assert_near(
            case,
            nannyml::jensen_shannon(&bins),
            expected("jensen_shannon"),
            1e-9,
        );
        assert_near(case, nannyml::hellinger(&bins), expected("hellinger"), 1e-9);
        // From 10,000 reference rows on NannyML estimates on bins.
        let tolerance = if case == "num_11k" { 5e-3 } else { 1e-9 };
        assert_near(
            case,
            nannyml::wasserstein(&reference, &current),
            expected("wasserstein"),
            tolerance,
        );
        let test = kolmogorov_smirnov(&reference, &current).unwrap();
        assert_near(
            case,
            test.statistic,
            expected("kolmogorov_smirnov"),
            tolerance,
        );
    }
}

#[test]
fn nannyml_on_categories() {
    let Some(golden) = golden() else { return };
    for case in CATEGORIES {
        let input = &golden["inputs"][case];
        let (reference, current) = (names(&input["ref"]), names(&input["cur"]));
        let expected = &golden["expected"]["nannyml"][case];
        let shares = nannyml::category_shares(&reference, &current);
        assert_near(
            case,
            nannyml::jensen_shannon(&shares),
            &expected["jensen_shannon"]["score"],
            1e-9,
        );
        assert_near(
            case,
            nannyml::hellinger(&shares),
            &expected["hellinger"]["score"],
            1e-9,
        );
        assert_near(
            case,
            nannyml::l_infinity(&shares),
            &expected["l_infinity"]["score"],
            1e-9,
        );
        let bins = evidently::bin_categories(&reference, &current);
        let contingency = chi_squared_contingency(&bins.0, &bins.1, true).unwrap();
        assert_near(
            case,
            contingency.statistic,
            &expected["chi2"]["score"],
            1e-9,
        );
        assert_near(
            case,
            contingency.p_value,
            &expected["chi2"]["p_value"],
            1e-9,
        );
    }
}

#[test]
fn azure_ml_on_both() {
    let Some(golden) = golden() else { return };
    for case in NUMBERS {
        let input = &golden["inputs"][case];
        let (reference, current) = (numbers(&input["ref"]), numbers(&input["cur"]));
        let expected = &golden["expected"]["azureml"][case];
        let bins = azure_ml::bin_counts(&reference, &current);
        assert_near(
            case,
            azure_ml::jensen_shannon(&bins),
            &expected["JensenShannonDistance"],
            1e-9,
        );
        assert_near(
            case,
            azure_ml::population_stability_index(&bins),
            &expected["PopulationStabilityIndex"],
            1e-9,
        );
        assert_near(
            case,
            azure_ml::wasserstein(&reference, &current),
            &expected["NormalizedWassersteinDistance"],
            1e-9,
        );
    }
    for case in CATEGORIES {
        let input = &golden["inputs"][case];
        let expected = &golden["expected"]["azureml"][case];
        let bins = azure_ml::bin_categories(&names(&input["ref"]), &names(&input["cur"]));
        assert_near(
            case,
            azure_ml::jensen_shannon(&bins),
            &expected["JensenShannonDistance"],
            1e-9,
        );
        assert_near(
            case,
            azure_ml::population_stability_index(&bins),
            &expected["PopulationStabilityIndex"],
            1e-9,
        );
        let goodness_of_fit = chi_squared_goodness_of_fit(&bins.reference, &bins.current).unwrap();
        assert_near(
            case,
            goodness_of_fit.p_value,
            &expected["PearsonsChiSquaredTest_p"],
            1e-9,
        );
        let contingency = chi_squared_contingency(&bins.reference, &bins.current, false).unwrap();
        if case != "bin_small" {
            assert_near(
                case,
                contingency.p_value,
                &expected["two_sample_contingency_p"],
                1e-9,
            );
        }
    }
}

#[test]
fn estimates_without_labels_agree_with_nannyml() {
    let Some(golden) = golden() else { return };
    let input = &golden["inputs"]["cbpe"];
    let truths: Vec<bool> = numbers(&input["ref_y"])
        .into_iter()
        .map(|label| label == 1.0)
        .collect();
    let calibration = Isotonic::fit(&numbers(&input["ref_proba"]), &truths).unwrap();
    let expected = golden["expected"]["nannyml"]["cbpe"]["chunks"]
        .as_array()
        .unwrap();
    for (chunk, expected) in numbers(&input["ana_proba"]).chunks(500).zip(expected) {
        let rows: Vec<(f64, bool)> = chunk
            .iter()
            .map(|score| (calibration.apply(*score), *score >= 0.5))
            .collect();
        let estimate = estimate_binary(&rows).unwrap();
        assert_near(
            "accuracy",
            estimate.accuracy,
            &expected["accuracy"]["value"],
            1e-9,
        );
        assert_near("f1", estimate.f1, &expected["f1"]["value"], 1e-9);
        assert_near(
            "precision",
            estimate.precision,
            &expected["precision"]["value"],
            1e-9,
        );
        assert_near(
            "recall",
            estimate.recall,
            &expected["recall"]["value"],
            1e-9,
        );
        assert_near(
            "specificity",
            estimate.specificity,
            &expected["specificity"]["value"],
            1e-9,
        );
    }
}
