//! What answers now, and the watch for changes.

use serde::{Deserialize, Serialize};

use super::{Releases, abort_name};
use crate::document;
use crate::error::Result;
use crate::paths::DocumentPath;
use crate::{Abort, ModelRef, Release};

/// What answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// The newest release.
    pub release: Release,
    /// Its champion, or its previous champion when it was aborted.
    pub model: ModelRef,
    /// Why it was aborted, if it was.
    pub aborted: Option<Abort>,
}

impl Releases<'_> {
    /// What answers, `None` before the first release.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn serving(&self) -> Result<Option<Serving>> {
        match self.newest().await? {
            Some(release) => self.serving_of(release).await.map(Some),
            None => Ok(None),
        }
    }

    /// What answers, if that is something else than what the caller `seen` last. Made for a look every few seconds:
    /// releases are numbered and never change, so when nothing changed this asks only whether the next release and the
    /// abort of this one exist, and reads no document.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn poll(&self, seen: Option<&Serving>) -> Result<Option<Serving>> {
        let Some(seen) = seen else {
            return self.serving().await;
        };
        let sequence = self.sequence();
        let released = sequence.exists(seen.release.number + 1);
        let (released, aborted) = futures::try_join!(released, self.newly_aborted(seen))?;
        if released || aborted {
            self.serving().await
        } else {
            Ok(None)
        }
    }

    async fn newly_aborted(&self, seen: &Serving) -> Result<bool> {
        if seen.aborted.is_some() {
            return Ok(false);
        }
        let (container, name) = abort_name(seen.release.number);
        Ok(document::found(self.registry.store().info(container, &name).await)?.is_some())
    }

    /// What answers when `release` is the newest. Without a previous champion there is nothing to fall back to, and the
    /// champion goes on; the registry writes no such abort.
    pub(super) async fn serving_of(&self, release: Release) -> Result<Serving> {
        let path = DocumentPath::Abort {
            release: release.number,
        };
        let aborted = document::read::<Abort>(&**self.registry.store(), &path, "abort").await?;
        let aborted = aborted.map(|stored| stored.document);
        let fallback = release.previous.as_ref().filter(|_| aborted.is_some());
        let model = fallback.unwrap_or(&release.champion).clone();
        Ok(Serving {
            release,
            model,
            aborted,
        })
    }
}
