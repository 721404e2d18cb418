//! Schedules of timers: the next occurrence is after its base, is the first one, and is found in time.

#![no_main]

use jiff::ToSpan as _;
use jiff::civil::{DateTime, date};
use libfuzzer_sys::fuzz_target;
use sluice_functions_host::NCrontab;

fuzz_target!(|text: &str| {
    let Ok(schedule) = NCrontab::parse(text) else {
        return;
    };
    let respaced = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(NCrontab::parse(&respaced).as_ref(), Ok(&schedule));
    for base in [
        date(2026, 11, 20).at(22, 5, 21, 500_000_000),
        date(2024, 2, 29).at(23, 59, 59, 999_999_999),
        date(2095, 12, 31).at(0, 0, 0, 0),
        DateTime::MIN,
        DateTime::MAX,
    ] {
        let Some(next) = schedule.next_after(base) else {
            continue;
        };
        assert!(next > base, "{next} is not after {base}");
        assert_eq!(next.subsec_nanosecond(), 0);
        // From just before it, it is still the next one.
        let just_before = next
            .checked_sub(1.nanosecond())
            .expect("it is after its base");
        assert_eq!(schedule.next_after(just_before.max(base)), Some(next));
        if let Some(following) = schedule.next_after(next) {
            assert!(following > next, "{following} is not after {next}");
        }
    }
});
