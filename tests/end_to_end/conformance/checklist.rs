//! The checklist of the contract, and that every line of it has a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Every line in our own words. A test of line 7 is called `line_07_` and what it shows.
const LINES: [(u8, &str); 47] = [
    (
        1,
        "the executable starts in its folder with the inherited environment, five variables and a free port",
    ),
    (2, "without a function there is no handler"),
    (
        3,
        "any answer to GET / within the limit is ready; the limit is 30 s or the app's own",
    ),
    (
        4,
        "invocations wait for a ready handler; after four limits the host stops",
    ),
    (
        5,
        "a crash restarts, the third within 30 minutes stops; 200 restarts uncounted, 0 does not restart",
    ),
    (6, "a stop is SIGKILL and nothing before it"),
    (
        7,
        "standard output is information, standard error a warning or an error",
    ),
    (
        8,
        "a function time-out fails the invocation and kills the handler with all that is in flight",
    ),
    (
        9,
        "functions are the immediate folders with a function.json; wrong ones are reported and skipped",
    ),
    (10, "a wrong host.json refuses to start"),
    (11, "%SETTING% is resolved; an unset one skips its function"),
    (
        12,
        "a blob trigger needs the bundle, and on Flex its source",
    ),
    (
        13,
        "binding names, script files, routes of the host and of functions are checked",
    ),
    (
        14,
        "an envelope goes to POST /{Name} with the host's headers, chunked or with its length",
    ),
    (
        15,
        "scalars and lists are JSON text in a string; objects and dates are not; nulls and trigger keys are absent",
    ),
    (16, "the timer's payload, its status and its absence"),
    (17, "the blob's payload, whatever its bytes and size"),
    (
        18,
        "RetryContext with a policy only, counted from 0; attempts share the invocation's id",
    ),
    (
        19,
        "which answers succeed and fail; an empty one is told at once",
    ),
    (
        20,
        "logs of a success only; declared outputs only; base64-looking text is told",
    ),
    (
        21,
        "the http output: statusCode, never status; unreadable fails; redirects followed",
    ),
    (
        22,
        "only http in and out is forwarded, as it came, with two headers more",
    ),
    (
        23,
        "a forwarded answer is the handler's own, whole, and a success",
    ),
    (24, "a chunked body fails forwarded and streams proxied"),
    (
        25,
        "keys, routes, methods and sizes are checked before the handler",
    ),
    (
        26,
        "NCrontab: the fields, their values and both days at once, in UTC",
    ),
    (
        27,
        "missed, changed and first schedules; failures go on; one run and one instance at a time",
    ),
    (
        28,
        "the Event Grid endpoint; duplicates run twice, deleted blobs not at all",
    ),
    (
        29,
        "a failing blob is tried five times at once and put aside",
    ),
    (
        30,
        "scaling groups run in processes of their own and share nothing",
    ),
    (
        31,
        "the handler listens on the port it is given and exits with a reason when it cannot",
    ),
    (
        32,
        "the handler answers GET / at once, always, without an effect",
    ),
    (
        33,
        "the handler takes envelopes of either framing, either encoding and full size",
    ),
    (
        34,
        "the handler's success is 200 with a JSON object that is not empty",
    ),
    (
        35,
        "a bad blob is a success with a record; a passing fault is a failure with its reason on standard output",
    ),
    (36, "the same blob event twice gives one result"),
    (
        37,
        "retrain and monitor survive a kill at any byte, and run twice without harm",
    ),
    (38, "retrain ends before the function time-out"),
    (39, "long work on the processor does not stop other answers"),
    (40, "logs are lines on standard output without secrets"),
    (
        41,
        "predict keeps its own statuses when forwarded, whatever the caller's host and code",
    ),
    (42, "predict also answers in an envelope"),
    (
        43,
        "unknown functions, wrong methods and malformed envelopes are answered, never a panic",
    ),
    (
        44,
        "nothing is written into the package; temporary files are bounded",
    ),
    (45, "SIGTERM drains and exits"),
    (
        46,
        "the package holds host.json, the executable with its mode, and one folder for each function with a route",
    ),
    (
        47,
        "the deployment's template: runtime, bundle, event subscriptions",
    ),
];

/// Lines without a test, each with the reason.
const NOT_APPLICABLE: &[(u8, &str)] = &[(
    47,
    "the project has no deployment template yet; the bundle's range is checked with host.json",
)];

/// The numbers in the names of the suite's tests, each with one of its places.
fn tested(folder: &Path, found: &mut BTreeMap<u8, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tested(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let names = lines.iter().enumerate().filter_map(|(at, line)| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let name = line.strip_prefix("fn line_")?;
                // What runs is what has the attribute and is not left out.
                let mut attributes = lines[..at]
                    .iter()
                    .rev()
                    .take_while(|line| line.starts_with("#["));
                let runs = attributes.clone().any(|line| line.contains("test"));
                let is_ignored = attributes.any(|line| line.starts_with("#[ignore"));
                (runs && !is_ignored).then_some(name)
            });
            for name in names {
                let number = name.get(..2).and_then(|number| number.parse().ok());
                let number = number.filter(|_| name[2..].starts_with('_'));
                let place = format!("{}: fn line_{name}", path.display());
                let number =
                    number.unwrap_or_else(|| panic!("{place} has no number of two digits"));
                found.insert(number, place);
            }
        }
    }
}

#[test]
fn every_line_has_a_test() {
    let numbers: Vec<u8> = LINES.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=47).collect::<Vec<_>>());
    let mut found = BTreeMap::new();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/conformance");
    tested(&suite, &mut found);
    let excused: BTreeSet<u8> = NOT_APPLICABLE.iter().map(|(number, _)| *number).collect();
    let mut wrong = Vec::new();
    for (number, place) in &found {
        if !numbers.contains(number) {
            wrong.push(format!("{number} is no line of the checklist: {place}"));
        }
    }
    for (number, line) in LINES {
        match (found.get(&number), excused.contains(&number)) {
            (None, false) => wrong.push(format!("line {number} has no test: {line}")),
            (Some(place), true) => {
                wrong.push(format!("line {number} is excused and tested: {place}"))
            }
            _ => {}
        }
    }
    let reasonless = NOT_APPLICABLE
        .iter()
        .filter(|(_, reason)| reason.is_empty());
    wrong
        .extend(reasonless.map(|(number, _)| format!("line {number} is excused without a reason")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
