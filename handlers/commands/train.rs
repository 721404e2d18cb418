//! `sluice train` and `sluice retrain`: fitting by hand, and the job that a run is.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use sluice_dataset::{Format, Row, RowReader, UploadWriter};
use sluice_lifecycle::{JobResult, TrainingJob};
use sluice_registry::{Digest, RunTrigger, Split, content_hash};
use sluice_training::{Evaluation, TrainingData, fit, to_onnx};

use super::output;
use super::progress::Bars;
use crate::config::{ModelConfig, Settings};
use crate::context::{Context, code_version};

/// What to train on.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// A labelled file (CSV, JSON lines or Parquet, plain or gzip): train on it and say how good the model is.
    #[arg(required_unless_present = "run", conflicts_with = "run")]
    file: Option<PathBuf>,
    /// Carry out a recorded training run: what the training job does.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Share of the rows to judge the model on.
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    test: f64,
    /// Write the model there.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the rows of both sides there, as train.csv and test.csv: for a comparison with other tools.
    #[arg(long, value_name = "DIR")]
    write_split: Option<PathBuf>,
}

/// How good a model on a file is.
#[derive(Serialize)]
struct Trained {
    rows: u64,
    refused: u64,
    train_rows: usize,
    test_rows: usize,
    /// Featurising and fitting, in seconds.
    seconds: f64,
    regularisation: f64,
    accuracy: f64,
    macro_f1: f64,
    brier_before: f64,
    brier_after: f64,
    ece_before: f64,
    ece_after: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelWritten>,
}

#[derive(Serialize)]
struct ModelWritten {
    file: PathBuf,
    digest: Digest,
    size_bytes: u64,
}

impl Train {
    pub(super) async fn run(
        self,
        settings: Settings,
        config: ModelConfig,
        json: bool,
    ) -> anyhow::Result<ExitCode> {
        if let Some(id) = &self.run {
            return carry_out(settings, config, id).await;
        }
        anyhow::ensure!(
            (0.01..=0.9).contains(&self.test),
            "--test: expected a share from 0.01 to 0.9, got {}",
            self.test
        );
        let trained = tokio::task::spawn_blocking(move || self.train_on_file(&config)).await??;
        output::result(json, &trained, || describe(&trained))?;
        Ok(ExitCode::SUCCESS)
    }

    fn train_on_file(self, config: &ModelConfig) -> anyhow::Result<Trained> {
        let file = self.file.as_deref().context("a file is needed")?;
        let (rows, refused) = read_rows(file, config)?;
        if let Some(folder) = &self.write_split {
            write_split(folder, &rows, config, self.test)?;
        }
        let mut data = TrainingData::new(config.schema.label_names());
        for row in &rows {
            data.push(
                side(&row.text, config.split.seed, self.test),
                row.text.as_str(),
                row.label,
                row.slice.as_deref(),
            )?;
        }

        let bars = Bars::new();
        let begun = Instant::now();
        let fitted = fit(&data, &config.training, &bars)?;
        let seconds = begun.elapsed().as_secs_f64();
        bars.finish();

        let evaluation = Evaluation::new(&data, data.test(), &fitted.test_predictions, None)?;
        let model = match self.out {
            None => None,
            Some(file) => {
                let bytes = to_onnx(&fitted.model)?;
                std::fs::write(&file, &bytes)
                    .with_context(|| format!("{} cannot be written", file.display()))?;
                Some(ModelWritten {
                    file,
                    digest: Digest::of(&bytes),
                    size_bytes: bytes.len() as u64,
                })
            }
        };
        let calibration = fitted.calibration.summary();
        Ok(Trained {
            rows: rows.len() as u64,
            refused,
            train_rows: data.train().len(),
            test_rows: data.test().len(),
            seconds,
            regularisation: fitted
                .summary
                .parameters
                .get("regularisation")
                .copied()
                .unwrap_or_default(),
            accuracy: evaluation.metric(sluice_training::Metric::Accuracy, None),
            macro_f1: evaluation.metric(sluice_training::Metric::MacroF1, None),
            brier_before: calibration.brier_before,
            brier_after: calibration.brier_after,
            ece_before: calibration.ece_before,
            ece_after: calibration.ece_after,
            model,
        })
    }
}

/// All rows of a labelled file, and how many could not be read.
pub(super) fn read_rows(file: &Path, config: &ModelConfig) -> anyhow::Result<(Vec<Row>, u64)> {
    let input = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let spool = tempfile::tempdir()?;
    let (mut rows, mut refused) = (Vec::new(), 0);
    for row in RowReader::open(
        &name,
        input,
        &config.schema,
        &config.checks,
        jiff::Timestamp::now(),
        spool.path(),
    )? {
        match row {
            Ok(row) => rows.push(row.row),
            Err(sluice_dataset::RowReadError::Row(_)) => refused += 1,
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", file.display()));
            }
        }
    }
    anyhow::ensure!(
        !rows.is_empty(),
        "{} has no row that can be read ({refused} were refused)",
        file.display()
    );
    Ok((rows, refused))
}

/// The side of a text: `test` of them to the test rows, a tenth of the others to the calibration rows, by content.
fn side(text: &str, seed: u64, test: f64) -> Split {
    let rule = sluice_registry::SplitRule {
        seed,
        calibration: (1.0 - test) * 0.1,
        test,
    };
    sluice_dataset::split_of(content_hash(text), &rule)
}

/// Both sides as CSV. The calibration rows are training rows for a tool that does not calibrate.
fn write_split(folder: &Path, rows: &[Row], config: &ModelConfig, test: f64) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let writer = |name: &str| -> anyhow::Result<UploadWriter<File>> {
        Ok(UploadWriter::new(
            File::create(folder.join(name))?,
            Format::Csv,
            &config.schema,
        )?)
    };
    let (mut train, mut held_out) = (writer("train.csv")?, writer("test.csv")?);
    for row in rows {
        match side(&row.text, config.split.seed, test) {
            Split::Test => held_out.write(row)?,
            Split::Train | Split::Calibration => train.write(row)?,
        }
    }
    train.finish()?;
    held_out.finish()?;
    Ok(())
}

fn describe(trained: &Trained) -> String {
    let mut text = format!(
        "{} rows ({} refused): trained on {} in {:.2} s, judged on {}\n\
         macro F1 {:.4}   accuracy {:.4}   regularisation C = {}\n\
         confidence  Brier {:.4} -> {:.4}   expected calibration error {:.4} -> {:.4}   (before -> after calibration)",
        trained.rows,
        trained.refused,
        trained.train_rows,
        trained.seconds,
        trained.test_rows,
        trained.macro_f1,
        trained.accuracy,
        trained.regularisation,
        trained.brier_before,
        trained.brier_after,
        trained.ece_before,
        trained.ece_after,
    );
    if let Some(model) = &trained.model {
        text.push_str(&format!(
            "\n{}: {} bytes, {}",
            model.file.display(),
            model.size_bytes,
            model.digest
        ));
    }
    text
}

/// The training job: exit code 0 with a model, 1 without; the run's result says why.
async fn carry_out(settings: Settings, config: ModelConfig, id: &str) -> anyhow::Result<ExitCode> {
    let context = Context::open(settings, config, &format!("job-{id}"))?;
    let job = TrainingJob {
        runtime: context.runtime().await?,
        code: code_version(),
        progress: Arc::new(Bars::new()),
    };
    match context.lifecycle.train_run(id, &job).await? {
        JobResult::Succeeded { model_version } => {
            output::line(format!("run {id} made model version {model_version}"));
            Ok(ExitCode::SUCCESS)
        }
        JobResult::Failed { reason } => {
            output::line(format!("run {id} failed: {reason}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Takes nothing.
#[derive(Debug, Args)]
pub(super) struct Retrain {}

impl Retrain {
    pub(super) async fn run(&self, context: &Context, json: bool) -> anyhow::Result<()> {
        let outcome = context.lifecycle.start_training(RunTrigger::Manual).await?;
        output::result(json, &outcome, || crate::retrain::describe(&outcome))
    }
}
