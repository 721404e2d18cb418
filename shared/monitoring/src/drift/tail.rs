//! Tail probabilities of the distributions that the tests need.

use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{checked_gamma_ur, ln_gamma};

/// P(X ≥ `statistic`) for X from χ² with `degrees` degrees of freedom. 1 when there are no degrees of freedom.
pub(crate) fn chi_squared_upper(statistic: f64, degrees: usize) -> f64 {
    if degrees == 0 || statistic <= 0.0 {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    checked_gamma_ur(degrees as f64 / 2.0, statistic / 2.0)
        .unwrap_or(0.0)
        .clamp(0.0, 1.0)
}

/// P(|Z| ≥ |z|) for a standard normal Z.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The z with P(Z ≤ z) = `probability` for a standard normal Z.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * probability)
}

/// P(X ≥ `successes`) for X from the binomial distribution of `trials` with `share`: the exact one-sided test of a rate.
pub(crate) fn binomial_upper(successes: u64, trials: u64, share: f64) -> f64 {
    if successes == 0 {
        return 1.0;
    }
    if successes > trials {
        return 0.0;
    }
    checked_beta_reg(
        successes as f64,
        (trials - successes) as f64 + 1.0,
        share.clamp(0.0, 1.0),
    )
    .unwrap_or(1.0)
}

/// P(D ≥ `d`) of the one-sample Kolmogorov–Smirnov statistic of `n` values.
///
/// Small probabilities: twice the one-sided probability of Birnbaum and Tingey (1951), whose error is below 1e-6 there. Otherwise the
/// limit distribution with the correction of Stephens (1970), right to about 0.002.
pub(crate) fn kolmogorov_upper(d: f64, n: f64) -> f64 {
    if d <= 0.0 {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let probability = if n * d * d >= 2.2 {
        2.0 * birnbaum_tingey(d, n)
    } else {
        stephens(d, n)
    };
    probability.clamp(0.0, 1.0)
}

fn stephens(d: f64, n: f64) -> f64 {
    let root = n.sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * d;
    if lambda < 0.2 {
        return 1.0;
    }
    let mut sum = 0.0;
    for j in 1..=100 {
        let j = f64::from(j);
        let term = (-2.0 * j * j * lambda * lambda).exp();
        sum += if j % 2.0 == 1.0 { term } else { -term };
        if term < 1e-16 {
            break;
        }
    }
    2.0 * sum
}

/// P(D⁺ ≥ d) = d · Σⱼ C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j), summed in logarithms.
fn birnbaum_tingey(d: f64, n: f64) -> f64 {
    let n = n.round();
    // Ten thousand values are the limit law for all purposes: e^(−2nd²).
    if n > 10_000.0 {
        return (-2.0 * n * d * d).exp();
    }
    let last = (n * (1.0 - d)).floor();
    let mut sum = 0.0;
    let mut j = 0.0;
    while j <= last {
        let rest = 1.0 - d - j / n;
        if rest > 0.0 {
            let choose = ln_gamma(n + 1.0) - ln_gamma(j + 1.0) - ln_gamma(n - j + 1.0);
            sum += (choose + (j - 1.0) * (d + j / n).ln() + (n - j) * rest.ln()).exp();
        }
        j += 1.0;
    }
    d * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from R's `pchisq`, `qnorm`, `pbinom` and the table of Kolmogorov's distribution.
    #[test]
    fn tails_agree_with_tables() {
        assert!((chi_squared_upper(3.841_458_820_694_124, 1) - 0.05).abs() < 1e-9);
        assert!((chi_squared_upper(18.307_038_053_275_14, 10) - 0.05).abs() < 1e-9);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((normal_two_sided(1.959_963_984_540_054) - 0.05).abs() < 1e-9);
        // Ten tosses of a fair coin, eight heads or more: 56/1024.
        assert!((binomial_upper(8, 10, 0.5) - 56.0 / 1024.0).abs() < 1e-12);
        // λ = 1.3581 is the 5 % point of the limit law.
        assert!((kolmogorov_upper(1.3581 / 1e3, 1e6) - 0.05).abs() < 1e-4);
    }

    #[test]
    fn both_branches_of_the_kolmogorov_tail_meet() {
        for n in [50.0, 500.0, 5_000.0] {
            let d = (2.2f64 / n).sqrt();
            let (exact, limit) = (2.0 * birnbaum_tingey(d, n), stephens(d, n));
            assert!((exact - limit).abs() < 0.003, "{n}: {exact} {limit}");
        }
    }
}
