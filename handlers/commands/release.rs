//! `sluice release …`: what serves, and the way a candidate gets there.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use sluice_registry::{
    Abort, Approval, Challenger, ChallengerMode, Digest, ModelCard, ModelRef, Proposal, Release,
};

use super::output;
use crate::context::Context;

/// The steps of a release.
#[derive(Debug, Subcommand)]
pub(super) enum ReleaseCommand {
    /// Propose a model that passed its gate (finished runs do it by themselves).
    Propose(Who),
    /// Approve exactly this model, after reading its evidence.
    Approve(Approve),
    /// Let an approved model answer.
    Promote(Step),
    /// Let the champion before answer again.
    Rollback(Back),
    /// Fall back from the release in force at once; the monitor may do this, too.
    Abort(Back),
    /// Let an approved model take part beside the champion, or end that.
    Challenger(SetChallenger),
    /// What serves, what waits for approval.
    Status,
}

/// A model and who acts.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// The model: its version, or its digest.
    model: String,
    /// Who acts [default: the user of this machine].
    #[arg(long)]
    by: Option<String>,
}

/// An approval.
#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    who: Who,
    /// What the approver wants to say.
    #[arg(long)]
    comment: Option<String>,
    /// Promote it as well.
    #[arg(long)]
    promote: bool,
}

/// A model, who acts, and why.
#[derive(Debug, Args)]
pub(super) struct Step {
    #[command(flatten)]
    who: Who,
    /// Why.
    #[arg(long, default_value = "promote")]
    reason: String,
}

/// Who goes back, and why.
#[derive(Debug, Args)]
pub(super) struct Back {
    /// Who acts [default: the user of this machine].
    #[arg(long)]
    by: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// A challenger.
#[derive(Debug, Args)]
pub(super) struct SetChallenger {
    /// The model: its version, or its digest; leave it out to end the challenge.
    model: Option<String>,
    /// shadow (only the log sees it) or canary (it answers its share).
    #[arg(long, value_parser = ["shadow", "canary"], default_value = "shadow")]
    mode: String,
    /// Its share of the requests, 0 to 1.
    #[arg(long, default_value_t = 0.1)]
    weight: f64,
    /// Who acts [default: the user of this machine].
    #[arg(long)]
    by: Option<String>,
    /// Why.
    #[arg(long, default_value = "challenger")]
    reason: String,
}

/// What serves and what waits.
#[derive(Serialize)]
struct ReleaseStatus {
    release: Option<Release>,
    serving: Option<ModelRef>,
    aborted: Option<Abort>,
    waiting: Vec<Waiting>,
}

/// A candidate that is not released.
#[derive(Serialize)]
struct Waiting {
    model: ModelRef,
    proposal: Option<Proposal>,
    approval: Option<Approval>,
    failures: Vec<String>,
}

impl ReleaseCommand {
    pub(super) async fn run(self, context: &Context, json: bool) -> anyhow::Result<()> {
        let releases = context.lifecycle.registry().releases();
        match self {
            Self::Propose(who) => {
                let card = find(context, &who.model).await?;
                let proposal = context
                    .lifecycle
                    .propose(&card, &context.actor(who.by))
                    .await?;
                output::result(json, &proposal, || {
                    format!(
                        "model version {} is proposed: it waits for approval",
                        card.version
                    )
                })
            }
            Self::Approve(approve) => approve.run(context, json).await,
            Self::Promote(step) => {
                let card = find(context, &step.who.model).await?;
                let change = context
                    .lifecycle
                    .promote(&card, &context.actor(step.who.by), &step.reason)
                    .await?;
                output::result(json, &change.release, || {
                    promoted(&change.release, change.changed)
                })
            }
            Self::Rollback(back) => {
                let change = releases
                    .rollback(None, &context.actor(back.by), &back.reason)
                    .await?;
                output::result(json, &change.release, || {
                    promoted(&change.release, change.changed)
                })
            }
            Self::Abort(back) => {
                let Some(release) = releases.newest().await? else {
                    bail!("nothing was released yet: there is nothing to abort")
                };
                let abort = Abort {
                    release: release.number,
                    reason: back.reason,
                    requested_by: context.actor(back.by),
                    requested_at: context.clock.now(),
                };
                let abort = releases.abort(abort).await?;
                output::result(json, &abort, || match &release.previous {
                    Some(previous) => format!(
                        "release {} is aborted: model version {} answers again",
                        abort.release, previous.version
                    ),
                    None => format!(
                        "release {} is aborted; there was no champion before it, so it goes on answering",
                        abort.release
                    ),
                })
            }
            Self::Challenger(set) => {
                let challenger = match &set.model {
                    None => None,
                    Some(model) => Some(Challenger {
                        model: find(context, model).await?.model_ref(),
                        mode: if set.mode == "canary" {
                            ChallengerMode::Canary
                        } else {
                            ChallengerMode::Shadow
                        },
                        weight: set.weight,
                    }),
                };
                let change = releases
                    .set_challenger(challenger, &context.actor(set.by), &set.reason)
                    .await?;
                output::result(json, &change.release, || {
                    promoted(&change.release, change.changed)
                })
            }
            Self::Status => status(context, json).await,
        }
    }
}

impl Approve {
    async fn run(self, context: &Context, json: bool) -> anyhow::Result<()> {
        let by = context.actor(self.who.by);
        let card = find(context, &self.who.model).await?;
        let approval = Approval {
            model: card.model_ref(),
            evidence: card.gate.evidence,
            approved_by: by.clone(),
            approved_at: context.clock.now(),
            comment: self.comment,
        };
        let approval = context
            .lifecycle
            .registry()
            .releases()
            .approve(approval)
            .await?;
        if !self.promote {
            return output::result(json, &approval, || {
                format!(
                    "model version {0} is approved by {by}; let it answer: sluice release promote {0}",
                    card.version
                )
            });
        }
        let change = context.lifecycle.promote(&card, &by, "promote").await?;
        output::result(json, &change.release, || {
            promoted(&change.release, change.changed)
        })
    }
}

fn promoted(release: &Release, changed: bool) -> String {
    let champion = &release.champion;
    if changed {
        format!(
            "release {}: model version {} ({}) answers within 10 seconds",
            release.number,
            champion.version,
            champion.digest.short()
        )
    } else {
        format!(
            "release {} is in force already: model version {} answers; nothing changed",
            release.number, champion.version
        )
    }
}

/// A model by version or digest.
pub(super) async fn find(context: &Context, model: &str) -> anyhow::Result<ModelCard> {
    let models = context.lifecycle.registry().models();
    if let Ok(version) = model.parse::<u64>() {
        return Ok(models.card(&context.config.name, version).await?);
    }
    let digest: Digest = model.parse().with_context(|| {
        format!("{model:?} names no model: give a version (3) or a digest (sha256:…)")
    })?;
    models
        .find_by_digest(digest)
        .await?
        .with_context(|| format!("there is no model with digest {digest}: see sluice status"))
}

async fn status(context: &Context, json: bool) -> anyhow::Result<()> {
    let registry = context.lifecycle.registry();
    let serving = registry.releases().serving().await?;
    let newest = registry.releases().newest().await?;
    let mut waiting = Vec::new();
    let champion = newest.as_ref().map(|release| &release.champion);
    // A retrain on the same rows gives the same file: that model answers already.
    let is_newer = |card: &ModelCard| {
        champion.is_none_or(|champion| {
            card.version > champion.version && card.file.digest != champion.digest
        })
    };
    for card in registry
        .models()
        .list(&context.config.name)
        .await?
        .into_iter()
        .filter(is_newer)
    {
        let model = card.model_ref();
        waiting.push(Waiting {
            proposal: registry.releases().proposal(&model).await?,
            approval: registry.releases().approval(model.digest).await?,
            failures: card.gate.failures,
            model,
        });
    }
    let status = ReleaseStatus {
        release: newest,
        serving: serving.as_ref().map(|serving| serving.model.clone()),
        aborted: serving.and_then(|serving| serving.aborted),
        waiting,
    };
    output::result(json, &status, || describe(&status))
}

fn describe(status: &ReleaseStatus) -> String {
    let mut lines = Vec::new();
    match (&status.release, &status.serving) {
        (Some(release), Some(model)) => {
            lines.push(format!(
                "release {}: model version {} answers ({}), approved by {} on {:.0}",
                release.number,
                model.version,
                model.digest.short(),
                release.approval.approved_by,
                release.approval.approved_at
            ));
            if let Some(abort) = &status.aborted {
                lines.push(format!(
                    "  aborted by {}: {}",
                    abort.requested_by, abort.reason
                ));
            }
            if let Some(challenger) = &release.challenger {
                let mode = format!("{:?}", challenger.mode).to_lowercase();
                lines.push(format!(
                    "  challenger: model version {} ({mode}, {})",
                    challenger.model.version, challenger.weight
                ));
            }
        }
        _ => lines.push("nothing is released yet".to_owned()),
    }
    for waiting in &status.waiting {
        let version = waiting.model.version;
        lines.push(match (&waiting.approval, &waiting.proposal) {
            (Some(approval), _) => {
                format!("model version {version}: approved by {}; next: sluice release promote {version}", approval.approved_by)
            }
            (None, Some(_)) => {
                format!("model version {version}: passed its gate, waits for approval; next: sluice release approve {version} --promote")
            }
            (None, None) if waiting.failures.is_empty() => {
                format!("model version {version}: passed its gate; next: sluice release propose {version}")
            }
            (None, None) => format!("model version {version}: failed its gate: {}", waiting.failures.join("; ")),
        });
    }
    lines.join("\n")
}
