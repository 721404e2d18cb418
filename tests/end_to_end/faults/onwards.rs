//! After all the kills the loop goes on as if nothing had been.

use crate::machine::Machine;
use crate::rows;

/// A new upload is ingested, a retrain gives a candidate, it is released and answers.
pub(super) fn the_loop_goes_on(machine: Machine) {
    let up = machine.up();
    let before = up.dataset()["version"].as_u64().unwrap_or(0);
    up.upload("afterwards.csv", rows::csv(u64::MAX, 700));
    up.eventually("the new rows in the dataset", || {
        (up.dataset()["version"] == before + 1).then_some(())
    });
    // A run that the new rows, or the first rows of all, started by themselves comes first.
    let run = up.eventually("a run of the new rows", || {
        let started = up.json(&["retrain"]);
        (started["outcome"] == "started").then(|| started["run"].clone())
    });
    assert_eq!(run["dataset"]["version"], before + 1, "{run}");
    let version = run["model_version"].as_u64().unwrap();
    up.candidate(version);
    up.release(version);
}
