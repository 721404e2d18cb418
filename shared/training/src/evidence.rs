//! The evidence for a verdict: `evidence.json`, and the page that people read.

mod page;

use serde::{Deserialize, Serialize};
use sluice_registry::{Digest, GateSummary, ModelRef, SplitCounts, TrainingSummary};

use crate::calibrate::Calibration;
use crate::evaluate::Evaluation;
use crate::gate::{
    BehaviourResult, Comparison, GateConfig, Latency, MajorityBaseline, Parity, Provenance,
    RuleResult, SliceComparison,
};

/// Everything that a verdict rests on. It holds numbers and names, and no text of any row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The format of this document: 1.
    pub format: u32,
    /// Whether every rule holds.
    pub passed: bool,
    /// The model that was judged.
    pub candidate: ModelRef,
    /// The model that it was compared with.
    pub champion: Option<ModelRef>,
    /// The metric that decides: `macro_f1`, `f1:{label}`…
    pub metric: String,
    /// Every rule and what it says.
    pub rules: Vec<RuleResult>,
    /// Candidate against champion, when there is one.
    pub comparison: Option<Comparison>,
    /// What the simplest answer would be worth.
    pub baseline: MajorityBaseline,
    /// Each slice of the test rows.
    pub slices: Vec<SliceComparison>,
    /// What changes of the text did.
    pub behaviour: Vec<BehaviourResult>,
    /// Whether the file says what the trainer says.
    pub parity: Parity,
    /// How long the candidate takes for one text.
    pub latency: Latency,
    /// The size of its file.
    pub size_bytes: u64,
    /// How good the candidate is on the test rows.
    pub evaluation: Evaluation,
    /// How good the champion is on the same rows.
    pub champion_evaluation: Option<Evaluation>,
    /// The candidate's confidence.
    pub calibration: Calibration,
    /// How the candidate was fitted.
    pub training: TrainingSummary,
    /// What it was made from and with.
    pub provenance: Provenance,
    /// Rows on each side of the split.
    pub rows: SplitCounts,
    /// The rules' thresholds.
    pub config: GateConfig,
}

impl Evidence {
    /// One sentence for each rule that failed: which, and by how much.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = self.rules.iter().filter(|rule| !rule.passed);
        failed
            .map(|rule| format!("{}: {}", rule.rule, rule.detail))
            .collect()
    }

    /// What the model card says. `evidence` is the digest of this document as it is stored.
    #[must_use]
    pub fn summary(&self, evidence: Digest) -> GateSummary {
        GateSummary {
            passed: self.passed,
            champion: self.champion.clone(),
            failures: self.failures(),
            evidence,
        }
    }

    /// A page for people, in Markdown with tables. The same evidence gives the same page.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        page::render(self)
    }
}
