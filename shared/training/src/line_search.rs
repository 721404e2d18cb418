//! How far to go along a direction.
//!
//! The function along the direction is convex here and costs no pass over the features (the logits are linear in the
//! step), so the search brackets the root of the slope and closes in by the secant rule.

/// Share of the promised decrease that must be kept (Armijo's condition).
const DECREASE: f64 = 1e-4;

/// Share of the first slope that may remain (the strong Wolfe condition).
const REMAINING_SLOPE: f64 = 0.5;

/// Values that differ by less than this share are equal: rounding.
const EQUAL: f64 = 1e-13;

/// Tries before giving up.
const TRIES: usize = 40;

/// The function along the direction at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

/// A step length that satisfies the strong Wolfe conditions, starting the search at 1; `None` when rounding leaves no
/// progress to be made. The accepted length is the last one that `along` is asked for.
pub(crate) fn step_length(start: Point, mut along: impl FnMut(f64) -> Point) -> Option<f64> {
    let mut below = (0.0, start.slope);
    let mut above: Option<(f64, f64)> = None;
    let mut length = 1.0;
    for _ in 0..TRIES {
        let here = along(length);
        let allowed = start.value + DECREASE * length * start.slope + EQUAL * start.value.abs();
        let too_high = here.value.is_nan() || here.value > allowed;
        if too_high || here.slope > -REMAINING_SLOPE * start.slope {
            above = Some((length, here.slope));
        } else if here.slope < REMAINING_SLOPE * start.slope {
            below = (length, here.slope);
        } else {
            return Some(length);
        }
        length = next_length(below, above);
        if !length.is_finite() {
            return None;
        }
    }
    // The bracket closed on its lower end, which satisfies Armijo's condition unless it is the start.
    if below.0 > 0.0 {
        along(below.0);
        return Some(below.0);
    }
    None
}

fn next_length(below: (f64, f64), above: Option<(f64, f64)>) -> f64 {
    match above {
        None => below.0 * 4.0,
        Some(above) => {
            let width = above.0 - below.0;
            let root = below.0 - below.1 * width / (above.1 - below.1);
            if root.is_finite() {
                root.clamp(below.0 + 0.1 * width, above.0 - 0.1 * width)
            } else {
                below.0 + 0.5 * width
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: impl Fn(f64) -> f64, slope: impl Fn(f64) -> f64) {
        let at = |x: f64| Point {
            value: value(x),
            slope: slope(x),
        };
        let length = step_length(at(0.0), at).unwrap();
        assert!(value(length) <= value(0.0) + DECREASE * length * slope(0.0) + 1e-12);
        assert!(slope(length).abs() <= REMAINING_SLOPE * slope(0.0).abs());
    }

    proptest! {
        #[test]
        fn the_wolfe_conditions_hold_on_parabolas(root in 1e-6_f64..1e6, steepness in 1e-3_f64..1e3) {
            check(|x| steepness * (x - root).powi(2), |x| 2.0 * steepness * (x - root));
        }

        #[test]
        fn the_wolfe_conditions_hold_on_convex_curves(rate in 0.01_f64..3.0, pull in 0.01_f64..100.0) {
            check(|x| (-rate * x).exp() + pull * x * x / 1e4, |x| -rate * (-rate * x).exp() + 2.0 * pull * x / 1e4);
        }
    }

    #[test]
    fn an_infinite_value_shortens_the_step() {
        let at = |x: f64| Point {
            value: if x > 0.1 { f64::INFINITY } else { -x },
            slope: if x > 0.09 { 1.0 } else { -0.1 },
        };
        assert!(
            step_length(
                Point {
                    value: 0.0,
                    slope: -1.0
                },
                at
            )
            .unwrap()
                <= 0.1
        );
    }

    #[test]
    fn no_progress_is_none() {
        let flat = |_: f64| Point {
            value: 1.0,
            slope: 1.0,
        };
        assert_eq!(
            step_length(
                Point {
                    value: 0.0,
                    slope: -1.0
                },
                flat
            ),
            None
        );
    }
}
