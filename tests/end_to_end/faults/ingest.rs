//! A handler that dies during ingest: alone, where the moment can be aimed, and under the host, which goes on with the event.

use std::thread;

use super::background::Background;
use super::books::Books;
use super::moment::{Moment, Watch, Whole, in_peace};
use super::onwards::the_loop_goes_on;
use super::{Faults, trains_by_hand};
use crate::crashes::announce;
use crate::machine::Machine;
use crate::process::end;
use crate::up::Up;

const FIRST_ROWS: usize = 700;
const ROWS: usize = 150;
const WRITES: [&str; 3] = ["datasets", "quarantine", "audit"];

#[test]
fn a_handler_killed_during_ingest_loses_no_upload_and_takes_none_twice() {
    let mut faults = Faults::of("ingest");
    let mut machine = Machine::with(&[trains_by_hand()]);
    let reader = Background::reader(machine.path("data"));
    let mut books = Books::default();
    // A run that was recorded and never submitted waits two minutes for its dead starter: the first rows of all start
    // one, so they come before the kills.
    machine.ingest("first.csv", books.new_rows("first.csv", FIRST_ROWS));
    machine.train();

    let alone = alone_in_peace(&machine, &mut books);
    let up = machine.up();
    let csv = books.new_rows("host.csv", ROWS);
    let hosted = in_peace(watch(&up), || {
        up.upload("host.csv", csv);
        is_taken(&up, "host.csv");
    });
    machine = up.kill();

    for kill in 1..=faults.kills {
        let name = format!("{kill}.csv");
        let csv = books.new_rows(&name, ROWS);
        if faults.flip() {
            kill_alone(&machine, &name, csv, faults.moment(&alone));
            books.right_after_a_kill(&machine);
        } else {
            let up = machine.up();
            kill_under_the_host(&up, &name, csv, faults.moment(&hosted));
            books.right_after_a_kill(&up);
            is_taken(&up, &name);
            machine = up.kill();
        }
        if faults.flip() {
            books.after_recovery(&machine);
        }
    }
    books.after_recovery(&machine);
    assert!(reader.stop() > 0);
    the_loop_goes_on(machine);
}

fn watch(machine: &Machine) -> Watch {
    Watch::start(&machine.path("data"), &WRITES)
}

fn alone_in_peace(machine: &Machine, books: &mut Books) -> Whole {
    machine.upload("alone.csv", books.new_rows("alone.csv", ROWS));
    let handler = machine.handler();
    let whole = in_peace(watch(machine), || {
        let answer = announce(&handler.url, "alone.csv").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    });
    handler.process.kill();
    whole
}

fn kill_alone(machine: &Machine, name: &str, csv: String, moment: Moment) {
    machine.upload(name, csv);
    let handler = machine.handler();
    let (watch, url, name) = (watch(machine), handler.url.clone(), name.to_owned());
    let event = thread::spawn(move || announce(&url, &name));
    moment.wait(watch, || event.is_finished());
    handler.process.kill();
    // An answer, or a broken connection: both are right.
    drop(event.join().unwrap());
}

fn kill_under_the_host(up: &Up, name: &str, csv: String, moment: Moment) {
    let (handler, watch) = (up.handler_pid(), watch(up));
    up.upload(name, csv);
    moment.wait(watch, || taken(up, name));
    end(handler);
}

/// Waits until the host's handler has taken an upload.
fn is_taken(up: &Up, name: &str) {
    up.eventually(&format!("{name} in the dataset"), || {
        taken(up, name).then_some(())
    });
}

fn taken(machine: &Machine, name: &str) -> bool {
    let dataset = machine.dataset();
    let mut uploads = dataset["uploads"].as_array().into_iter().flatten();
    uploads.any(|upload| upload["name"] == format!("messages/{name}"))
}
