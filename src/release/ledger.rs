//! The ledger as a value, and the transitions that deploy, promote, rollback and prune are.
//!
//! A transition takes the ledger, the request and a [`Stamp`] (who, when, from which commit) and
//! gives the new ledger, `None` when there is nothing to change, or a [`Refused`].
//!
//! # Invariants
//! The live version and the canary are kept versions and differ; there is a canary only beside a
//! live version; a tag stands for the same bytes for as long as it is kept. [`Ledger::from_json`]
//! refuses a ledger that breaks one of them; the transitions keep them.

use super::record::{Canary, Deploy, KeptVersion, Kind, Release, is_inside};
use super::refused::Refused;
use crate::plan::Stamp;
use crate::spec::version::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The `schema` of `.gwtf/ledger.json`.
pub const LEDGER_SCHEMA: &str = "gwtf.ledger/v1";
/// Most versions kept at once: each has a session pool and routes of its own when served.
pub const VERSIONS_MAX: usize = 100;
/// Most releases remembered; the oldest are forgotten first.
pub const RELEASES_MAX: usize = 1_000;
/// Largest release number read, 2^53: beyond it JSON readers lose digits.
const RELEASE_NUMBER_MAX: u64 = 1 << 53;

/// All kept versions and all remembered releases of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    endpoint: String,
    versions: Vec<KeptVersion>,
    releases: Vec<Release>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerForm {
    schema: String,
    endpoint: String,
    versions: Vec<KeptVersion>,
    releases: Vec<Release>,
}

impl Ledger {
    /// The endpoint's name as of the latest release; `None` before the first.
    pub fn endpoint(&self) -> Option<&str> {
        (!self.releases.is_empty()).then_some(self.endpoint.as_str())
    }

    /// Kept versions, oldest first.
    pub fn versions(&self) -> &[KeptVersion] {
        &self.versions
    }

    /// Remembered releases, oldest first.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// The version that unpinned routes reach.
    pub fn live(&self) -> Option<&Version> {
        self.releases.last().map(|release| &release.live)
    }

    /// The running canary.
    pub fn canary(&self) -> Option<&Canary> {
        self.releases.last().and_then(|release| release.canary.as_ref())
    }

    /// The kept version of this tag.
    pub fn version(&self, version: &Version) -> Option<&KeptVersion> {
        self.versions.iter().find(|kept| kept.version == *version)
    }

    /// Makes a version live, or a canary beside the live one.
    ///
    /// The live version again, or the canary again at its share, changes nothing (`None`); the
    /// canary at another share changes the share.
    ///
    /// # Errors
    /// The tag stands for other bytes, the signature breaks the live one, another canary is
    /// running, or there is no live version for a canary to stand beside.
    pub fn deploy(&self, request: Deploy, stamp: Stamp) -> Result<Option<Self>, Refused> {
        if !self.has_to_deploy(&request)? {
            return Ok(None);
        }
        let Deploy { endpoint, version, artefact, signature, canary_percent, .. } = request;
        let mut next = self.clone();
        next.endpoint = endpoint;
        if self.version(&version).is_none() {
            next.versions.push(KeptVersion { version: version.clone(), artefact, signature });
        }
        let (live, canary) = match (canary_percent, self.live()) {
            (Some(percent), Some(live)) => {
                (live.clone(), Some(Canary { version: version.clone(), percent }))
            }
            _ => (version.clone(), None),
        };
        next.append(Kind::Deploy, version, live, canary, stamp);
        Ok(Some(next))
    }

    /// Whether a deploy changes anything, or why it is refused.
    fn has_to_deploy(&self, request: &Deploy) -> Result<bool, Refused> {
        let Deploy { version, canary_percent, .. } = request;
        if let Some(percent) = canary_percent.filter(|percent| !(1..=99).contains(percent)) {
            return Err(Refused::CanaryPercent { percent });
        }
        let kept = self.version(version);
        if let Some(kept) = kept.filter(|kept| kept.artefact.digest != request.artefact.digest) {
            let kept = kept.artefact.digest;
            return Err(Refused::TagTaken { version: version.clone(), kept });
        }
        let Some(live) = self.live() else {
            return match canary_percent {
                Some(_) => Err(Refused::CanaryNeedsLive { version: version.clone() }),
                None => Ok(true),
            };
        };
        if live == version {
            return Ok(false);
        }
        match (self.canary(), canary_percent) {
            (Some(canary), None) if canary.version == *version => {
                return Err(Refused::IsCanary { version: version.clone() });
            }
            (Some(canary), Some(percent)) if canary.version == *version => {
                return Ok(*percent != canary.percent);
            }
            (Some(canary), _) => {
                let canary = canary.version.clone();
                return Err(Refused::CanaryRunning { version: version.clone(), canary });
            }
            (None, _) => {}
        }
        if !request.breaking.is_empty() && !request.allow_breaking {
            let changes = request.breaking.clone();
            return Err(Refused::Breaking {
                version: version.clone(),
                live: live.clone(),
                changes,
            });
        }
        if kept.is_none() && self.versions.len() >= VERSIONS_MAX {
            return Err(Refused::VersionsFull);
        }
        Ok(true)
    }

    /// Makes the canary live.
    ///
    /// # Errors
    /// No canary is running.
    pub fn promote(&self, stamp: Stamp) -> Result<Self, Refused> {
        let canary = self.canary().ok_or_else(|| {
            if self.releases.is_empty() {
                Refused::NothingReleased
            } else {
                Refused::NoCanary { live: self.live().cloned() }
            }
        })?;
        let mut next = self.clone();
        next.append(Kind::Promote, canary.version.clone(), canary.version.clone(), None, stamp);
        Ok(next)
    }

    /// Points back: to the version named, or, if none is, away from the canary when one is running,
    /// or to the version that was live before.
    ///
    /// Going back twice returns to where one was, as with `kubectl rollout undo` and
    /// `helm rollback`; `to` goes farther. `None` when the version named is live and no canary is
    /// running.
    ///
    /// # Errors
    /// Nothing is released, the version is not kept, it is the canary, or none was live before.
    pub fn rollback(&self, to: Option<&Version>, stamp: Stamp) -> Result<Option<Self>, Refused> {
        let live = self.live().ok_or(Refused::NothingReleased)?;
        let target = match (to, self.canary()) {
            (Some(to), _) if self.version(to).is_none() => {
                return Err(Refused::NotKept { version: to.clone(), kept: self.tags() });
            }
            (Some(to), Some(canary)) if canary.version == *to => {
                return Err(Refused::IsCanary { version: to.clone() });
            }
            (Some(to), None) if to == live => return Ok(None),
            (Some(to), _) => to,
            (None, Some(_)) => live,
            (None, None) => self
                .previous()
                .ok_or_else(|| Refused::NoPrevious { live: live.clone(), kept: self.tags() })?,
        };
        let mut next = self.clone();
        next.append(Kind::Rollback, target.clone(), target.clone(), None, stamp);
        Ok(Some(next))
    }

    /// Forgets all versions but the live one, the canary and the most recently released ones, so
    /// that `keep` remain (more only if live and canary alone are more); also says which went.
    /// `None` when nothing goes.
    ///
    /// # Errors
    /// `keep` is zero, or nothing is released.
    pub fn prune(&self, keep: usize) -> Result<Option<(Self, Vec<Version>)>, Refused> {
        let live = self.live().ok_or(Refused::NothingReleased)?;
        if keep == 0 {
            return Err(Refused::KeepZero);
        }
        let mut by_need: Vec<&Version> =
            std::iter::once(live).chain(self.canary().map(|canary| &canary.version)).collect();
        let always = by_need.len();
        let recent = self.releases.iter().rev().map(|release| &release.version);
        for version in recent.chain(self.versions.iter().rev().map(|kept| &kept.version)) {
            if self.version(version).is_some() && !by_need.contains(&version) {
                by_need.push(version);
            }
        }
        by_need.truncate(keep.max(always));
        let (versions, removed): (Vec<_>, Vec<_>) =
            self.versions.iter().cloned().partition(|kept| by_need.contains(&&kept.version));
        if removed.is_empty() {
            return Ok(None);
        }
        let next = Self { versions, ..self.clone() };
        Ok(Some((next, removed.into_iter().map(|kept| kept.version).collect())))
    }

    /// The version that was live before the live one and is still kept.
    pub fn previous(&self) -> Option<&Version> {
        let live = self.live()?;
        let lives = self.releases.iter().rev().map(|release| &release.live);
        lives.into_iter().find(|version| *version != live && self.version(version).is_some())
    }

    /// Kept tags, oldest first.
    pub fn tags(&self) -> Vec<Version> {
        self.versions.iter().map(|kept| kept.version.clone()).collect()
    }

    /// The document that `.gwtf/ledger.json` holds.
    pub fn to_json(&self) -> Vec<u8> {
        let form = LedgerForm {
            schema: LEDGER_SCHEMA.to_owned(),
            endpoint: self.endpoint.clone(),
            versions: self.versions.clone(),
            releases: self.releases.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&form)
            .expect("the form has string keys and no fallible type");
        bytes.push(b'\n');
        bytes
    }

    /// Reads such a document and holds it to the invariants.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the file's path.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct SchemaOnly {
            schema: String,
        }
        let SchemaOnly { schema } =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no ledger: {error}"))?;
        if schema != LEDGER_SCHEMA {
            return Err(format!("its schema is `{schema}`, this gwtf reads `{LEDGER_SCHEMA}`"));
        }
        let form: LedgerForm =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no ledger: {error}"))?;
        let LedgerForm { schema: _, endpoint, versions, releases } = form;
        let ledger = Self { endpoint, versions, releases };
        ledger.check()?;
        Ok(ledger)
    }

    /// Holds a ledger to the invariants; the error names the one it breaks.
    fn check(&self) -> Result<(), String> {
        let tags: BTreeSet<&Version> = self.versions.iter().map(|kept| &kept.version).collect();
        if tags.len() != self.versions.len() {
            return Err("a version stands in it twice".to_owned());
        }
        if self.versions.len() > VERSIONS_MAX || self.releases.len() > RELEASES_MAX {
            return Err("it holds more versions or releases than gwtf writes".to_owned());
        }
        if !self.releases.is_sorted_by(|a, b| a.number < b.number) {
            return Err("its releases are out of order".to_owned());
        }
        if self.releases.last().is_some_and(|release| release.number > RELEASE_NUMBER_MAX) {
            return Err(format!("a release number is beyond {RELEASE_NUMBER_MAX}"));
        }
        let names = self.releases.iter().map(|release| &release.deployed_by);
        if names.chain([&self.endpoint]).any(|text| text.contains(char::is_control)) {
            return Err("a name in it holds control characters".to_owned());
        }
        for file in self.versions.iter().flat_map(|kept| &kept.artefact.files) {
            if !is_inside(&file.path) {
                return Err(format!("the artefact path `{}` leads outside", file.path));
            }
        }
        match (self.live(), self.canary()) {
            (None, _) if !self.versions.is_empty() => {
                Err("it keeps versions but no release".to_owned())
            }
            (Some(live), _) if !tags.contains(live) => {
                Err(format!("live `{live}` is not among its versions"))
            }
            (Some(live), Some(canary)) if canary.version == *live => {
                Err(format!("`{live}` is live and canary at once"))
            }
            (_, Some(canary)) if !tags.contains(&canary.version) => {
                Err(format!("canary `{}` is not among its versions", canary.version))
            }
            (_, Some(canary)) if !(1..=99).contains(&canary.percent) => {
                Err(format!("the canary's share is {} %", canary.percent))
            }
            _ => Ok(()),
        }
    }

    fn append(
        &mut self,
        kind: Kind,
        version: Version,
        live: Version,
        canary: Option<Canary>,
        stamp: Stamp,
    ) {
        let number = self.releases.last().map_or(1, |release| release.number + 1);
        let kept = self.version(&version).expect("a release is about a kept version");
        let model_sha256 = kept.artefact.digest;
        let Stamp { at: deployed_at, by: deployed_by, git_commit } = stamp;
        self.releases.push(Release {
            number,
            kind,
            version,
            live,
            canary,
            model_sha256,
            deployed_at,
            deployed_by,
            git_commit,
        });
        let surplus = self.releases.len().saturating_sub(RELEASES_MAX);
        self.releases.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
