//! What `deploy`, `promote`, `rollback`, `status`, `history` and `prune` print of an endpoint on AWS.

use super::super::ledger::Kept;
use super::super::{Change, Drift, Ledger, Names, Observed, Plan};
use super::history::{Event, events};
use super::plan::{drift_line, drift_value};
use super::text::{clean, wrap};
use crate::console::table;
use crate::model::TensorSpec;
use crate::spec::version::Version;
use serde_json::{Value, json};

/// From this width on, tables show digests, commits and signatures too.
const WIDE_COLUMNS: usize = 120;
/// The command whose documents are of its own kind.
const PRUNE: &str = "prune";
/// Inputs or outputs of a version shown in a table.
const SPECS_SHOWN_MAX: usize = 4;
/// Characters of a commit shown in a table.
const COMMIT_CHARS: usize = 10;

/// What is printed about.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where the endpoint is.
    pub names: &'a Names,
    /// Its ledger.
    pub ledger: &'a Ledger,
    /// What the ledger was read from.
    pub observed: &'a Observed,
    /// Base of the endpoint's URL, once there is an API.
    pub url: Option<&'a str>,
}

impl Place<'_> {
    fn document(&self, schema: &str, rest: Value) -> Value {
        let mut document = json!({
            "schema": schema,
            "endpoint": self.names.endpoint,
            "target": "lambda",
            "stage": self.names.stage,
            "region": self.names.region,
            "account_id": self.names.account_id,
        });
        if let (Some(document), Value::Object(rest)) = (document.as_object_mut(), rest) {
            document.extend(rest);
        }
        document
    }

    fn live(&self) -> Option<&Version> {
        self.ledger.live().map(|entry| &entry.record.version)
    }

    fn previous(&self) -> Option<&Version> {
        self.ledger.previous().map(|entry| &entry.record.version)
    }

    fn canary(&self) -> Option<(&Version, f64)> {
        self.ledger.canary().map(|(entry, percent)| (&entry.record.version, percent))
    }

    fn canary_value(&self) -> Value {
        self.canary().map_or(
            Value::Null,
            |(version, percent)| json!({ "version": version, "percent": whole(percent) }),
        )
    }

    /// What a command did by this plan, and what is live after it: `gwtf.prune/v1` of `prune`,
    /// `gwtf.release/v1` of all others. The ledger is that after the command.
    pub fn release_document(&self, command: &str, plan: &Plan) -> Value {
        if command == PRUNE {
            let rest = json!({ "removed": self.removed(plan), "kept": self.kept() });
            return self.document("gwtf.prune/v1", rest);
        }
        let rest = json!({
            "command": command,
            "changed": !plan.changes_nothing(),
            "url": self.url,
            "live": self.live(),
            "canary": self.canary_value(),
            "previous": self.previous(),
            "release": events(self.ledger).last().map(Event::value),
        });
        self.document("gwtf.release/v1", rest)
    }

    /// `gwtf.status/v1`: every kept version, which is live, and what was changed by hand.
    pub fn status_document(&self, drift: &[Drift]) -> Value {
        let events = events(self.ledger);
        let versions: Vec<Value> = self
            .ledger
            .kept
            .iter()
            .map(|kept| {
                let record = &kept.record;
                let deployment = self.ledger.newest_of(&record.version);
                json!({
                    "version": record.version,
                    "role": self.role(kept),
                    "model": { "sha256": record.model_sha256 },
                    "signature": record.signature,
                    "damage": null,
                    "released": last_event(&events, kept).map(Event::value),
                    "function_version": kept.function_version,
                    "deployment": deployment.map(|entry| &entry.deployment),
                    "artefact_sha256": record.artefact_sha256,
                })
            })
            .collect();
        let rest = json!({
            "url": self.url,
            "live": self.live(),
            "canary": self.canary_value(),
            "previous": self.previous(),
            "versions": versions,
            "drift": drift.iter().map(drift_line).collect::<Vec<_>>(),
            "drift_details": drift.iter().map(drift_value).collect::<Vec<_>>(),
        });
        self.document("gwtf.status/v1", rest)
    }

    /// `gwtf.history/v1`: every remembered release, newest first.
    pub fn history_document(&self) -> Value {
        let releases: Vec<Value> = events(self.ledger).iter().rev().map(Event::value).collect();
        self.document("gwtf.history/v1", json!({ "releases": releases }))
    }

    /// What a command did, in a sentence or two.
    pub fn release_text(&self, command: &str, plan: &Plan) -> String {
        if command == PRUNE {
            return self.prune_text(&self.removed(plan));
        }
        let name = &self.names.endpoint;
        let Some(live) = self.live() else { return format!("{name}: nothing is released\n") };
        let state = match self.canary() {
            Some((version, percent)) => {
                format!("`{live}` is live, `{version}` is its canary at {} %", whole(percent))
            }
            None => format!("`{live}` is live"),
        };
        if plan.changes_nothing() {
            return format!("{name}: no changes: {state}\n");
        }
        let next = match (command, self.canary(), self.previous()) {
            (_, Some(_), _) => {
                "\n`gwtf promote` makes the canary live, `gwtf rollback` ends it".to_owned()
            }
            ("deploy" | "promote", None, Some(previous)) => {
                format!("\n`gwtf rollback` goes back to `{previous}`")
            }
            _ => String::new(),
        };
        let url = self.url.map_or_else(String::new, |url| format!("\n{url}"));
        format!("{name}: {state}{url}{next}\n")
    }

    /// Live, canary, every kept version, and what was changed by hand.
    pub fn status_text(&self, drift: &[Drift], columns: usize) -> String {
        let head = self.head();
        let Some(stage) = &self.ledger.stage else {
            return wrap(&format!("{head}: nothing is released"), 0, 2, columns);
        };
        let mut text = wrap(&head, 0, 2, columns);
        let live = self.live().map_or_else(
            || format!("deployment {}, which gwtf did not make", stage.deployment_id),
            Version::to_string,
        );
        text.push_str(&format!("  live      {live}\n"));
        if let Some((version, percent)) = self.canary() {
            text.push_str(&format!("  canary    {version} at {} %\n", whole(percent)));
        }
        if let Some(previous) = self.previous() {
            text.push_str(&format!("  previous  {previous}\n"));
        }
        if let Some(url) = self.url {
            text.push_str(&format!("  url       {}", wrap(url, 12, 12, columns)));
        }
        text.push_str(&format!("\n{}\n", self.versions_table(columns)));
        if !drift.is_empty() {
            text.push_str("\nnot as the last release left it:\n");
            for drift in drift {
                text.push_str("  ");
                text.push_str(&wrap(&drift_line(drift), 2, 4, columns));
            }
        }
        text
    }

    fn versions_table(&self, columns: usize) -> String {
        let wide = columns >= WIDE_COLUMNS;
        let events = events(self.ledger);
        let mut rows = table(columns);
        let mut header = vec!["VERSION", "ROLE", "FUNCTION", "RELEASED", "BY"];
        if wide {
            header.extend(["MODEL", "COMMIT", "DEPLOYMENT", "TAKES", "GIVES"]);
        }
        rows.set_header(header);
        for kept in self.ledger.kept.iter().rev() {
            let record = &kept.record;
            let event = last_event(&events, kept);
            let mut row = vec![
                record.version.to_string(),
                self.role(kept).to_owned(),
                format!("version {}", kept.function_version),
                event.map_or_else(String::new, |event| event.at.short()),
                event.map_or_else(String::new, |event| clean(event.by)),
            ];
            if wide {
                let deployment = self.ledger.newest_of(&record.version);
                row.push(record.model_sha256.short());
                row.push(commit_text(record.git_commit.as_deref()));
                row.push(deployment.map_or_else(String::new, |entry| entry.deployment.clone()));
                row.push(specs_text(&record.signature.inputs));
                row.push(specs_text(&record.signature.outputs));
            }
            rows.add_row(row);
        }
        rows.trim_fmt()
    }

    /// Every remembered release, newest first.
    pub fn history_text(&self, columns: usize) -> String {
        let events = events(self.ledger);
        if events.is_empty() {
            return wrap(&format!("{}: nothing is released", self.head()), 0, 2, columns);
        }
        let wide = columns >= WIDE_COLUMNS;
        let mut rows = table(columns);
        let mut header = vec!["COMMAND", "VERSION", "CANARY", "LIVE", "WHEN", "BY"];
        if wide {
            header.extend(["MODEL", "COMMIT", "FUNCTION", "DEPLOYMENT", "GATE"]);
        }
        rows.set_header(header);
        for event in events.iter().rev() {
            let mut row = vec![
                event.kind.name().to_owned(),
                event.version.to_string(),
                event.canary_percent.map_or_else(String::new, |percent| format!("{percent} %")),
                event.live.map_or_else(|| "-".to_owned(), Version::to_string),
                event.at.short(),
                clean(event.by),
            ];
            if wide {
                let record = event.entry.map(|entry| &entry.record);
                let of = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
                row.push(of(record.map(|record| record.model_sha256.short())));
                row.push(commit_text(event.git_commit));
                row.push(of(record.map(|record| format!("version {}", record.function_version))));
                row.push(event.deployment.to_owned());
                row.push(of(record.and_then(|record| record.gate.as_deref()).map(clean)));
            }
            rows.add_row(row);
        }
        format!("{}\n", rows.trim_fmt())
    }

    /// Versions whose aliases a plan deletes; their records stay in the ledger.
    fn removed(&self, plan: &Plan) -> Vec<Version> {
        let mut removed = Vec::new();
        for change in plan.changes() {
            let Change::DeleteAlias { alias, .. } = change else { continue };
            let of_alias = |version: &&Version| {
                self.names.alias(version.as_str()).is_ok_and(|name| name == *alias)
            };
            let mut versions = self.ledger.entries.iter().map(|entry| &entry.record.version);
            removed.extend(versions.find(of_alias).cloned());
        }
        removed
    }

    /// Which versions went.
    fn prune_text(&self, removed: &[Version]) -> String {
        let list = |versions: &[Version]| {
            versions.iter().map(|version| format!("`{version}`")).collect::<Vec<_>>().join(", ")
        };
        let kept: Vec<Version> = self.kept().into_iter().cloned().collect();
        let kept = list(&kept);
        if removed.is_empty() {
            format!("{}: no changes: kept {kept}\n", self.names.endpoint)
        } else {
            format!("{}: removed {}; kept {kept}\n", self.names.endpoint, list(removed))
        }
    }

    fn kept(&self) -> Vec<&Version> {
        self.ledger.kept.iter().map(|kept| &kept.record.version).collect()
    }

    fn head(&self) -> String {
        let Names { endpoint, region, account_id, stage, .. } = self.names;
        format!("{endpoint} (lambda, {region}, account {account_id}, stage {stage})")
    }

    fn role(&self, kept: &Kept) -> &'static str {
        let version = &kept.record.version;
        if self.live() == Some(version) {
            "live"
        } else if self.canary().is_some_and(|(canary, _)| canary == version) {
            "canary"
        } else {
            "kept"
        }
    }
}

fn last_event<'a>(events: &'a [Event<'a>], kept: &Kept) -> Option<&'a Event<'a>> {
    events.iter().rev().find(|event| *event.version == kept.record.version)
}

/// A share that gwtf set is a whole number; one set by hand is shown as the nearest from 1 to 99.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(percent: f64) -> u8 {
    percent.round().clamp(1.0, 99.0) as u8
}

fn commit_text(commit: Option<&str>) -> String {
    commit.unwrap_or("-").chars().take(COMMIT_CHARS).collect()
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
