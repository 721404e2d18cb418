//! The prediction log and the feedback log: lines appended in segments, read back by id or by time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_storage::{Container, Store};

use crate::document::found;
use crate::error::{Result, blob_path};
use crate::lines::Lines;
use crate::paths::{feedback_log, hour_prefix, prediction_log, request_prefix};
use crate::registry::Registry;
use crate::{
    FeedbackRecord, InstanceId, PredictionId, PredictionRecord, RegistryError, RequestCounts,
};

/// Records of a log, segment by segment; those of one segment in the order of their writing.
pub type Records<T> = BoxStream<'static, Result<T>>;

/// The logs of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    pub(crate) registry: &'a Registry,
}

impl Predictions<'_> {
    /// Appends predictions, one append for each log segment they belong to. Durable when this returns. A record that is
    /// appended again after a lost answer is read back once.
    ///
    /// # Errors
    /// `Inconsistent` when a record's id is not a prediction's id, `Storage`.
    pub async fn append(&self, records: &[PredictionRecord]) -> Result<()> {
        let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for record in records {
            let id: PredictionId =
                record
                    .id
                    .parse()
                    .map_err(|error: crate::InvalidPredictionId| {
                        RegistryError::inconsistent("a prediction record", error.to_string())
                    })?;
            write_line(lines.entry(prediction_log(&id)).or_default(), record);
        }
        self.append_all(Container::Predictions, lines).await
    }

    /// Appends feedback that the process `instance` received. Durable when this returns.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn append_feedback(
        &self,
        instance: InstanceId,
        records: &[FeedbackRecord],
    ) -> Result<()> {
        let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for record in records {
            write_line(
                lines.entry(feedback_log(instance, record.at)).or_default(),
                record,
            );
        }
        self.append_all(Container::Feedback, lines).await
    }

    /// The record of a prediction: of the answer that the caller got, or of a shadow's when there is no other. Reads one
    /// log segment.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn find(&self, id: &PredictionId) -> Result<Option<PredictionRecord>> {
        Ok(self.find_many(&[*id]).await?.pop().flatten())
    }

    /// The records of many predictions, in the order of `ids`; `None` for those that are not there. Reads each log
    /// segment once.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn find_many(&self, ids: &[PredictionId]) -> Result<Vec<Option<PredictionRecord>>> {
        let mut places: BTreeMap<String, HashMap<String, Vec<usize>>> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let segment = places.entry(prediction_log(id)).or_default();
            segment.entry(id.to_string()).or_default().push(place);
        }
        let mut records = vec![None; ids.len()];
        for (path, wanted) in places {
            let stream = self
                .registry
                .store()
                .read_stream(Container::Predictions, &path);
            let Some((_, bytes)) = found(stream.await)? else {
                continue;
            };
            let mut lines = Lines::new(bytes);
            while let Some(line) = lines.next().await? {
                // Cheap before exact: most lines are of other requests.
                if id_of(&line).is_some_and(|id| !wanted.contains_key(id)) {
                    continue;
                }
                let Ok(record) = serde_json::from_slice::<PredictionRecord>(&line) else {
                    continue;
                };
                for place in wanted.get(&record.id).into_iter().flatten() {
                    let found: &mut Option<PredictionRecord> = &mut records[*place];
                    if found
                        .as_ref()
                        .is_none_or(|found| is_shadow(found) && !is_shadow(&record))
                    {
                        *found = Some(record.clone());
                    }
                }
            }
        }
        Ok(records)
    }

    /// The predictions that were answered in `[from, to)`, at constant memory.
    #[must_use]
    pub fn window(&self, from: Timestamp, to: Timestamp) -> Records<PredictionRecord> {
        // A record lies in the hour of its request, which may be the one before the answer.
        let first = from
            .checked_sub(SignedDuration::from_hours(1))
            .unwrap_or(Timestamp::MIN);
        records(
            self.registry.store().clone(),
            Container::Predictions,
            first,
            to,
            move |record: &PredictionRecord| {
                // A shadow has a record of its own under the same id.
                let identity = || format!("{} {}", record.id, record.variant);
                (record.at >= from && record.at < to).then(identity)
            },
        )
    }

    /// The feedback that was received in `[from, to)`, at constant memory.
    #[must_use]
    pub fn feedback(&self, from: Timestamp, to: Timestamp) -> Records<FeedbackRecord> {
        records(
            self.registry.store().clone(),
            Container::Feedback,
            from,
            to,
            move |record: &FeedbackRecord| {
                (record.at >= from && record.at < to)
                    .then(|| format!("{}\n{}\n{}", record.id, record.label, record.at))
            },
        )
    }

    /// How many requests there were in `[from, to)`, by every process.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn request_counts(&self, from: Timestamp, to: Timestamp) -> Result<RequestCounts> {
        let mut sum = RequestCounts {
            at: to,
            served: 0,
            refused: 0,
            failed: 0,
        };
        let store = self.registry.store();
        let mut hour = from;
        while hour < to + SignedDuration::from_hours(1) {
            let prefix = request_prefix(hour);
            let mut files = store.list(Container::Predictions, &prefix).await?;
            while let Some(file) = files.try_next().await? {
                let in_time = move |counts: &RequestCounts| {
                    (counts.at >= from && counts.at < to).then(|| counts.at.to_string())
                };
                let mut lines =
                    segment_records(store.clone(), Container::Predictions, file.name, in_time);
                while let Some(counts) = lines.try_next().await? {
                    sum.served += counts.served;
                    sum.refused += counts.refused;
                    sum.failed += counts.failed;
                }
            }
            hour += SignedDuration::from_hours(1);
        }
        Ok(sum)
    }

    async fn append_all(
        &self,
        container: Container,
        lines: BTreeMap<String, Vec<u8>>,
    ) -> Result<()> {
        for (path, lines) in lines {
            self.registry
                .store()
                .append(container, &path, lines.into(), None)
                .await?;
        }
        Ok(())
    }
}

/// Writes a record and its newline.
/// Adds a record to the lines of a log.
pub fn write_line<T: Serialize>(lines: &mut Vec<u8>, record: &T) {
    // A record is plain data: it cannot fail to be written into memory.
    if serde_json::to_writer(&mut *lines, record).is_ok() {
        lines.push(b'\n');
    }
}

/// Streams the records of the hours from `first` to `to` that `keep` gives an identity; each identity once a segment.
fn records<T: DeserializeOwned + Send + 'static>(
    store: Arc<dyn Store>,
    container: Container,
    first: Timestamp,
    to: Timestamp,
    keep: impl Fn(&T) -> Option<String> + Clone + Send + Sync + 'static,
) -> Records<T> {
    // Names sort by hour: what a coarse listing holds too much is left out by name.
    let (earliest, latest) = (hour_prefix(first), hour_prefix(to));
    let wanted = move |name: &str| {
        let hour = name.get(..earliest.len()).unwrap_or_default();
        hour >= earliest.as_str() && hour <= latest.as_str()
    };
    let listing = store.clone();
    let blobs = stream::iter(prefixes(first, to)).then(move |prefix| {
        let store = listing.clone();
        async move { store.list(container, &prefix).await }
    });
    blobs
        .try_flatten()
        .map_err(RegistryError::from)
        .try_filter(move |info| futures::future::ready(wanted(&info.name)))
        .map_ok(move |info| segment_records(store.clone(), container, info.name, keep.clone()))
        .try_flatten()
        .boxed()
}

/// What to list for `[first, to)`: its hours, of long times its days, of very long times everything.
fn prefixes(first: Timestamp, to: Timestamp) -> Box<dyn Iterator<Item = String> + Send> {
    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;
    if first >= to {
        return Box::new(std::iter::empty());
    }
    let (first, to) = (first.as_second(), to.as_second());
    let (step, digits) = match to - first {
        seconds if seconds <= 2 * DAY => (HOUR, "yyyy/mm/dd/hh/".len()),
        seconds if seconds <= 400 * DAY => (DAY, "yyyy/mm/dd/".len()),
        _ => return Box::new(std::iter::once(String::new())),
    };
    let steps = first.div_euclid(step)..=to.div_euclid(step);
    Box::new(steps.filter_map(move |n| {
        let at = Timestamp::from_second(n * step).ok()?;
        Some(hour_prefix(at)[..digits].to_owned())
    }))
}

/// The records of one segment. Lines that are none (torn by a foreign store, put there by hand) are left out.
fn segment_records<T: DeserializeOwned + Send + 'static>(
    store: Arc<dyn Store>,
    container: Container,
    name: String,
    keep: impl Fn(&T) -> Option<String> + Send + Sync + 'static,
) -> Records<T> {
    struct Reading<F> {
        store: Arc<dyn Store>,
        name: String,
        lines: Option<Lines>,
        given: HashSet<String>,
        skipped: u64,
        keep: F,
    }
    let start = Reading {
        store,
        name,
        lines: None,
        given: HashSet::new(),
        skipped: 0,
        keep,
    };
    stream::try_unfold(start, move |mut reading| async move {
        if reading.lines.is_none() {
            let Some((_, bytes)) =
                found(reading.store.read_stream(container, &reading.name).await)?
            else {
                return Ok(None);
            };
            reading.lines = Some(Lines::new(bytes));
        }
        while let Some(line) = match &mut reading.lines {
            Some(lines) => lines.next().await?,
            None => None,
        } {
            let Ok(record) = serde_json::from_slice::<T>(&line) else {
                reading.skipped += 1;
                continue;
            };
            if let Some(identity) = (reading.keep)(&record)
                && reading.given.insert(identity)
            {
                return Ok(Some((record, reading)));
            }
        }
        if reading.skipped > 0 {
            let (path, skipped) = (blob_path(container, &reading.name), reading.skipped);
            tracing::warn!(
                log.path = path,
                log.skipped = skipped,
                "a log has lines that are no records; left out"
            );
        }
        Ok(None)
    })
    .boxed()
}

/// The id of a record without reading all of it: `id` is the first field that Sluice writes. `None` when the line begins
/// otherwise, or when reading it takes more.
fn id_of(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(b"{\"id\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    str::from_utf8(&rest[..end]).ok()
}

fn is_shadow(record: &PredictionRecord) -> bool {
    record.variant == "shadow"
}
