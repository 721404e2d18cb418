//! Waiting: look again and again, give up late, and say what was printed meanwhile.

use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(25);

/// Looks until there is something; what `said` returns is in the message when it never comes.
pub(crate) fn eventually<T>(
    what: &str,
    said: impl Fn() -> String,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        if begun.elapsed() > PATIENCE {
            panic!("waited for this in vain: {what}\n{}", said());
        }
        thread::sleep(PAUSE);
    }
}
