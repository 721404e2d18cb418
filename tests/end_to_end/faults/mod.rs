//! Fault runs: processes of the loop die by SIGKILL at random moments, again and again, and nothing that was promised to
//! anybody is lost, taken twice or half-written.
//!
//! Four kinds, each over a machine of its own: a handler during ingest, whoever collects a training run, the commands of a
//! release, a handler under load. Half of the kills come after a random part of the time that the work takes when
//! nobody disturbs it, the other half right after one of the files that it writes has appeared: between two writes is
//! where the faults are. Whatever the moment, the same must hold ([`books`]); after about half of the kills nothing is
//! repaired before the next one comes.
//!
//! A usual run has 20 kills, five of each kind. Many more:
//!
//! ```sh
//! SLUICE_FAULT_RUNS=200 cargo test --test end_to_end faults::
//! ```
//!
//! A failed run prints its seed. `SLUICE_FAULT_RUNS=… SLUICE_FAULT_SEED=… cargo test --test end_to_end faults::` aims in
//! the same way again; what the scheduler of the machine does in between is its own.

mod background;
mod beside_the_host;
mod books;
mod ingest;
mod load;
mod moment;
mod onwards;
mod releases;
mod training;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use toml::Value;

use moment::{Moment, Whole};

/// Kills of all kinds together, unless `SLUICE_FAULT_RUNS` says otherwise.
const RUNS: u64 = 20;
const KINDS: [&str; 4] = ["ingest", "training", "release", "load"];

/// The kills of one kind: how many, and when.
struct Faults {
    random: StdRng,
    kills: u64,
}

impl Faults {
    fn of(kind: &str) -> Self {
        let place = KINDS.iter().position(|known| *known == kind).unwrap() as u64;
        let runs = number("SLUICE_FAULT_RUNS").unwrap_or(RUNS);
        let seed = seed();
        println!("fault runs, {kind}: SLUICE_FAULT_RUNS={runs} SLUICE_FAULT_SEED={seed}");
        Self {
            random: StdRng::seed_from_u64(seed ^ (place << 32)),
            // What four does not divide goes to the first kinds.
            kills: runs / 4 + u64::from(place < runs % 4),
        }
    }

    /// The moment of a kill in work that is so long.
    fn moment(&mut self, whole: &Whole) -> Moment {
        let moment = if whole.writes == 0 || self.flip() {
            Moment::After(whole.took.mul_f64(self.random.random_range(0.0..1.2)))
        } else {
            Moment::Write(self.random.random_range(1..=whole.writes))
        };
        println!("a kill {moment:?} of {whole:?}");
        moment
    }

    /// One of two.
    fn flip(&mut self) -> bool {
        self.random.random_bool(0.5)
    }
}

/// As the environment says, or another one each time, the same for all kinds.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        number("SLUICE_FAULT_SEED").unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            since.as_secs()
        })
    })
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is {value:?}: expected a whole number")))
}

/// Training starts when the test says so, not by every upload.
fn trains_by_hand() -> (&'static str, Value) {
    ("retrain.min_new_rows", Value::from(1_000_000))
}
