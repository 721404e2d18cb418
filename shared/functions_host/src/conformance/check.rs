//! Collects what is to be said about one line.

use super::{Finding, Verdict};

/// The line that is being checked.
#[derive(Debug)]
pub(super) struct Check {
    line: u8,
    rule: &'static str,
    /// What a line that does not hold is called.
    worst: Verdict,
    problems: Vec<String>,
    remarks: Vec<String>,
}

impl Check {
    pub(super) fn new(line: u8, rule: &'static str) -> Self {
        Self {
            line,
            rule,
            worst: Verdict::Failed,
            problems: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// A line that no deployment trips over.
    pub(super) fn advice(line: u8, rule: &'static str) -> Self {
        Self {
            worst: Verdict::Advised,
            ..Self::new(line, rule)
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
            (self.worst, self.problems)
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
