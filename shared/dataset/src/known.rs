//! The rows that are there already, as hashes: what makes a row a duplicate or a contradiction.

use std::fmt;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use hashbrown::HashTable;
use parquet::file::reader::ChunkReader;
use sluice_registry::{Role, Schema};

use crate::Result;
use crate::error::DatasetError;
use crate::part_reader::{CONTENT_HASH, ID_HASH, LabelNames, open_columns};

/// In an id: added by the upload that is being read, and not yet for good.
const PENDING_ID: u64 = 1 << 63;
/// The same in a label.
const PENDING_LABEL: u16 = 1 << 15;

/// An index of rows by the hash of their id and by the hash of their normalised content, with the label.
///
/// Nine bytes for an id and eleven for a content, in tables that are between 7/16 and 7/8 full. Hashes have 63 and 64
/// bits: among ten million rows the chance that any two different ones are taken for the same is below 10^-5.
/// Rows are added by [`KnownRows::load_part`] and by an ingest that ends well; one that does not leaves no trace.
#[derive(Clone, Default)]
pub struct KnownRows {
    ids: HashTable<Id>,
    contents: HashTable<Content>,
    pending: bool,
}

/// Bytes rather than numbers, so that a table wastes nothing on alignment.
#[derive(Clone, Copy)]
struct Id([u8; 8]);

impl Id {
    fn bits(self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    fn hash(self) -> u64 {
        self.bits() & !PENDING_ID
    }
}

#[derive(Clone, Copy)]
struct Content {
    hash: [u8; 8],
    label: [u8; 2],
}

impl Content {
    fn hash(self) -> u64 {
        u64::from_le_bytes(self.hash)
    }

    fn label_bits(self) -> u16 {
        u16::from_le_bytes(self.label)
    }
}

impl KnownRows {
    /// The most labels that a schema may have.
    pub(crate) const MAX_LABELS: usize = PENDING_LABEL as usize;

    /// Knows no row.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rows of a stored part: a `File` or `Bytes`. Only the three columns that are needed are read.
    ///
    /// # Errors
    /// [`DatasetError::Part`] when the part is damaged or has another schema.
    pub fn load_part(&mut self, part: impl ChunkReader + 'static, schema: &Schema) -> Result<()> {
        let label_column = schema
            .column(Role::Label)
            .ok_or_else(|| DatasetError::Schema("there is no label column".to_owned()))?;
        let labels = LabelNames::of(schema);
        for batch in open_columns(part, &[CONTENT_HASH, ID_HASH, &label_column.name])? {
            self.load_batch(
                &batch.map_err(DatasetError::damaged_part)?,
                &label_column.name,
                &labels,
            )?;
        }
        Ok(())
    }

    fn load_batch(
        &mut self,
        batch: &RecordBatch,
        label_column: &str,
        labels: &LabelNames,
    ) -> Result<()> {
        let hashes = |name| {
            let array = batch
                .column_by_name(name)
                .and_then(|array| array.as_primitive_opt::<UInt64Type>());
            array.ok_or_else(|| DatasetError::Part {
                detail: format!("there is no column {name:?} of hashes"),
                source: None,
            })
        };
        let (contents, ids) = (hashes(CONTENT_HASH)?, hashes(ID_HASH)?);
        let names = labels.column(batch, label_column)?;
        for ((content, id), name) in contents.iter().zip(ids).zip(names) {
            let label = labels.index(name)?;
            if let Some(id) = id {
                self.insert_id(id & !PENDING_ID);
            }
            self.insert_content(content.unwrap_or_default(), label as u16);
        }
        Ok(())
    }

    /// How many different contents are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether no row is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Memory of the tables in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.ids.allocation_size() + self.contents.allocation_size()
    }

    /// Whether a row with this id is known.
    pub(crate) fn has_id(&self, id: u64) -> bool {
        let id = id & !PENDING_ID;
        self.ids.find(id, |entry| entry.hash() == id).is_some()
    }

    /// The label of the first row with this content.
    pub(crate) fn label_of(&self, content: u64) -> Option<u32> {
        let entry = self
            .contents
            .find(content, |entry| entry.hash() == content)?;
        Some(u32::from(entry.label_bits() & !PENDING_LABEL))
    }

    /// Adds a row, until [`KnownRows::roll_back`] or, for good, [`KnownRows::commit`].
    pub(crate) fn add_pending(&mut self, id: Option<u64>, content: u64, label: u32) {
        self.pending = true;
        if let Some(id) = id {
            self.insert_id(id | PENDING_ID);
        }
        self.insert_content(content, label as u16 | PENDING_LABEL);
    }

    /// Keeps the added rows.
    pub(crate) fn commit(&mut self) {
        for id in self.ids.iter_mut() {
            id.0 = id.hash().to_le_bytes();
        }
        for content in self.contents.iter_mut() {
            content.label = (content.label_bits() & !PENDING_LABEL).to_le_bytes();
        }
        self.pending = false;
    }

    /// Forgets the added rows.
    pub(crate) fn roll_back(&mut self) {
        if self.pending {
            self.ids.retain(|id| id.bits() & PENDING_ID == 0);
            self.contents
                .retain(|content| content.label_bits() & PENDING_LABEL == 0);
            self.pending = false;
        }
    }

    fn insert_id(&mut self, bits: u64) {
        let id = Id(bits.to_le_bytes());
        self.ids
            .entry(
                id.hash(),
                |entry| entry.hash() == id.hash(),
                |entry| entry.hash(),
            )
            .or_insert(id);
    }

    fn insert_content(&mut self, hash: u64, label: u16) {
        let content = Content {
            hash: hash.to_le_bytes(),
            label: label.to_le_bytes(),
        };
        self.contents
            .entry(hash, |entry| entry.hash() == hash, |entry| entry.hash())
            .or_insert(content);
    }
}

impl fmt::Debug for KnownRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownRows")
            .field("ids", &self.ids.len())
            .field("contents", &self.contents.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_has_no_padding() {
        assert_eq!((size_of::<Id>(), size_of::<Content>()), (8, 10));
        let mut known = KnownRows::new();
        for row in 0..100_000u64 {
            let hash = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            known.add_pending(Some(hash), hash, 1);
        }
        assert!(
            known.memory_bytes() <= 131_072 * 20 + 1024,
            "{}",
            known.memory_bytes()
        );
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_map_and_a_rolled_back_upload_leaves_no_trace(
            uploads in prop::collection::vec((prop::collection::vec((0..40u64, 0..40u64, 0..3u32), 0..30), any::<bool>()), 0..6)
        ) {
            let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut known = KnownRows::new();
            let (mut ids, mut contents) = (HashMap::new(), HashMap::new());
            for (rows, commit) in uploads {
                let before = (ids.clone(), contents.clone());
                for (id, content, label) in rows {
                    known.add_pending(Some(spread(id)), spread(content), label);
                    ids.insert(id, ());
                    contents.entry(content).or_insert(label);
                }
                if commit {
                    known.commit();
                } else {
                    known.roll_back();
                    (ids, contents) = before;
                }
                for n in 0..40 {
                    prop_assert_eq!(known.has_id(spread(n)), ids.contains_key(&n));
                    prop_assert_eq!(known.label_of(spread(n)), contents.get(&n).copied());
                }
            }
        }
    }
}
