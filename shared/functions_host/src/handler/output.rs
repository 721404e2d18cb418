//! The lines that the handler writes, and their levels.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::event::{EventSink, HostEvent, OutputLevel};

/// How many error lines are kept to explain a crash.
const KEPT_ERROR_LINES: usize = 10;

/// Lines that begin so belong to the platform.
const SYSTEM_PREFIXES: [&str; 2] = ["LanguageWorkerConsoleLog", "azfuncjsonlog:"];

/// Where the lines of one handler process go.
#[derive(Clone)]
pub(crate) struct OutputLog {
    instance: Arc<str>,
    sink: Arc<dyn EventSink>,
    stderr_for_errors_only: bool,
    errors: Arc<Mutex<VecDeque<String>>>,
}

impl OutputLog {
    pub(crate) fn new(
        instance: Arc<str>,
        sink: Arc<dyn EventSink>,
        stderr_for_errors_only: bool,
    ) -> Self {
        Self {
            instance,
            sink,
            stderr_for_errors_only,
            errors: Arc::default(),
        }
    }

    /// The last lines on standard error.
    pub(crate) fn last_errors(&self) -> Vec<String> {
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Reads until the handler closes the stream.
    pub(crate) async fn read(self, stream: impl AsyncRead + Unpin, is_stderr: bool) {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while let Ok(read) = reader.read_until(b'\n', &mut bytes).await
            && read > 0
        {
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_end_matches(['\n', '\r']).to_owned();
            self.take(line, is_stderr);
            bytes.clear();
        }
    }

    fn take(&self, line: String, is_stderr: bool) {
        if line.is_empty() {
            return;
        }
        if is_stderr {
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push_back(line.clone());
            if errors.len() > KEPT_ERROR_LINES {
                errors.pop_front();
            }
        }
        let level = level(&line, is_stderr, self.stderr_for_errors_only);
        self.sink.event(HostEvent::HandlerOutput {
            instance: self.instance.clone(),
            level,
            line,
        });
    }
}

fn level(line: &str, is_stderr: bool, stderr_for_errors_only: bool) -> OutputLevel {
    let lower = line.to_lowercase();
    if SYSTEM_PREFIXES
        .iter()
        .any(|prefix| line.starts_with(prefix))
    {
        OutputLevel::System
    } else if !is_stderr {
        OutputLevel::Information
    } else if lower.contains("warn") {
        OutputLevel::Warning
    } else if stderr_for_errors_only
        || ["error", "fail", "severe"]
            .iter()
            .any(|word| lower.contains(word))
    {
        OutputLevel::Error
    } else {
        OutputLevel::Information
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_and_the_word_decide_the_level() {
        assert_eq!(level("error: x", false, true), OutputLevel::Information);
        assert_eq!(level("A WARNing", true, true), OutputLevel::Warning);
        assert_eq!(level("hello", true, true), OutputLevel::Error);
        assert_eq!(level("hello", true, false), OutputLevel::Information);
        assert_eq!(level("it failed", true, false), OutputLevel::Error);
        assert_eq!(level("azfuncjsonlog:{}", false, true), OutputLevel::System);
    }
}
