//! The audit trail: what changed, when, by which writer, bound together so that no line can be changed unseen.
//!
//! Every writer has a stream of its own, `{writer}/{segment:06}.jsonl` in the audit container, with 1,000 lines in each
//! segment. A line holds the hash of the line before it, and its own hash over all of its bytes before `,"hash"`.
//!
//! What this proves: a line that was edited, removed from the middle, inserted or moved breaks the chain at that line.
//! A chain cannot prove by itself that lines are missing at its end. Two things show that: every stream records the
//! heads of the other streams from time to time (`heads_witnessed`), and every document has its line, so a line cut off
//! leaves a document without one ([`crate::Registry::verify_documents`]). Lines after the last witness that belong to no
//! document can be cut off unseen; keep a head that `audit verify` printed outside the storage account to close this gap.

mod chain;
mod event;
mod line;
mod log;
mod report;
mod stream;

pub use event::AuditEvent;
pub use line::{AuditLine, DocumentRef, RecordedEvent};
pub use log::AuditLog;
pub use report::{BrokenLine, Damage, StreamHead, StreamReport, VerifyReport};
pub use stream::AuditStream;

pub(crate) use line::Entry;
