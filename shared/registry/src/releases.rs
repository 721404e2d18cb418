//! Releases: propose, approve, promote, roll back. What serves is the newest release, unless it was aborted.
//!
//! The create-only write of `{n:06}.json` is the moment of the release. Whoever is second looks again and decides again.

mod approval;
mod serving;
mod status;

pub use serving::Serving;
pub use status::{Candidate, ReleaseStatus};

use bytes::Bytes;
use sluice_storage::Container;

use crate::document::{self, Created, check_number, create, encode};
use crate::error::Result;
use crate::paths::DocumentPath;
use crate::registry::Registry;
use crate::sequence::Sequence;
use crate::{
    Abort, Challenger, ChallengerMode, Digest, ModelRef, RegistryError, Release, ReleaseKind,
};

/// The release documents of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Releases<'a> {
    pub(crate) registry: &'a Registry,
}

/// A release, and whether this call made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The release in force.
    pub release: Release,
    /// `false` when it was in force already: the request was repeated, and nothing was written.
    pub changed: bool,
}

impl Releases<'_> {
    /// Makes an approved model the champion: a new release. Promoting the champion again changes nothing and says so.
    ///
    /// # Errors
    /// `NotApproved`, `ChampionAborted` when it is the champion and its release was aborted, `DigestMismatch` when the
    /// stored bytes are not the approved ones, `ReadOnly`, `Storage`.
    pub async fn promote(&self, digest: Digest, by: &str, why: &str) -> Result<Change> {
        self.registry.auditor()?;
        let Some(approval) = self.approval(digest).await? else {
            let model = self.registry.models().find_by_digest(digest).await?;
            let model = model.map_or_else(|| digest.to_string(), |card| name_of(&card.model_ref()));
            return Err(RegistryError::NotApproved { model });
        };
        self.check_candidate(&approval.model, approval.evidence)
            .await?;
        self.registry.models().model_bytes(&approval.model).await?;
        loop {
            let newest = self.newest().await?;
            let previous = match &newest {
                None => None,
                Some(newest) => {
                    let serving = self.serving_of(newest.clone()).await?;
                    if newest.champion.digest == digest {
                        return match serving.aborted {
                            None => Ok(Change {
                                release: newest.clone(),
                                changed: false,
                            }),
                            Some(abort) => Err(RegistryError::ChampionAborted {
                                model: name_of(&newest.champion),
                                release: newest.number,
                                reason: abort.reason,
                            }),
                        };
                    }
                    Some(serving.model)
                }
            };
            let number = newest.map_or(1, |newest| newest.number + 1);
            let previous = match previous {
                // An abort fell back to this very model: the way back from it is the one it had before.
                Some(serving) if serving.digest == digest => self
                    .last_release_of(&serving, number - 1)
                    .await?
                    .and_then(|earlier| earlier.previous),
                previous => previous,
            };
            let release = Release {
                number,
                champion: approval.model.clone(),
                previous,
                challenger: None,
                approval: approval.clone(),
                reason: ReleaseKind::Promote.reason(why),
                released_by: by.to_owned(),
                released_at: self.registry.now(),
            };
            if self.commit(&release).await? {
                return Ok(Change {
                    release,
                    changed: true,
                });
            }
        }
    }

    /// Takes back release `from` (the newest when `None`): a new release whose champion is the previous one. Taking the
    /// same release back again changes nothing and says so.
    ///
    /// # Errors
    /// `NoRelease`, `NotNewest`, `NothingToFallBackTo`, `DigestMismatch`, `ReadOnly`, `Storage`.
    pub async fn rollback(&self, from: Option<u64>, by: &str, why: &str) -> Result<Change> {
        self.registry.auditor()?;
        loop {
            let newest = self.newest().await?.ok_or(RegistryError::NoRelease)?;
            if let Some(from) = from.filter(|from| *from != newest.number) {
                if newest.number == from + 1 && newest.kind() == ReleaseKind::Rollback {
                    return Ok(Change {
                        release: newest,
                        changed: false,
                    });
                }
                return Err(RegistryError::NotNewest {
                    asked: from,
                    newest: newest.number,
                });
            }
            let number = newest.number;
            let champion = newest
                .previous
                .ok_or(RegistryError::NothingToFallBackTo { release: number })?;
            self.registry.models().model_bytes(&champion).await?;
            let earlier = self.last_release_of(&champion, number).await?;
            let approval = match &earlier {
                Some(earlier) => earlier.approval.clone(),
                None => self.approval(champion.digest).await?.ok_or_else(|| {
                    RegistryError::NotApproved {
                        model: name_of(&champion),
                    }
                })?,
            };
            let release = Release {
                number: number + 1,
                // The way back from here goes on backwards, never to the model that was just taken back.
                previous: earlier.and_then(|earlier| earlier.previous),
                champion,
                challenger: None,
                approval,
                reason: ReleaseKind::Rollback.reason(why),
                released_by: by.to_owned(),
                released_at: self.registry.now(),
            };
            if self.commit(&release).await? {
                return Ok(Change {
                    release,
                    changed: true,
                });
            }
        }
    }

    /// Sets or clears the challenger: a new release with the same champion. A canary answers callers, so it must be
    /// approved; a shadow must be registered.
    ///
    /// # Errors
    /// `NoRelease`, `ChampionAborted`, `NotApproved`, `NotFound`, `DifferentModel`, `Inconsistent` when the weight is
    /// not a share, `ReadOnly`, `Storage`.
    pub async fn set_challenger(
        &self,
        challenger: Option<Challenger>,
        by: &str,
        why: &str,
    ) -> Result<Change> {
        self.registry.auditor()?;
        if let Some(challenger) = &challenger {
            self.check_challenger(challenger).await?;
        }
        loop {
            let newest = self.newest().await?.ok_or(RegistryError::NoRelease)?;
            if newest.challenger == challenger {
                return Ok(Change {
                    release: newest,
                    changed: false,
                });
            }
            if let Some(abort) = self.serving_of(newest.clone()).await?.aborted {
                let (model, release) = (name_of(&newest.champion), newest.number);
                return Err(RegistryError::ChampionAborted {
                    model,
                    release,
                    reason: abort.reason,
                });
            }
            if challenger
                .as_ref()
                .is_some_and(|challenger| challenger.model.digest == newest.champion.digest)
            {
                return Err(RegistryError::inconsistent(
                    "the challenger",
                    "it is the champion already",
                ));
            }
            let release = Release {
                number: newest.number + 1,
                challenger: challenger.clone(),
                reason: ReleaseKind::Challenger.reason(why),
                released_by: by.to_owned(),
                released_at: self.registry.now(),
                ..newest
            };
            if self.commit(&release).await? {
                return Ok(Change {
                    release,
                    changed: true,
                });
            }
        }
    }

    /// Makes the newest release fall back to its previous champion, once: the first abort stays and is returned.
    ///
    /// # Errors
    /// `NoRelease`, `NotNewest`, `NothingToFallBackTo`, `ReadOnly`, `Storage`.
    pub async fn abort(&self, abort: Abort) -> Result<Abort> {
        self.registry.auditor()?;
        let path = DocumentPath::Abort {
            release: abort.release,
        };
        let stored = document::read::<Abort>(&**self.registry.store(), &path, "abort").await?;
        if let Some(stored) = stored {
            return Ok(stored.document);
        }
        let newest = self.newest().await?.ok_or(RegistryError::NoRelease)?;
        if newest.number != abort.release {
            return Err(RegistryError::NotNewest {
                asked: abort.release,
                newest: newest.number,
            });
        }
        if newest.previous.is_none() {
            return Err(RegistryError::NothingToFallBackTo {
                release: newest.number,
            });
        }
        self.write_once(&path, "abort", abort, |_, _| true).await
    }

    /// The newest release, aborted or not.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn newest(&self) -> Result<Option<Release>> {
        match self.sequence().newest().await? {
            0 => Ok(None),
            number => self.get(number).await,
        }
    }

    /// One release, `None` when there is none of that number.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn get(&self, number: u64) -> Result<Option<Release>> {
        let path = release_path(number);
        let stored = document::read::<Release>(&**self.registry.store(), &path, "release").await?;
        let release = stored.map(|stored| stored.document);
        check_number(
            &path,
            number,
            release.as_ref().map(|release| release.number),
        )?;
        Ok(release)
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence {
            store: &**self.registry.store(),
            pointer: DocumentPath::ReleasePointer,
            document: &release_path,
        }
    }

    /// Writes a release if its number is free, and says whether it is in force.
    async fn commit(&self, release: &Release) -> Result<bool> {
        let bytes: Bytes = encode(&format!("release {}", release.number), release)?;
        let created = self.sequence().commit(release.number, &bytes).await?;
        if created == Created::Different {
            return Ok(false);
        }
        self.sequence().point(release.number, &bytes).await?;
        if created == Created::New {
            self.registry
                .recorded(&release_path(release.number), &bytes)
                .await?;
        }
        Ok(true)
    }

    /// The newest release before `number` in which `model` was champion.
    async fn last_release_of(&self, model: &ModelRef, number: u64) -> Result<Option<Release>> {
        for earlier in (1..number).rev() {
            if let Some(release) = self.get(earlier).await?
                && release.champion.digest == model.digest
            {
                return Ok(Some(release));
            }
        }
        Ok(None)
    }

    async fn check_challenger(&self, challenger: &Challenger) -> Result<()> {
        if !(0.0..=1.0).contains(&challenger.weight) {
            let reason = format!(
                "its weight is {}: expected a share from 0 to 1",
                challenger.weight
            );
            return Err(RegistryError::inconsistent("the challenger", reason));
        }
        let model = &challenger.model;
        let card = self
            .registry
            .models()
            .card(&model.name, model.version)
            .await?;
        same_digest(model, "model digest", card.file.digest, model.digest)?;
        if challenger.mode == ChallengerMode::Canary && self.approval(model.digest).await?.is_none()
        {
            return Err(RegistryError::NotApproved {
                model: name_of(model),
            });
        }
        Ok(())
    }

    /// Writes a document that is written once. A stored one that is `the_same` wish stands and is returned.
    async fn write_once<T>(
        &self,
        path: &DocumentPath,
        what: &'static str,
        new: T,
        the_same: impl Fn(&T, &T) -> bool,
    ) -> Result<T>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let store = &**self.registry.store();
        let bytes = encode(what, &new)?;
        match create(store, path, &bytes).await? {
            Created::New => {
                self.registry.recorded(path, &bytes).await?;
                Ok(new)
            }
            Created::Same => Ok(new),
            Created::Different => match document::read::<T>(store, path, what).await? {
                Some(stored) if the_same(&stored.document, &new) => Ok(stored.document),
                _ => Err(RegistryError::AlreadyExists { what: path.full() }),
            },
        }
    }
}

pub(crate) fn name_of(model: &ModelRef) -> String {
    format!(
        "model {}/{} ({})",
        model.name,
        model.version,
        model.digest.short()
    )
}

fn release_path(number: u64) -> DocumentPath {
    DocumentPath::Release { number }
}

fn same_digest(
    model: &ModelRef,
    what: &'static str,
    expected: Digest,
    found: Digest,
) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(RegistryError::DifferentModel {
        model: format!("model {}/{}", model.name, model.version),
        what,
        expected,
        found,
    })
}

/// Whether an abort of a release exists, for the watch of the pointer.
fn abort_name(release: u64) -> (Container, String) {
    let path = DocumentPath::Abort { release };
    (path.container(), path.to_string())
}
