//! A handler that is told to stop writes what it still holds.

use std::collections::BTreeSet;
use std::thread;

use rustix::process::Signal;

use crate::machine::Machine;
use crate::wait::eventually;

#[test]
fn every_answered_id_is_in_the_log_after_a_clean_stop() {
    // Nothing but the stop writes the log in time.
    let machine = Machine::released(&[("predict.log_interval_ms", 60_000.into())]);
    let mut handler = machine.handler();
    let answered: BTreeSet<String> = thread::scope(|scope| {
        let client = || {
            let answers = (0..50).map(|_| handler.predict(&["trapped in the storm", "a kitten"]));
            answers
                .flat_map(|answer| ids(&answer.json()))
                .collect::<Vec<_>>()
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    assert_eq!(answered.len(), 400);
    assert!(
        machine.predictions().is_empty(),
        "the log was written before: this test shows nothing"
    );

    handler.process.signal(Signal::TERM);
    let status = eventually("the end of the handler", String::new, || {
        handler.process.ended()
    });
    assert!(status.success(), "{status}: {}", handler.process.output());
    let logged: BTreeSet<String> = machine
        .predictions()
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(logged, answered);
}

fn ids(answer: &serde_json::Value) -> Vec<String> {
    let predictions = answer["predictions"].as_array().unwrap();
    predictions
        .iter()
        .map(|prediction| prediction["id"].as_str().unwrap().to_owned())
        .collect()
}
