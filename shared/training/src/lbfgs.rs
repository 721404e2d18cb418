//! The limited-memory BFGS direction.
//!
//! Nocedal & Wright, *Numerical Optimization*, 2nd edition, algorithm 7.4 (two-loop recursion), with a diagonal initial
//! matrix scaled by equation 7.20. Sums run over fixed pieces in a fixed order: the result does not depend on the
//! number of threads.

use std::collections::VecDeque;

use rayon::prelude::*;

/// Numbers of a vector that one thread handles at a time.
const PIECE: usize = 16 * 1024;

/// A step is remembered when its curvature `s·y` is above this share of `y·y`; below it is noise of rounding.
const LEAST_CURVATURE: f64 = 1e-14;

/// The last steps of a minimisation, and the approximate inverse Hessian that they imply.
#[derive(Debug)]
pub(crate) struct History {
    capacity: usize,
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct Step {
    /// Change of the position, and of the gradient.
    s: Vec<f64>,
    y: Vec<f64>,
    /// 1 / (s·y).
    rho: f64,
}

impl History {
    /// Remembers up to `capacity` steps.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            steps: VecDeque::with_capacity(capacity),
        }
    }

    /// Forgets all steps: the next direction is plain scaled descent.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Whether no step is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Remembers a step of `length` along `direction` that changed the gradient from `before` to `after`.
    pub(crate) fn push(&mut self, direction: &[f64], length: f64, before: &[f64], after: &[f64]) {
        let mut step = if self.steps.len() == self.capacity {
            self.steps.pop_front()
        } else {
            None
        }
        .unwrap_or_else(|| Step {
            s: vec![0.0; direction.len()],
            y: vec![0.0; direction.len()],
            rho: 0.0,
        });
        let pieces: Vec<(f64, f64)> = step
            .s
            .par_chunks_mut(PIECE)
            .zip(step.y.par_chunks_mut(PIECE))
            .zip(direction.par_chunks(PIECE))
            .zip(before.par_chunks(PIECE).zip(after.par_chunks(PIECE)))
            .map(|(((s, y), direction), (before, after))| {
                let (mut sy, mut yy) = (0.0, 0.0);
                for i in 0..s.len() {
                    s[i] = length * direction[i];
                    y[i] = after[i] - before[i];
                    sy += s[i] * y[i];
                    yy += y[i] * y[i];
                }
                (sy, yy)
            })
            .collect();
        let (sy, yy) = pieces
            .iter()
            .fold((0.0, 0.0), |sum, piece| (sum.0 + piece.0, sum.1 + piece.1));
        if sy > LEAST_CURVATURE * yy {
            step.rho = 1.0 / sy;
            self.steps.push_back(step);
        }
    }

    /// Writes the direction of descent at `gradient` into `direction`: minus the approximate inverse Hessian times the
    /// gradient. `inverse_diagonal` is the inverse of a diagonal that resembles the Hessian; all of it is positive.
    pub(crate) fn direction(
        &self,
        gradient: &[f64],
        inverse_diagonal: &[f64],
        direction: &mut [f64],
    ) {
        for_each_piece(direction, gradient, |out, gradient| {
            for (out, gradient) in out.iter_mut().zip(gradient) {
                *out = -gradient;
            }
        });
        let mut alphas = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter().rev() {
            let alpha = step.rho * dot(&step.s, direction);
            add(direction, -alpha, &step.y);
            alphas.push(alpha);
        }
        let scale = self.steps.back().map_or(1.0, |step| {
            1.0 / (step.rho * dot3(&step.y, &step.y, inverse_diagonal))
        });
        for_each_piece(direction, inverse_diagonal, |out, inverse| {
            for (out, inverse) in out.iter_mut().zip(inverse) {
                *out *= scale * inverse;
            }
        });
        for (step, alpha) in self.steps.iter().zip(alphas.into_iter().rev()) {
            let beta = step.rho * dot(&step.y, direction);
            add(direction, alpha - beta, &step.s);
        }
    }
}

fn for_each_piece(out: &mut [f64], other: &[f64], each: impl Fn(&mut [f64], &[f64]) + Sync) {
    out.par_chunks_mut(PIECE)
        .zip(other.par_chunks(PIECE))
        .for_each(|(out, other)| each(out, other));
}

/// `a·b`.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let pieces: Vec<f64> = a
        .par_chunks(PIECE)
        .zip(b.par_chunks(PIECE))
        .map(|(a, b)| dot_piece(a, b))
        .collect();
    pieces.iter().sum()
}

/// Eight sums side by side: the compiler may not reorder a single one, and would use no vector instructions.
fn dot_piece(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `Σ a b c`.
fn dot3(a: &[f64], b: &[f64], c: &[f64]) -> f64 {
    let pieces: Vec<f64> = a
        .par_chunks(PIECE)
        .zip(b.par_chunks(PIECE))
        .zip(c.par_chunks(PIECE))
        .map(|((a, b), c)| {
            a.iter()
                .zip(b)
                .zip(c)
                .map(|((a, b), c)| a * b * c)
                .sum::<f64>()
        })
        .collect();
    pieces.iter().sum()
}

/// `out += factor * other`.
pub(crate) fn add(out: &mut [f64], factor: f64, other: &[f64]) {
    for_each_piece(out, other, |out, other| {
        for (out, other) in out.iter_mut().zip(other) {
            *out += factor * other;
        }
    });
}

/// `‖a‖₂`.
pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `Σ curvature (x - target)² / 2`, minimised with exact steps.
    fn minimise(
        curvature: &[f64],
        target: &[f64],
        inverse_diagonal: &[f64],
        iterations: usize,
    ) -> Vec<f64> {
        let gradient_at = |x: &[f64]| -> Vec<f64> {
            x.iter()
                .zip(curvature.iter().zip(target))
                .map(|(x, (c, t))| c * (x - t))
                .collect()
        };
        let mut x = vec![0.0; target.len()];
        let mut direction = x.clone();
        let mut gradient = gradient_at(&x);
        let mut history = History::new(target.len());
        for _ in 0..iterations {
            if norm(&gradient) < 1e-13 {
                break;
            }
            history.direction(&gradient, inverse_diagonal, &mut direction);
            assert!(dot(&gradient, &direction) < 0.0, "no direction of descent");
            let bend: f64 = direction
                .iter()
                .zip(curvature)
                .map(|(d, c)| c * d * d)
                .sum();
            let length = -dot(&gradient, &direction) / bend;
            add(&mut x, length, &direction);
            let next = gradient_at(&x);
            history.push(&direction, length, &gradient, &next);
            gradient = next;
        }
        x
    }

    proptest! {
        /// With exact steps and enough memory, a parabola in n dimensions takes n steps (Nocedal & Wright, theorem 6.4).
        #[test]
        fn parabolas_take_as_many_steps_as_dimensions(
            axes in prop::collection::vec((0.1_f64..10.0, -5.0_f64..5.0, 0.2_f64..5.0), 1..7)
        ) {
            let curvature: Vec<f64> = axes.iter().map(|axis| axis.0).collect();
            let target: Vec<f64> = axes.iter().map(|axis| axis.1).collect();
            let diagonal: Vec<f64> = axes.iter().map(|axis| axis.2).collect();
            for (x, target) in minimise(&curvature, &target, &diagonal, axes.len()).iter().zip(&target) {
                prop_assert!((x - target).abs() < 1e-6, "{x} is not {target}");
            }
        }
    }

    #[test]
    fn the_right_diagonal_needs_one_step() {
        let (curvature, target) = ([1e-3, 1.0, 1e4], [3.0, -2.0, 1.0]);
        let inverse = curvature.map(|c| 1.0 / c);
        for (x, target) in minimise(&curvature, &target, &inverse, 1)
            .iter()
            .zip(target)
        {
            assert!((x - target).abs() < 1e-9);
        }
    }

    #[test]
    fn steps_without_curvature_are_forgotten() {
        let mut history = History::new(2);
        history.push(&[1.0, 0.0], 1.0, &[1.0, 1.0], &[1.0, 1.0]);
        history.push(&[1.0, 0.0], 1.0, &[1.0, 1.0], &[0.0, 1.0]);
        assert!(history.is_empty());
        history.push(&[1.0, 0.0], 1.0, &[1.0, 1.0], &[2.0, 1.0]);
        assert!(!history.is_empty());
    }

    #[test]
    fn sums_do_not_depend_on_the_threads() {
        let a: Vec<f64> = (0..100_000).map(|i| f64::from(i).sin() * 1e3).collect();
        let b: Vec<f64> = (0..100_000).map(|i| f64::from(i).cos()).collect();
        let on = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| dot(&a, &b))
        };
        assert_eq!(on(1).to_bits(), on(3).to_bits());
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((on(1) - plain).abs() < 1e-6);
    }
}
