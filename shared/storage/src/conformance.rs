//! What every store must do, as functions that panic where a store does otherwise.
//!
//! Call [`run`] from a test of each store. Every property works below its own prefix and first deletes what an earlier
//! run left there, so that a store with other blobs in it, or one that stays between runs, can be examined too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is how this suite reports"
)]

mod listing;
mod names;
mod races;
mod reading;
mod writing;

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;

pub use listing::{
    lists_by_name, lists_by_string_prefix, lists_more_than_one_page, lists_what_is_there,
};
pub use names::{invalid_names_are_refused, long_names, unicode_names};
pub use races::{
    appenders_keep_every_record_whole, creators_have_one_winner, positioned_appends_take_turns,
    readers_see_whole_versions, replacers_lose_nothing,
};
pub use reading::{
    empty_blobs, missing_blobs_are_not_found, ranges_are_cut_at_the_end, reads_what_was_written,
    streams_are_whole, streams_keep_one_version,
};
pub use writing::{
    appends_are_added_to_the_end, appends_only_at_the_given_length, containers_are_apart,
    creates_from_a_file, creates_once, deletes_again_and_again, etags_change_with_every_write,
    puts_from_a_file, puts_whatever_was_there, replaces_only_the_given_version,
};

use crate::{Container, Store};

/// The container of the examination.
const CONTAINER: Container = Container::Reports;

/// Examines a store: every property but [`lists_more_than_one_page`], which writes thousands of blobs.
pub async fn run(store: Arc<dyn Store>) {
    let one = &*store;

    missing_blobs_are_not_found(one).await;
    reads_what_was_written(one).await;
    empty_blobs(one).await;
    ranges_are_cut_at_the_end(one).await;
    streams_are_whole(one).await;
    streams_keep_one_version(one).await;

    creates_once(one).await;
    creates_from_a_file(one).await;
    puts_whatever_was_there(one).await;
    puts_from_a_file(one).await;
    replaces_only_the_given_version(one).await;
    etags_change_with_every_write(one).await;
    appends_are_added_to_the_end(one).await;
    appends_only_at_the_given_length(one).await;
    deletes_again_and_again(one).await;
    containers_are_apart(one).await;

    lists_what_is_there(one).await;
    lists_by_name(one).await;
    lists_by_string_prefix(one).await;

    unicode_names(one).await;
    long_names(one).await;
    invalid_names_are_refused(one).await;

    creators_have_one_winner(&store).await;
    replacers_lose_nothing(&store).await;
    readers_see_whole_versions(&store).await;
    appenders_keep_every_record_whole(&store).await;
    positioned_appends_take_turns(&store).await;
}

/// The names that are listed under a prefix.
async fn listed(store: &dyn Store, prefix: &str) -> Vec<String> {
    let infos = store.list(CONTAINER, prefix).await.expect("list");
    let names = infos.map_ok(|info| info.name);
    names.try_collect().await.expect("the listing")
}

/// Deletes what an earlier run left under a prefix.
async fn clear(store: &dyn Store, prefix: &str) {
    for name in listed(store, prefix).await {
        store.delete(CONTAINER, &name).await.expect("delete");
    }
}

/// A blob's bytes.
async fn content(store: &dyn Store, name: &str) -> Bytes {
    store.read(CONTAINER, name).await.expect("read").0
}

/// Writes a blob of little interest.
async fn put(store: &dyn Store, name: &str, bytes: &'static str) -> crate::ETag {
    let bytes = Bytes::from_static(bytes.as_bytes());
    store.put(CONTAINER, name, bytes).await.expect("put")
}
