//! Progress bars for a person at a terminal; nothing at all for everybody else.

use indicatif::{ProgressBar, ProgressStyle};
use sluice_training::{Progress, Stage};

use super::output;

/// One bar that shows the stage that is going.
pub(super) struct Bars(Option<ProgressBar>);

impl Bars {
    pub(super) fn new() -> Self {
        if !output::is_terminal() {
            return Self(None);
        }
        let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {pos}/{len} {elapsed}");
        let bar = ProgressBar::new(0);
        Self(Some(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }))
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn update(&self, stage: Stage, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_message(stage.to_string());
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}
