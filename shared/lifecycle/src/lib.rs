//! The verbs of the loop: ingest an upload, start and collect training, release, abort, report, reconcile.
