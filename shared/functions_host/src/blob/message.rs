//! The message of a blob event, as the host writes it to its queue.
//!
//! Source: `Listeners/BlobTriggerMessage.cs` of the Storage Blobs extension.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::wire::FUNCTION_ID_PREFIX;

/// One blob event for one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Message {
    #[serde(rename = "Type")]
    kind: String,
    function_id: String,
    blob_type: String,
    container_name: String,
    blob_name: String,
    #[serde(rename = "ETag")]
    etag: String,
}

impl Message {
    /// `etag` without quotes.
    pub(crate) fn new(function: &str, container: &str, blob: &str, etag: &str) -> Self {
        Self {
            kind: "BlobTrigger".to_owned(),
            function_id: format!("{FUNCTION_ID_PREFIX}{function}"),
            blob_type: "BlockBlob".to_owned(),
            container_name: container.to_owned(),
            blob_name: blob.to_owned(),
            etag: format!("\"{etag}\""),
        }
    }

    pub(crate) fn function(&self) -> &str {
        self.function_id
            .strip_prefix(FUNCTION_ID_PREFIX)
            .unwrap_or(&self.function_id)
    }

    pub(crate) fn container(&self) -> &str {
        &self.container_name
    }

    pub(crate) fn blob(&self) -> &str {
        &self.blob_name
    }

    /// `container/name`, for people.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.container_name, self.blob_name)
    }

    /// The blob's file; `None` when the name leads out of the container, so that no such blob can exist.
    pub(crate) fn file(&self, data_root: &Path) -> Option<PathBuf> {
        let relative = Path::new(&self.container_name).join(&self.blob_name);
        let stays_inside = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (stays_inside && !self.blob_name.is_empty()).then(|| data_root.join(relative))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_message_has_the_hosts_members() {
        let message = Message::new("ingest", "incoming", "a/b.csv", "0x8D");
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            json!({"Type":"BlobTrigger","FunctionId":"Host.Functions.ingest","BlobType":"BlockBlob","ContainerName":"incoming","BlobName":"a/b.csv","ETag":"\"0x8D\""})
        );
        assert_eq!(message.function(), "ingest");
    }

    #[test]
    fn a_name_that_leads_out_of_the_container_has_no_file() {
        let file = |container: &str, blob: &str| {
            Message::new("f", container, blob, "").file(Path::new("/d"))
        };
        assert_eq!(file("in", "a/b"), Some("/d/in/a/b".into()));
        for (container, blob) in [
            ("in", "../x"),
            ("in", "a/../../x"),
            ("in", "/etc/x"),
            ("..", "x"),
            ("in", ""),
        ] {
            assert_eq!(file(container, blob), None, "{container} {blob}");
        }
    }
}
