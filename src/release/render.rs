//! What `deploy`, `promote`, `rollback`, `status`, `history` and `prune` print: JSON documents and
//! text.
//!
//! The documents' schemas are `docs/schemas/gwtf.{release,status,history,prune}.v1.json`.

use super::error::Error;
use super::ledger::Ledger;
use super::perform::Outcome;
use super::record::{Artefact, Canary, KeptVersion, Kind, Release};
use super::store::Store;
use crate::console::table;
use crate::error::chain;
use crate::model::TensorSpec;
use crate::spec::version::Version;
use serde_json::{Value, json};

/// Where an endpoint's releases are, for the head of each document.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// Its stage.
    pub stage: &'a str,
    /// Its releases.
    pub store: &'a Store,
}

/// A kept version whose artefact is not whole, and how.
pub type Damage = (Version, Error);

impl Place<'_> {
    fn document(&self, schema: &str, rest: Value) -> Value {
        let mut document = json!({
            "schema": schema,
            "endpoint": self.endpoint,
            "target": "local",
            "stage": self.stage,
        });
        if let (Some(document), Value::Object(rest)) = (document.as_object_mut(), rest) {
            document.extend(rest);
        }
        document
    }

    fn model(&self, artefact: &Artefact) -> Value {
        json!({
            "path": self.store.model_path(artefact).to_string_lossy(),
            "sha256": artefact.digest.to_string(),
            "size_bytes": artefact.size_bytes(),
        })
    }

    /// `gwtf.release/v1`: what a command did, and what is live after it.
    pub fn release_document(&self, command: Kind, outcome: &Outcome) -> Value {
        let ledger = &outcome.ledger;
        let rest = json!({
            "command": command.name(),
            "changed": outcome.changed,
            "live": ledger.live().map(Version::as_str),
            "canary": canary_value(ledger.canary()),
            "previous": ledger.previous().map(Version::as_str),
            "release": ledger.releases().last().map(release_value),
        });
        self.document("gwtf.release/v1", rest)
    }

    /// `gwtf.status/v1`: every kept version, which is live, and what is damaged.
    pub fn status_document(&self, ledger: &Ledger, damage: &[Damage]) -> Value {
        let versions: Vec<Value> = ledger
            .versions()
            .iter()
            .map(|kept| {
                let broken = damage.iter().find(|(version, _)| *version == kept.version);
                json!({
                    "version": kept.version.as_str(),
                    "role": role(ledger, kept),
                    "model": self.model(&kept.artefact),
                    "signature": &kept.signature,
                    "damage": broken.map(|(_, error)| chain(error)),
                    "released": last_release(ledger, kept).map(release_value),
                })
            })
            .collect();
        let rest = json!({
            "live": ledger.live().map(Version::as_str),
            "canary": canary_value(ledger.canary()),
            "previous": ledger.previous().map(Version::as_str),
            "versions": versions,
            "drift": damage.iter().map(|(_, error)| chain(error)).collect::<Vec<_>>(),
        });
        self.document("gwtf.status/v1", rest)
    }

    /// `gwtf.history/v1`: every remembered release, newest first.
    pub fn history_document(&self, ledger: &Ledger) -> Value {
        let releases: Vec<Value> = ledger.releases().iter().rev().map(release_value).collect();
        self.document("gwtf.history/v1", json!({ "releases": releases }))
    }

    /// `gwtf.prune/v1`: which versions went, which are kept.
    pub fn prune_document(&self, ledger: &Ledger, removed: &[Version]) -> Value {
        let kept: Vec<Version> = ledger.tags();
        let rest = json!({ "removed": removed, "kept": kept });
        self.document("gwtf.prune/v1", rest)
    }

    /// What a command did, in a sentence or two.
    pub fn release_text(&self, command: Kind, outcome: &Outcome) -> String {
        let ledger = &outcome.ledger;
        let name = self.endpoint;
        let Some(live) = ledger.live() else { return format!("{name}: nothing is released\n") };
        let state = match ledger.canary() {
            Some(Canary { version, percent }) => {
                format!("`{live}` is live, `{version}` is its canary at {percent} %")
            }
            None => format!("`{live}` is live"),
        };
        if !outcome.changed {
            return format!("{name}: no changes: {state}\n");
        }
        let next = match (command, ledger.canary(), ledger.previous()) {
            (_, Some(_), _) => "\n`gwtf promote` makes the canary live, `gwtf rollback` ends it",
            (Kind::Deploy | Kind::Promote, None, Some(previous)) => {
                &format!("\n`gwtf rollback` goes back to `{previous}`")
            }
            (Kind::Deploy, None, None) => "\n`gwtf serve` answers for it",
            _ => "",
        };
        format!("{name}: {state}{next}\n")
    }

    /// Live, canary and every kept version.
    pub fn status_text(&self, ledger: &Ledger, damage: &[Damage], columns: usize) -> String {
        let Some(live) = ledger.live() else {
            return format!(
                "{} (local, stage {}): nothing is released\n",
                self.endpoint, self.stage
            );
        };
        let mut text = format!("{} (local, stage {})\n", self.endpoint, self.stage);
        text.push_str(&format!("  live      {live}\n"));
        if let Some(Canary { version, percent }) = ledger.canary() {
            text.push_str(&format!("  canary    {version} at {percent} %\n"));
        }
        if let Some(previous) = ledger.previous() {
            text.push_str(&format!("  previous  {previous}\n"));
        }
        let wide = columns >= WIDE_COLUMNS;
        let mut rows = table(columns);
        let mut header = vec!["VERSION", "ROLE", "SIZE", "RELEASED", "BY"];
        if wide {
            header.extend(["MODEL", "COMMIT", "TAKES", "GIVES"]);
        }
        rows.set_header(header);
        for kept in ledger.versions().iter().rev() {
            let broken = damage.iter().any(|(version, _)| *version == kept.version);
            let release = last_release(ledger, kept);
            let mut row = vec![
                kept.version.to_string(),
                if broken { "damaged" } else { role(ledger, kept) }.to_owned(),
                size_text(kept.artefact.size_bytes()),
                release.map_or_else(String::new, |release| release.deployed_at.short()),
                release.map_or_else(String::new, |release| release.deployed_by.clone()),
            ];
            if wide {
                row.push(kept.artefact.digest.short());
                row.push(release.map_or_else(String::new, commit_text));
                row.push(specs_text(&kept.signature.inputs));
                row.push(specs_text(&kept.signature.outputs));
            }
            rows.add_row(row);
        }
        format!("{text}\n{}\n", rows.trim_fmt())
    }

    /// Every remembered release, newest first.
    pub fn history_text(&self, ledger: &Ledger, columns: usize) -> String {
        if ledger.releases().is_empty() {
            return format!(
                "{} (local, stage {}): nothing is released\n",
                self.endpoint, self.stage
            );
        }
        let wide = columns >= WIDE_COLUMNS;
        let mut rows = table(columns);
        let mut header = vec!["#", "COMMAND", "VERSION", "CANARY", "LIVE", "WHEN", "BY"];
        if wide {
            header.extend(["MODEL", "COMMIT"]);
        }
        rows.set_header(header);
        for release in ledger.releases().iter().rev() {
            // A canary is only ever the version that its release is about.
            let canary = release.canary.as_ref();
            let mut row = vec![
                release.number.to_string(),
                release.kind.name().to_owned(),
                release.version.to_string(),
                canary.map_or_else(String::new, |canary| format!("{} %", canary.percent)),
                release.live.to_string(),
                release.deployed_at.short(),
                release.deployed_by.clone(),
            ];
            if wide {
                row.push(release.model_sha256.short());
                row.push(commit_text(release));
            }
            rows.add_row(row);
        }
        format!("{}\n", rows.trim_fmt())
    }

    /// Which versions went.
    pub fn prune_text(&self, ledger: &Ledger, removed: &[Version]) -> String {
        let list = |versions: &[Version]| {
            versions.iter().map(|version| format!("`{version}`")).collect::<Vec<_>>().join(", ")
        };
        let kept = list(&ledger.tags());
        if removed.is_empty() {
            format!("{}: no changes: kept {kept}\n", self.endpoint)
        } else {
            format!("{}: removed {}; kept {kept}\n", self.endpoint, list(removed))
        }
    }
}

/// From this width on, tables show digests, commits and signatures too.
const WIDE_COLUMNS: usize = 120;
/// Inputs or outputs of a version shown in a table.
const SPECS_SHOWN_MAX: usize = 4;
/// Characters of a commit shown in a table.
const COMMIT_CHARS: usize = 10;

fn role(ledger: &Ledger, kept: &KeptVersion) -> &'static str {
    if ledger.live() == Some(&kept.version) {
        "live"
    } else if ledger.canary().is_some_and(|canary| canary.version == kept.version) {
        "canary"
    } else {
        "kept"
    }
}

fn last_release<'a>(ledger: &'a Ledger, kept: &KeptVersion) -> Option<&'a Release> {
    ledger.releases().iter().rev().find(|release| release.version == kept.version)
}

fn canary_value(canary: Option<&Canary>) -> Value {
    canary.map_or(
        Value::Null,
        |canary| json!({ "version": canary.version.as_str(), "percent": canary.percent }),
    )
}

fn release_value(release: &Release) -> Value {
    serde_json::to_value(release).expect("a release has string keys and no fallible type")
}

fn commit_text(release: &Release) -> String {
    let commit = release.git_commit.as_deref().unwrap_or("-");
    commit.chars().take(COMMIT_CHARS).collect()
}

/// Inputs or outputs, a line each.
fn specs_text(specs: &[TensorSpec]) -> String {
    let shown = specs.iter().take(SPECS_SHOWN_MAX);
    let mut lines: Vec<String> =
        shown.map(|spec| format!("{} {}", spec.name, spec.type_text())).collect();
    if specs.len() > SPECS_SHOWN_MAX {
        lines.push(format!("and {} more", specs.len() - SPECS_SHOWN_MAX));
    }
    lines.join("\n")
}

fn size_text(size_bytes: u64) -> String {
    indicatif::HumanBytes(size_bytes).to_string()
}

#[cfg(test)]
mod tests;
