//! The ledger as a list of events: what was done, by whom, when, and what was live afterwards.
//!
//! The stage remembers its last moves, deployments remember what they serve. A deployment whose move
//! is no longer remembered, or that was never released because its deploy was stopped, is an event
//! too; what was live after it is not known then.

use super::super::Ledger;
use super::super::ledger::Entry;
use super::super::record::{Move, MoveKind};
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use serde_json::{Value, json};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event<'a> {
    pub(super) kind: MoveKind,
    pub(super) version: &'a Version,
    /// The live version afterwards, where it is known.
    pub(super) live: Option<&'a Version>,
    /// The canary's share of the requests afterwards.
    pub(super) canary_percent: Option<u8>,
    pub(super) at: Timestamp,
    pub(super) by: &'a str,
    /// From which commit; that of the deployment's making.
    pub(super) git_commit: Option<&'a str>,
    pub(super) deployment: &'a str,
    /// What the deployment serves; none when it has been deleted.
    pub(super) entry: Option<&'a Entry>,
}

impl MoveKind {
    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Prune => "prune",
        }
    }
}

/// All events that are remembered, oldest first.
pub(super) fn events(ledger: &Ledger) -> Vec<Event<'_>> {
    let moves = &ledger.moves.moves;
    let unmoved = ledger.entries.iter().filter(|entry| !moves.iter().any(|one| made(entry, one)));
    let mut events: Vec<Event<'_>> = unmoved.map(of_entry).collect();
    events.extend(moves.iter().rev().map(|one| of_move(ledger, one)));
    // Stable: what happened in the same second stays in its order.
    events.sort_by_key(|event| event.at);
    let mut live = None;
    for event in &mut events {
        let is_move = event.live.is_some();
        if is_move && event.canary_percent.is_none() {
            live = event.live;
        } else if is_move {
            event.live = live;
        }
    }
    events
}

/// Whether the move is that of the deploy that made the deployment.
fn made(entry: &Entry, one: &Move) -> bool {
    one.deployment == entry.deployment && matches!(one.kind, MoveKind::Deploy | MoveKind::Prune)
}

fn of_entry(entry: &Entry) -> Event<'_> {
    let record = &entry.record;
    Event {
        kind: MoveKind::Deploy,
        version: &record.version,
        live: None,
        canary_percent: None,
        at: record.at,
        by: &record.by,
        git_commit: record.git_commit.as_deref(),
        deployment: &entry.deployment,
        entry: Some(entry),
    }
}

fn of_move<'a>(ledger: &'a Ledger, one: &'a Move) -> Event<'a> {
    let entry = ledger.entry(&one.deployment);
    let commit = entry.filter(|entry| made(entry, one) && entry.record.at == one.at);
    Event {
        kind: one.kind,
        version: &one.version,
        live: Some(&one.version),
        canary_percent: one.canary_percent,
        at: one.at,
        by: &one.by,
        git_commit: commit.and_then(|entry| entry.record.git_commit.as_deref()),
        deployment: &one.deployment,
        entry,
    }
}

impl Event<'_> {
    /// The event as documents hold it.
    pub(super) fn value(&self) -> Value {
        let record = self.entry.map(|entry| &entry.record);
        json!({
            "number": null,
            "kind": self.kind.name(),
            "version": self.version,
            "live": self.live,
            "canary": self.canary_percent.map(|percent| json!({
                "version": self.version,
                "percent": percent,
            })),
            "model_sha256": record.map(|record| record.model_sha256),
            "deployed_at": self.at,
            "deployed_by": self.by,
            "git_commit": self.git_commit,
            "deployment": self.deployment,
            "function_version": record.map(|record| &record.function_version),
            "artefact_sha256": record.map(|record| record.artefact_sha256),
            "gate": record.and_then(|record| record.gate.as_ref()),
        })
    }
}
