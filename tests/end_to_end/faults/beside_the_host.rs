//! Two writers of the same upload: the command, and the host that sees the file appear.

use super::books::Books;
use super::trains_by_hand;
use crate::machine::Machine;
use crate::process::Process;
use crate::wait::eventually;

const ROUNDS: u64 = 20;
const ROWS: usize = 60;

#[test]
fn an_ingest_beside_the_host_never_fails_and_takes_the_rows_once() {
    let up = Machine::with(&[trains_by_hand()]).up();
    let mut books = Books::default();
    for round in 1..=ROUNDS {
        let name = format!("{round}.csv");
        std::fs::write(up.path(&name), books.new_rows(&name, ROWS)).unwrap();
        // Two people with the same file in every other round: each replaces what the other put there.
        let people = 1 + round % 2;
        let mut commands: Vec<Process> = (0..people)
            .map(|_| Process::start(up.command(&["ingest", &name])))
            .collect();
        for command in &mut commands {
            let status = eventually("the end of an ingest", String::new, || command.ended());
            assert!(status.success(), "round {round}: {}", command.output());
        }
        assert_eq!(up.dataset()["rows"], round * ROWS as u64);
    }
    books.after_recovery(&up);
    assert!(
        !up.process.output().contains("failed"),
        "{}",
        up.process.output()
    );
}
