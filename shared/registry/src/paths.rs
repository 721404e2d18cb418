//! Where every document is. Printed and parsed in this one place.

use std::fmt;

use jiff::Timestamp;
use sluice_storage::Container;

use crate::{Digest, PredictionId, names};

/// The largest number that a document can have. Nothing counts that far; a larger one is damage, and one more than it
/// would be 0 again sooner or later.
pub(crate) const MAX_NUMBER: u64 = 1 << 53;

/// A file of a model version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelArtifact {
    /// `model.onnx`: what answers.
    Model,
    /// `evidence.json`: the gate's whole verdict.
    Evidence,
    /// `evidence.md`: the same for people.
    EvidencePage,
    /// `baseline.json`: what the monitor compares with.
    Baseline,
}

impl ModelArtifact {
    /// Every artifact.
    pub const ALL: [Self; 4] = [
        Self::Model,
        Self::Evidence,
        Self::EvidencePage,
        Self::Baseline,
    ];

    /// The file's name.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Model => "model.onnx",
            Self::Evidence => "evidence.json",
            Self::EvidencePage => "evidence.md",
            Self::Baseline => "baseline.json",
        }
    }
}

/// The place of one document or file. `Display` prints the blob's name inside [`DocumentPath::container`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentPath {
    /// `datasets`: `{dataset}/versions/{n:06}.json`.
    DatasetVersion {
        /// The dataset.
        dataset: String,
        /// The version.
        version: u64,
    },
    /// `datasets`: `{dataset}/current.json`, a hint.
    DatasetPointer {
        /// The dataset.
        dataset: String,
    },
    /// `datasets`: `{dataset}/parts/{sha256}.parquet`.
    Part {
        /// The dataset.
        dataset: String,
        /// The part.
        digest: Digest,
    },
    /// `datasets`: `{dataset}/profiles/{sha256}.json`.
    Profile {
        /// The dataset.
        dataset: String,
        /// The profile.
        digest: Digest,
    },
    /// `datasets`: `{dataset}/ledger/{sha256}.json`.
    Ledger {
        /// The dataset.
        dataset: String,
        /// The upload.
        upload: Digest,
    },
    /// `datasets`: `{dataset}/seen/{sha256 of the blob's name}.json`, a hint.
    Seen {
        /// The dataset.
        dataset: String,
        /// The digest of the name.
        name: Digest,
    },
    /// `models`: `{model}/{version:06}/model.json`.
    ModelCard {
        /// The model.
        model: String,
        /// The version.
        version: u64,
    },
    /// `models`: `{model}/{version:06}/{file}`.
    Artifact {
        /// The model.
        model: String,
        /// The version.
        version: u64,
        /// Which file.
        artifact: ModelArtifact,
    },
    /// `models`: `{model}/{version:06}/proposal.json`.
    Proposal {
        /// The model.
        model: String,
        /// The version.
        version: u64,
    },
    /// `runs`: `{run}.json`.
    Run {
        /// The run.
        run: String,
    },
    /// `runs`: `{model}/active.json`.
    ActiveRun {
        /// The model.
        model: String,
    },
    /// `releases`: `approvals/{sha256}.json`.
    Approval {
        /// The model's digest.
        digest: Digest,
    },
    /// `releases`: `{n:06}.json`.
    Release {
        /// The release.
        number: u64,
    },
    /// `releases`: `current.json`, a hint.
    ReleasePointer,
    /// `aborts`: `{n:06}.json`.
    Abort {
        /// The release.
        release: u64,
    },
    /// `audit`: `{writer}/{segment:06}.jsonl`.
    AuditSegment {
        /// The stream's name.
        writer: String,
        /// 0, 1, 2…
        segment: u64,
    },
}

impl DocumentPath {
    /// The container that holds it.
    #[must_use]
    pub const fn container(&self) -> Container {
        match self {
            Self::DatasetVersion { .. }
            | Self::DatasetPointer { .. }
            | Self::Part { .. }
            | Self::Profile { .. }
            | Self::Ledger { .. }
            | Self::Seen { .. } => Container::Datasets,
            Self::ModelCard { .. } | Self::Artifact { .. } | Self::Proposal { .. } => {
                Container::Models
            }
            Self::Run { .. } | Self::ActiveRun { .. } => Container::Runs,
            Self::Approval { .. } | Self::Release { .. } | Self::ReleasePointer => {
                Container::Releases
            }
            Self::Abort { .. } => Container::Aborts,
            Self::AuditSegment { .. } => Container::Audit,
        }
    }

    /// The document at a blob's name, if the registry would print exactly this name.
    #[must_use]
    pub fn parse(container: Container, name: &str) -> Option<Self> {
        let segments: Vec<&str> = name.split('/').collect();
        let path = match container {
            Container::Datasets => parse_dataset(&segments),
            Container::Models => parse_model(&segments),
            Container::Runs => match segments[..] {
                [model, "active.json"] => Some(Self::ActiveRun {
                    model: model.to_owned(),
                }),
                [file] => Some(Self::Run {
                    run: file.strip_suffix(".json")?.to_owned(),
                }),
                _ => None,
            },
            Container::Releases => match segments[..] {
                ["current.json"] => Some(Self::ReleasePointer),
                ["approvals", file] => Some(Self::Approval {
                    digest: hex_file(file, ".json")?,
                }),
                [file] => Some(Self::Release {
                    number: number_file(file, ".json")?,
                }),
                _ => None,
            },
            Container::Aborts => match segments[..] {
                [file] => Some(Self::Abort {
                    release: number_file(file, ".json")?,
                }),
                _ => None,
            },
            Container::Audit => match segments[..] {
                [writer, file] => Some(Self::AuditSegment {
                    writer: writer.to_owned(),
                    segment: number_file(file, ".jsonl")?,
                }),
                _ => None,
            },
            _ => None,
        }?;
        // One document, one name: `7.json` is not `000007.json`, and a wrong owner's name is nobody's document.
        (path.to_string() == name
            && path
                .owner()
                .is_none_or(|owner| names::check_model_name(owner).is_ok()))
        .then_some(path)
    }

    fn owner(&self) -> Option<&str> {
        match self {
            Self::DatasetVersion { dataset: name, .. }
            | Self::DatasetPointer { dataset: name }
            | Self::Part { dataset: name, .. }
            | Self::Profile { dataset: name, .. }
            | Self::Ledger { dataset: name, .. }
            | Self::Seen { dataset: name, .. }
            | Self::ModelCard { model: name, .. }
            | Self::Artifact { model: name, .. }
            | Self::Proposal { model: name, .. }
            | Self::Run { run: name }
            | Self::ActiveRun { model: name }
            | Self::AuditSegment { writer: name, .. } => Some(name),
            Self::Approval { .. }
            | Self::Release { .. }
            | Self::ReleasePointer
            | Self::Abort { .. } => None,
        }
    }

    /// `{container}/{name}`, the way people read it.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{}/{self}", self.container())
    }
}

impl fmt::Display for DocumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatasetVersion { dataset, version } => {
                write!(f, "{dataset}/versions/{version:06}.json")
            }
            Self::DatasetPointer { dataset } => write!(f, "{dataset}/current.json"),
            Self::Part { dataset, digest } => write!(f, "{dataset}/parts/{}.parquet", digest.hex()),
            Self::Profile { dataset, digest } => {
                write!(f, "{dataset}/profiles/{}.json", digest.hex())
            }
            Self::Ledger { dataset, upload } => write!(f, "{dataset}/ledger/{}.json", upload.hex()),
            Self::Seen { dataset, name } => write!(f, "{dataset}/seen/{}.json", name.hex()),
            Self::ModelCard { model, version } => write!(f, "{model}/{version:06}/model.json"),
            Self::Artifact {
                model,
                version,
                artifact,
            } => write!(f, "{model}/{version:06}/{}", artifact.file_name()),
            Self::Proposal { model, version } => write!(f, "{model}/{version:06}/proposal.json"),
            Self::Run { run } => write!(f, "{run}.json"),
            Self::ActiveRun { model } => write!(f, "{model}/active.json"),
            Self::Approval { digest } => write!(f, "approvals/{}.json", digest.hex()),
            Self::Release { number } => write!(f, "{number:06}.json"),
            Self::ReleasePointer => f.write_str("current.json"),
            Self::Abort { release } => write!(f, "{release:06}.json"),
            Self::AuditSegment { writer, segment } => write!(f, "{writer}/{segment:06}.jsonl"),
        }
    }
}

fn parse_dataset(segments: &[&str]) -> Option<DocumentPath> {
    Some(match *segments {
        [dataset, "current.json"] => DocumentPath::DatasetPointer {
            dataset: dataset.to_owned(),
        },
        [dataset, folder, file] => {
            let dataset = dataset.to_owned();
            match folder {
                "versions" => DocumentPath::DatasetVersion {
                    dataset,
                    version: number_file(file, ".json")?,
                },
                "parts" => DocumentPath::Part {
                    dataset,
                    digest: hex_file(file, ".parquet")?,
                },
                "profiles" => DocumentPath::Profile {
                    dataset,
                    digest: hex_file(file, ".json")?,
                },
                "ledger" => DocumentPath::Ledger {
                    dataset,
                    upload: hex_file(file, ".json")?,
                },
                "seen" => DocumentPath::Seen {
                    dataset,
                    name: hex_file(file, ".json")?,
                },
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn parse_model(segments: &[&str]) -> Option<DocumentPath> {
    let [model, version, file] = *segments else {
        return None;
    };
    let (model, version) = (model.to_owned(), number(version)?);
    Some(match file {
        "model.json" => DocumentPath::ModelCard { model, version },
        "proposal.json" => DocumentPath::Proposal { model, version },
        file => {
            let artifact = ModelArtifact::ALL
                .into_iter()
                .find(|artifact| artifact.file_name() == file)?;
            DocumentPath::Artifact {
                model,
                version,
                artifact,
            }
        }
    })
}

/// The number in a document's name.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
        .filter(|number| *number <= MAX_NUMBER)
}

fn number_file(file: &str, extension: &str) -> Option<u64> {
    number(file.strip_suffix(extension)?)
}

fn hex_file(file: &str, extension: &str) -> Option<Digest> {
    format!("sha256:{}", file.strip_suffix(extension)?)
        .parse()
        .ok()
}

/// The folder of one hour (UTC) in the prediction and feedback logs: `{yyyy}/{mm}/{dd}/{hh}/`.
#[must_use]
pub fn hour_prefix(at: Timestamp) -> String {
    let time = jiff::tz::Offset::UTC.to_datetime(at);
    format!(
        "{:04}/{:02}/{:02}/{:02}/",
        time.year(),
        time.month(),
        time.day(),
        time.hour()
    )
}

/// The one log segment that holds a prediction: `{yyyy}/{mm}/{dd}/{hh}/{instance}-{segment:08}.jsonl` in the
/// predictions container.
#[must_use]
pub fn prediction_log(id: &PredictionId) -> String {
    let request = id.request();
    format!(
        "{}{}-{:08}.jsonl",
        hour_prefix(request.at()),
        request.instance(),
        request.segment()
    )
}

/// Where the request logs of an hour are, in the predictions container: beside the predictions, not among them.
#[must_use]
pub fn request_prefix(hour: Timestamp) -> String {
    format!("requests/{}", hour_prefix(hour))
}

/// The log of one process's request counts in one hour: `requests/{yyyy}/{mm}/{dd}/{hh}/{instance}.jsonl` in the predictions
/// container.
#[must_use]
pub fn request_log(instance: crate::InstanceId, at: Timestamp) -> String {
    format!("{}{instance}.jsonl", request_prefix(at))
}

/// The log that holds the feedback that one process received in one minute:
/// `{yyyy}/{mm}/{dd}/{hh}/{instance}-{minute:02}.jsonl` in the feedback container.
#[must_use]
pub fn feedback_log(instance: crate::InstanceId, received_at: Timestamp) -> String {
    let minute = jiff::tz::Offset::UTC.to_datetime(received_at).minute();
    format!("{}{instance}-{minute:02}.jsonl", hour_prefix(received_at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{InstanceId, RequestId};

    fn any_digest() -> impl Strategy<Value = Digest> {
        any::<[u8; 32]>().prop_map(Digest::from_bytes)
    }

    fn any_number() -> impl Strategy<Value = u64> {
        prop_oneof![0..=MAX_NUMBER, Just(MAX_NUMBER)]
    }

    fn any_path() -> impl Strategy<Value = DocumentPath> {
        let name = "[a-z0-9-]{1,63}";
        prop_oneof![
            (name, any_number())
                .prop_map(|(dataset, version)| DocumentPath::DatasetVersion { dataset, version }),
            name.prop_map(|dataset| DocumentPath::DatasetPointer { dataset }),
            (name, any_digest())
                .prop_map(|(dataset, digest)| DocumentPath::Part { dataset, digest }),
            (name, any_digest())
                .prop_map(|(dataset, digest)| DocumentPath::Profile { dataset, digest }),
            (name, any_digest())
                .prop_map(|(dataset, upload)| DocumentPath::Ledger { dataset, upload }),
            (name, any_digest()).prop_map(|(dataset, name)| DocumentPath::Seen { dataset, name }),
            (name, any_number())
                .prop_map(|(model, version)| DocumentPath::ModelCard { model, version }),
            (name, any_number())
                .prop_map(|(model, version)| DocumentPath::Proposal { model, version }),
            (
                name,
                any_number(),
                proptest::sample::select(&ModelArtifact::ALL[..])
            )
                .prop_map(|(model, version, artifact)| DocumentPath::Artifact {
                    model,
                    version,
                    artifact
                }),
            name.prop_map(|run| DocumentPath::Run { run }),
            name.prop_map(|model| DocumentPath::ActiveRun { model }),
            any_digest().prop_map(|digest| DocumentPath::Approval { digest }),
            any_number().prop_map(|number| DocumentPath::Release { number }),
            Just(DocumentPath::ReleasePointer),
            any_number().prop_map(|release| DocumentPath::Abort { release }),
            (name, any_number())
                .prop_map(|(writer, segment)| DocumentPath::AuditSegment { writer, segment }),
        ]
    }

    proptest! {
        #[test]
        fn a_printed_path_is_read_back(path in any_path()) {
            prop_assert_eq!(DocumentPath::parse(path.container(), &path.to_string()), Some(path));
        }

        #[test]
        fn a_number_that_nothing_counts_to_is_no_documents(number in MAX_NUMBER + 1..=u64::MAX) {
            let path = DocumentPath::Release { number };
            prop_assert_eq!(DocumentPath::parse(path.container(), &path.to_string()), None);
        }

        #[test]
        fn only_printed_names_are_documents(
            name in "[a-z0-9./-]{0,40}(/versions/|/ledger/|/)[0-9a-z]{0,8}(\\.json|\\.jsonl)?",
        ) {
            for container in Container::ALL {
                if let Some(path) = DocumentPath::parse(container, &name) {
                    prop_assert_eq!((path.container(), path.to_string()), (container, name.clone()));
                }
            }
        }

        #[test]
        fn numbers_sort_as_their_names_do(a in 0..1_000_000_u64, b in 0..1_000_000_u64) {
            let name = |number| DocumentPath::Release { number }.to_string();
            prop_assert_eq!(a.cmp(&b), name(a).cmp(&name(b)));
        }

        #[test]
        fn a_log_is_in_the_hour_of_its_request(seconds in 0..4_102_444_800_i64, sequence in 0..1_u64 << 40) {
            let at = Timestamp::from_second(seconds).unwrap();
            let id = RequestId::new(at, InstanceId::from_bits(1), sequence).input(3);
            prop_assert!(prediction_log(&id).starts_with(&hour_prefix(at)));
            let later = Timestamp::from_second(seconds + 3_600).unwrap();
            prop_assert!(hour_prefix(at) < hour_prefix(later));
        }
    }

    #[test]
    fn one_document_has_one_name() {
        assert_eq!(DocumentPath::parse(Container::Releases, "7.json"), None);
        assert_eq!(
            DocumentPath::parse(Container::Releases, "+00007.json"),
            None
        );
        assert_eq!(
            DocumentPath::parse(Container::Models, "Messages/000001/model.json"),
            None
        );
        assert_eq!(
            DocumentPath::parse(Container::Incoming, "000001.json"),
            None
        );
    }

    #[test]
    fn logs_are_found_by_hour_instance_and_segment() {
        let at = "2026-03-09T23:59:59.999Z".parse().unwrap();
        let id = RequestId::new(at, InstanceId::from_bits(31), 4_096).input(0);
        assert_eq!(prediction_log(&id), "2026/03/09/23/0000000z-00000001.jsonl");
        assert_eq!(
            feedback_log(InstanceId::from_bits(31), at),
            "2026/03/09/23/0000000z-59.jsonl"
        );
        assert_eq!(
            request_log(InstanceId::from_bits(31), at),
            "requests/2026/03/09/23/0000000z.jsonl"
        );
    }
}
