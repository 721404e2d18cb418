//! Labelled rows that a small model can learn: no two alike, and a few labels wrong, as people's labels are.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// The header of an upload for the shipped `sluice.toml`.
pub(crate) const HEADER: &str = "created_at,tweet_id,event,label,text";

const EVENTS: [&str; 3] = ["flood", "wildfire", "storm"];
const DISASTER: [&str; 12] = [
    "flooded",
    "evacuated",
    "rescue",
    "collapsed",
    "wildfire",
    "shelter",
    "damage",
    "victims",
    "emergency",
    "trapped",
    "levee",
    "outage",
];
const OTHER: [&str; 12] = [
    "coffee", "birthday", "match", "movie", "lunch", "guitar", "homework", "holiday", "concert",
    "sofa", "recipe", "kitten",
];
const EITHER: [&str; 16] = [
    "today", "the", "we", "near", "street", "again", "people", "monday", "city", "please", "still",
    "never", "school", "morning", "late", "river",
];
const WRONG_LABELS_PER_1000: u32 = 20;

/// `rows` rows as CSV with a header. Another seed gives rows that are all different from these.
pub(crate) fn csv(seed: u64, rows: usize) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut csv = format!("{HEADER}\n");
    let mut at: Timestamp = "2024-03-01T00:00:00Z".parse().unwrap();
    for row in 0..rows {
        at += SignedDuration::from_secs(60);
        let disaster = random.random_ratio(9, 20);
        let label = disaster != random.random_ratio(WRONG_LABELS_PER_1000, 1000);
        writeln!(
            csv,
            "{at},s{seed}-{row},{},{},{}",
            EVENTS[row % EVENTS.len()],
            u8::from(label),
            text(disaster, seed, row, &mut random)
        )
        .unwrap();
    }
    csv
}

fn text(disaster: bool, seed: u64, row: usize, random: &mut StdRng) -> String {
    let own = if disaster { &DISASTER } else { &OTHER };
    let mut words: Vec<&str> = (0..3).filter_map(|_| own.choose(random).copied()).collect();
    words.extend((0..4).filter_map(|_| EITHER.choose(random).copied()));
    format!("{} s{seed}n{row}", words.join(" "))
}
