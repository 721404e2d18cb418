//! Collects what is to be said about one line.

use super::{Finding, Verdict};

/// The line that is being checked.
#[derive(Debug)]
pub(super) struct Check {
    line: u8,
    rule: &'static str,
    problems: Vec<String>,
    remarks: Vec<String>,
}

impl Check {
    pub(super) fn new(line: u8, rule: &'static str) -> Self {
        Self {
            line,
            rule,
            problems: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Something that is wrong.
    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Something worth saying that is not wrong.
    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Takes over the problem of a result.
    pub(super) fn expect(&mut self, what: &str, result: Result<(), String>) {
        if let Err(problem) = result {
            self.problem(format!("{what}: {problem}"));
        }
    }

    pub(super) fn done(self) -> Finding {
        let (verdict, notes) = if self.problems.is_empty() {
            (Verdict::Passed, self.remarks)
        } else {
            (Verdict::Failed, self.problems)
        };
        Finding {
            line: self.line,
            rule: self.rule,
            verdict,
            notes,
        }
    }

    /// The line could not be tried.
    pub(super) fn skipped(line: u8, rule: &'static str, reason: &str) -> Finding {
        Finding {
            line,
            rule,
            verdict: Verdict::Skipped,
            notes: vec![reason.to_owned()],
        }
    }
}

impl Finding {
    /// Turns the finding into a failure.
    pub(super) fn fail(&mut self, problem: String) {
        if self.verdict != Verdict::Failed {
            self.verdict = Verdict::Failed;
            self.notes.clear();
        }
        self.notes.push(problem);
    }
}
