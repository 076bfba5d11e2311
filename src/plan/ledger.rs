//! The ledger of an endpoint on AWS, read out of what was observed.

use super::names::Names;
use super::observed::{Alias, Deployment, Observed, Stage};
use super::record::{Move, Moves, Record};
use crate::spec::version::Version;

/// A deployment that gwtf made.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The deployment's id.
    pub deployment: String,
    /// What it serves.
    pub record: Record,
}

/// A version whose function is still there.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its newest record.
    pub record: Record,
    /// The function's version that its alias points to.
    pub function_version: String,
}

/// Deployments, stage and moves of one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Deployments with a record, oldest first.
    pub entries: Vec<Entry>,
    /// The endpoint's stage.
    pub stage: Option<Stage>,
    /// The last moves of its pointer.
    pub moves: Moves,
    /// Versions that can be served, in the order of their first record.
    pub kept: Vec<Kept>,
}

impl Ledger {
    /// The ledger in what was observed.
    pub fn of(observed: &Observed, names: &Names) -> Self {
        let entry = |deployment: &Deployment| {
            let record = Record::parse(&deployment.description)?;
            Some(Entry { deployment: deployment.id.clone(), record })
        };
        let mut entries: Vec<Entry> = observed.deployments.iter().filter_map(entry).collect();
        // AWS tells when each was made to the second only. Numbers alone are not unique either: a
        // deploy whose lock was broken may have gone on.
        entries.sort_by_key(|entry| (entry.record.number, entry.record.at));
        let stage = observed.stages.iter().find(|stage| stage.name == names.stage).cloned();
        let moves = stage.as_ref().map(|stage| Moves::parse(&stage.description));
        let kept = kept(&entries, observed, names);
        Self { entries, stage, moves: moves.unwrap_or_default(), kept }
    }

    /// The deployment of this id, if gwtf made it.
    pub fn entry(&self, deployment: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.deployment == deployment)
    }

    /// The number of the next deployment.
    pub fn next_number(&self) -> u64 {
        self.entries.iter().map(|entry| entry.record.number).max().unwrap_or(0).saturating_add(1)
    }

    /// What the stage points to.
    pub fn live(&self) -> Option<&Entry> {
        self.entry(&self.stage.as_ref()?.deployment_id)
    }

    /// What the stage's canary points to, and its share in percent.
    pub fn canary(&self) -> Option<(&Entry, f64)> {
        let canary = self.stage.as_ref()?.canary.as_ref()?;
        Some((self.entry(&canary.deployment_id)?, canary.percent))
    }

    /// The last move of the stage itself.
    pub fn last_move(&self) -> Option<&Move> {
        self.moves.moves.iter().find(|one| one.canary_percent.is_none())
    }

    /// The newest deployment that makes a version live.
    pub fn newest_of(&self, version: &Version) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.record.version == *version)
    }

    /// The version's function, if it is still there.
    pub fn kept(&self, version: &Version) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.record.version == *version)
    }

    /// The deployment that was live before: the last one that the stage was moved away from, or, when
    /// no move says so, the newest of another version made before the live one.
    pub fn previous(&self) -> Option<&Entry> {
        let live = self.live()?;
        // A version that was pruned has no routes in the newest deployment. One whose alias was
        // deleted by hand has: going back to it is refused, rather than going elsewhere unasked.
        let newest = self.entries.last()?;
        let is_other = |entry: &&Entry| {
            let version = &entry.record.version;
            *version != live.record.version
                && (self.kept(version).is_some() || newest.record.pinned.contains(version))
        };
        let moved = self.moves.moves.iter().filter(|one| one.canary_percent.is_none());
        moved.filter_map(|one| self.entry(&one.deployment)).find(is_other).or_else(|| {
            let before = self.entries.iter().rev();
            before.skip_while(|entry| entry.deployment != live.deployment).find(is_other)
        })
    }
}

fn kept(entries: &[Entry], observed: &Observed, names: &Names) -> Vec<Kept> {
    let Some(function) = &observed.function else { return Vec::new() };
    let mut kept: Vec<Kept> = Vec::new();
    for entry in entries {
        let Ok(name) = names.alias(entry.record.version.as_str()) else { continue };
        let is_there = |alias: &&Alias| {
            alias.name == name
                && function.versions.iter().any(|version| version.version == alias.version)
        };
        let Some(alias) = function.aliases.iter().find(is_there) else { continue };
        let version = alias.version.clone();
        let newer = Kept { record: entry.record.clone(), function_version: version };
        match kept.iter_mut().find(|one| one.record.version == newer.record.version) {
            Some(older) => *older = newer,
            None => kept.push(newer),
        }
    }
    kept
}
