//! The commands of a release die: approve, promote, rollback, abort, and the report whose alert aborts.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::background::Background;
use super::books::{Books, is_approved};
use super::moment::{Watch, Whole, in_peace};
use super::onwards::the_loop_goes_on;
use super::{Faults, trains_by_hand};
use crate::http;
use crate::machine::{Machine, Said, files, read_json};
use crate::process::Process;
use crate::up::Handler;
use crate::wait::eventually;

const ROWS: usize = 700;
const MORE_ROWS: usize = 100;
const WRITES: [&str; 4] = ["releases", "aborts", "reports", "audit"];
/// Predictions that a window needs before its drift is judged.
const WINDOW: usize = 60;
/// What everybody asks: the same answer to all is what the monitor does not like.
const ONE_SIDED: &str = "coffee birthday movie lunch";

/// What dies. In this order each finds what it needs, or almost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Approve,
    Promote,
    Rollback,
    Abort,
    Monitor,
}

const STEPS: [Step; 5] = [
    Step::Approve,
    Step::Promote,
    Step::Rollback,
    Step::Abort,
    Step::Monitor,
];

#[test]
fn a_release_happens_or_does_not_whenever_its_command_dies() {
    let mut faults = Faults::of("release");
    let machine = Machine::with(&[
        trains_by_hand(),
        // One-sided answers alert, and an alert aborts.
        ("monitor.min_predictions", 50.into()),
        ("monitor.min_baseline", 50.into()),
        ("monitor.retrain_on", toml::Value::Array(vec![])),
        ("monitor.abort_on", vec!["prevalence_shift"].into()),
    ]);
    let mut stage = Stage::new(machine);
    let reader = Background::reader(stage.machine.path("data"));
    let caller = stage.caller();

    let mut whole: HashMap<Step, Whole> = HashMap::new();
    for step in STEPS {
        let command = stage.prepare(step);
        whole.insert(
            step,
            in_peace(stage.watch(), || {
                stage.sluice(&command).expect_success();
            }),
        );
        stage.is_done(step);
    }
    for kill in 0..faults.kills as usize {
        let step = STEPS[kill % STEPS.len()];
        let command = stage.prepare(step);
        println!("to be killed: sluice {}", command.join(" "));
        let moment = faults.moment(&whole[&step]);
        let watch = stage.watch();
        let mut process = Process::start(stage.machine.command(&refer(&command)));
        moment.wait(watch, || process.ended().is_some());
        process.kill();
        stage.books.right_after_a_kill(&stage.machine);
        stage.repeat(step, &command);
        if faults.flip() {
            stage.books.after_recovery(&stage.machine);
        }
    }
    stage.books.after_recovery(&stage.machine);
    assert!(reader.stop() > 0);
    assert!(caller.stop() > 0);
    stage.home();
    stage.handler.process.kill();
    the_loop_goes_on(stage.machine);
}

/// A machine whose first model answers, under a handler that goes on answering.
struct Stage {
    // First, so that the process is gone before its folder is.
    handler: Handler,
    machine: Machine,
    books: Books,
    /// Candidates that were compared with the first model, the newest last.
    candidates: Vec<u64>,
}

impl Stage {
    fn new(machine: Machine) -> Self {
        let mut books = Books::default();
        machine.ingest("rows.csv", books.new_rows("rows.csv", ROWS));
        let first = machine.train();
        assert_eq!(first, 1);
        machine
            .sluice(&["release", "approve", "1", "--promote"])
            .expect_success();
        Self {
            handler: machine.handler(),
            machine,
            books,
            candidates: Vec::new(),
        }
    }

    fn watch(&self) -> Watch {
        Watch::start(&self.machine.path("data"), &WRITES)
    }

    fn sluice(&self, command: &[String]) -> Said {
        self.machine.sluice(&refer(command))
    }

    /// Somebody who asks all the time, and checks who answers.
    fn caller(&self) -> Background {
        let url = format!("{}/api/predict", self.handler.url);
        let data = self.machine.path("data");
        Background::start(move || {
            let answer = http::post(&url, &json!({ "inputs": [ONE_SIDED] }));
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = answer.json();
            let model = &answer["model"];
            assert!(is_approved(&data, model), "nobody approved {answer}");
            let release = answer["release"].as_u64().unwrap();
            let release = read_json(&data.join(format!("releases/{release:06}.json")));
            let named = [&release["champion"], &release["previous"]];
            assert!(named.contains(&model), "{answer} is not of {release}");
            1
        })
    }

    /// Brings the machine to where the step can be made; says its command.
    fn prepare(&mut self, step: Step) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match step {
            Step::Approve => {
                self.home();
                let name = format!("{}.csv", self.candidates.len());
                let csv = self.books.new_rows(&name, MORE_ROWS);
                self.machine.ingest(&name, csv);
                let candidate = self.machine.train();
                self.candidates.push(candidate);
                words(&["release", "approve", &candidate.to_string()])
            }
            Step::Promote => {
                self.home();
                words(&["release", "promote", &self.newest()])
            }
            Step::Rollback => {
                self.away();
                words(&["release", "rollback", "--reason", "it got worse"])
            }
            Step::Abort => {
                self.away();
                words(&["release", "abort", "--reason", "it is broken"])
            }
            Step::Monitor => {
                self.away();
                self.answers_one_sided();
                words(&["report"])
            }
        }
    }

    /// The first model is the champion.
    fn home(&self) {
        while self.champion() != 1 {
            self.machine
                .sluice(&["release", "rollback", "--reason", "for the next step"])
                .expect_success();
        }
    }

    /// The newest candidate is the champion.
    fn away(&self) {
        self.home();
        self.machine
            .sluice(&["release", "promote", &self.newest()])
            .expect_success();
    }

    fn newest(&self) -> String {
        self.candidates.last().unwrap().to_string()
    }

    fn status(&self) -> Value {
        self.machine.json(&["release", "status"])
    }

    /// The champion of the newest release, aborted or not.
    fn champion(&self) -> u64 {
        self.status()["release"]["champion"]["version"]
            .as_u64()
            .unwrap()
    }

    /// The candidate answers, and says the same to everybody: the monitor will see that.
    fn answers_one_sided(&self) {
        let inputs = [ONE_SIDED; WINDOW];
        let id = self.handler.eventually("answers of the candidate", || {
            let answer = self.handler.predict(&inputs).json();
            let version = answer["model"]["version"].to_string();
            (version == self.newest()).then(|| answer["id"].as_str().unwrap().to_owned())
        });
        eventually("the answers in the log", String::new, || {
            let of_it = |record: &Value| record["id"].as_str().unwrap().starts_with(&id);
            (self
                .machine
                .predictions()
                .iter()
                .filter(|r| of_it(r))
                .count()
                == WINDOW)
                .then_some(())
        });
    }

    /// The same command again brings the step to its end, wherever the first one died.
    fn repeat(&self, step: Step, command: &[String]) {
        // To roll back twice is to go back two steps: look before.
        if step == Step::Rollback && self.champion() == 1 {
            return;
        }
        let said = self.sluice(command);
        // The report among the checks may have found the promoted model wanting already.
        let is_aborted = step == Step::Promote && said.stderr.contains("was aborted");
        assert!(said.code == 0 || is_aborted, "{command:?}: {said:?}");
        self.is_done(step);
    }

    fn is_done(&self, step: Step) {
        let status = self.status();
        match step {
            Step::Approve => {
                let approvals = files(&self.machine.blob("releases/approvals"));
                let versions: Vec<String> = approvals
                    .iter()
                    .map(|file| read_json(file)["model"]["version"].to_string())
                    .collect();
                assert!(versions.contains(&self.newest()), "{versions:?}");
            }
            Step::Promote => {
                let champion = &status["release"]["champion"]["version"];
                assert_eq!(champion.to_string(), self.newest(), "{status}");
            }
            Step::Rollback | Step::Abort | Step::Monitor => {
                assert_eq!(status["serving"]["version"], 1, "{status}");
            }
        }
    }
}

fn refer(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
