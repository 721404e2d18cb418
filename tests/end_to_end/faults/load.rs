//! A handler that dies while callers ask and send labels back.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hyper::Method;
use serde_json::{Value, json};

use super::background::Background;
use super::books::Books;
use super::moment::{Watch, in_peace};
use super::onwards::the_loop_goes_on;
use super::{Faults, trains_by_hand};
use crate::http::{self, Answer};
use crate::machine::{Machine, files, json_lines};
use crate::up::Handler;

const ROWS: usize = 700;
const WRITES: [&str; 2] = ["predictions", "feedback"];
const CALLERS: usize = 3;
/// Requests of one caller in the life of one handler.
const TURNS: usize = 25;

/// What a caller knows, in the order in which it came to know it.
#[derive(Debug)]
enum Heard {
    /// The answer to a request with these predictions.
    Answer(Vec<String>),
    /// A label was sent for this prediction, and no answer came.
    Nothing(String),
    /// A label for this prediction was acknowledged.
    Acknowledgement(String),
}

#[test]
fn a_handler_killed_under_load_keeps_every_label_and_all_but_the_end_of_its_log() {
    let mut faults = Faults::of("load");
    let machine = Machine::with(&[trains_by_hand()]);
    let mut books = Books::default();
    machine.ingest("rows.csv", books.new_rows("rows.csv", ROWS));
    machine.train();
    machine
        .sluice(&["release", "approve", "1", "--promote"])
        .expect_success();
    let reader = Background::reader(machine.path("data"));
    let watch = || Watch::start(&machine.path("data"), &WRITES);

    let mut heard: Vec<Vec<Heard>> = Vec::new();
    let handler = machine.handler();
    let whole = in_peace(watch(), || heard.extend(every_caller(&handler)));
    handler.process.kill();
    let acknowledged = |heard: &Heard| matches!(heard, Heard::Acknowledgement(_));
    assert!(heard.iter().flatten().any(acknowledged), "{heard:?}");

    for _ in 0..faults.kills {
        let handler = machine.handler();
        let (moment, watch, over) = (faults.moment(&whole), watch(), AtomicBool::new(false));
        thread::scope(|scope| {
            let callers = scope.spawn(|| {
                let heard = every_caller(&handler);
                over.store(true, Ordering::Relaxed);
                heard
            });
            moment.wait(watch, || over.load(Ordering::Relaxed));
            handler.process.signal(rustix::process::Signal::KILL);
            heard.extend(callers.join().unwrap());
        });
        handler.process.kill();
        books.right_after_a_kill(&machine);
        everything_heard_is_kept(&machine, &heard);
        if faults.flip() {
            books.after_recovery(&machine);
            labels_are_rows(&machine);
        }
    }
    books.after_recovery(&machine);
    labels_are_rows(&machine);
    everything_heard_is_kept(&machine, &heard);
    assert!(reader.stop() > 0);
    the_loop_goes_on(machine);
}

/// What the callers of one handler heard until its end, or theirs.
fn every_caller(handler: &Handler) -> Vec<Vec<Heard>> {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| call(&handler.url)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    })
}

fn call(url: &str) -> Vec<Heard> {
    // No two texts alike: as rows they would be repeats.
    static TEXTS: AtomicUsize = AtomicUsize::new(0);
    let mut heard = Vec::new();
    for turn in 0..TURNS {
        let text = TEXTS.fetch_add(1, Ordering::Relaxed);
        let inputs =
            json!({ "inputs": [format!("the levee collapsed l{text}"), "a kitten on the sofa"] });
        let Some(answer) = post(&format!("{url}/api/predict"), &inputs) else {
            break;
        };
        let answer = answer.json();
        let predictions = answer["predictions"].as_array().unwrap().iter();
        let ids: Vec<String> = predictions
            .map(|prediction| prediction["id"].as_str().unwrap().to_owned())
            .collect();
        let labelled = (turn % 3 == 0).then(|| ids[0].clone());
        heard.push(Heard::Answer(ids));
        let Some(id) = labelled else { continue };
        let label = json!({ "id": &id, "label": "disaster" });
        if post(&format!("{url}/api/feedback"), &label).is_none() {
            heard.push(Heard::Nothing(id));
            break;
        }
        heard.push(Heard::Acknowledgement(id));
    }
    heard
}

/// Nothing when the handler died meanwhile.
fn post(url: &str, body: &Value) -> Option<Answer> {
    let request = http::request(Method::POST, url, "application/json", body.to_string());
    let answer = http::try_send(request).ok()?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Some(answer)
}

/// Every acknowledged label is there once. Of the predictions of a handler only the last may be missing: those after
/// which nothing was written any more, neither a later prediction nor a label.
fn everything_heard_is_kept(machine: &Machine, heard: &[Vec<Heard>]) {
    let logged: HashSet<String> = machine
        .predictions()
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    let labels = labels(machine);
    for caller in heard {
        let mut later_is_written = false;
        for heard in caller.iter().rev() {
            match heard {
                Heard::Answer(ids) => {
                    let there = ids.iter().filter(|id| logged.contains(*id)).count();
                    assert!(
                        there == ids.len() || there == 0,
                        "half of a request: {ids:?}"
                    );
                    assert!(
                        there > 0 || !later_is_written,
                        "{ids:?} is lost, and what was answered later is not"
                    );
                    later_is_written |= there > 0;
                }
                Heard::Acknowledgement(id) => {
                    assert_eq!(labels.get(id), Some(&1), "the label of {id}");
                    later_is_written = true;
                }
                Heard::Nothing(id) => {
                    let kept = labels.get(id).copied().unwrap_or(0);
                    assert!(kept <= 1, "the label of {id} is there {kept} times");
                }
            }
        }
    }
}

/// How often each prediction has its label in the feedback log.
fn labels(machine: &Machine) -> HashMap<String, usize> {
    let mut logs = files(&machine.blob("feedback"));
    logs.retain(|file| !file.starts_with(machine.blob("feedback/rows")));
    let mut labels = HashMap::new();
    for record in logs.iter().flat_map(|log| json_lines(log)) {
        let id = record["id"].as_str().unwrap().to_owned();
        *labels.entry(id).or_default() += 1;
    }
    labels
}

/// Every label that came back is a row of the dataset, once.
fn labels_are_rows(machine: &Machine) {
    let dataset = machine.dataset();
    let uploads = dataset["uploads"].as_array().unwrap().iter();
    let of_feedback =
        uploads.filter(|upload| upload["name"].as_str().unwrap().starts_with("feedback/"));
    let rows: u64 = of_feedback
        .map(|upload| upload["accepted"].as_u64().unwrap())
        .sum();
    assert_eq!(rows, labels(machine).len() as u64, "{dataset}");
}
