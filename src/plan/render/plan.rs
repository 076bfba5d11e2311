//! A plan as a list that a person reads, and as `gwtf.plan/v1`.

use super::super::{Action, Difference, Drift, Names, Plan, Verb};
use super::Style;
use super::request::{digest, request};
use super::text::{Paint, clean, cut, wrap};
use crate::spec::version::Version;
use serde_json::{Value, json};

/// Longest value shown, characters.
const VALUE_CHARS_MAX: usize = 60;
/// Columns of an action's verb, with its sign.
const VERB_COLUMNS: usize = 10;

/// `gwtf.plan/v1`; `version` is what the plan is about, if it is about one.
pub fn document(plan: &Plan, names: &Names, version: Option<&Version>) -> Value {
    json!({
        "schema": "gwtf.plan/v1",
        "endpoint": names.endpoint,
        "target": "lambda",
        "stage": names.stage,
        "region": names.region,
        "account_id": names.account_id,
        "version": version.map(Version::as_str),
        "actions": plan.actions.iter().map(action_value).collect::<Vec<_>>(),
        "drift": plan.drift.iter().map(drift_value).collect::<Vec<_>>(),
        "notes": plan.notes,
        "changes_count": plan.changes().count(),
        "digest": digest(plan).to_string(),
    })
}

/// The plan for a person.
pub fn text(plan: &Plan, names: &Names, version: Option<&Version>, style: Style) -> String {
    let Style { columns, color, verbose } = style;
    let paint = Paint { on: color };
    let about = version.map_or_else(String::new, |version| format!(", version {version}"));
    let head = format!(
        "{} (lambda, {}, account {}, stage {}){about}",
        names.endpoint, names.region, names.account_id, names.stage
    );
    let mut text = wrap(&head, 0, 2, columns);
    text.push('\n');
    for action in &plan.actions {
        if verbose || action.change.is_some() {
            text.push_str(&action_text(action, columns, paint));
        }
    }
    let kept = plan.actions.iter().filter(|action| action.change.is_none()).count();
    if kept > 0 && !verbose {
        let label = paint.ink("2", &format!("{:VERB_COLUMNS$}", "= keep"));
        text.push_str(&format!("{label}{kept} as they are\n"));
    }
    if !plan.drift.is_empty() {
        text.push('\n');
        text.push_str(&paint.ink("33", "changed by hand since the last release:"));
        text.push('\n');
        for drift in &plan.drift {
            text.push_str("  ");
            text.push_str(&wrap(&drift_line(drift), 2, 4, columns));
        }
    }
    if !plan.notes.is_empty() {
        text.push('\n');
    }
    for note in &plan.notes {
        text.push_str(&wrap(&format!("note: {}", clean(note)), 0, 6, columns));
    }
    text.push('\n');
    text.push_str(&closing(plan));
    text
}

/// How much there is to do.
fn closing(plan: &Plan) -> String {
    let count = |verb| {
        let with = |action: &&Action| action.verb == verb && action.change.is_some();
        plan.actions.iter().filter(with).count()
    };
    let calls = match plan.changes().count() {
        0 => return "no changes\n".to_owned(),
        1 => "1 call that changes something".to_owned(),
        calls => format!("{calls} calls that change something"),
    };
    let (create, update, delete) = (count(Verb::Create), count(Verb::Update), count(Verb::Delete));
    format!("{create} to create, {update} to update, {delete} to delete; {calls}\n")
}

fn action_value(action: &Action) -> Value {
    let Action { verb, object, reason, differences, change, after, gives, wait: _ } = action;
    let operation = change.as_ref().map(super::super::Change::operation);
    json!({
        "verb": verb,
        "kind": object.kind,
        "name": object.name,
        "reason": reason,
        "differences": differences,
        "service": operation.map(|(service, _)| service.prefix()),
        "operation": operation.map(|(_, operation)| operation),
        "request": change.as_ref().map(request),
        "after": after,
        "gives": gives,
    })
}

/// A drift as documents hold it.
pub(super) fn drift_value(drift: &Drift) -> Value {
    let Drift { object, difference, since } = drift;
    json!({
        "kind": object.kind,
        "name": object.name,
        "what": difference.what,
        "observed": difference.observed,
        "desired": difference.desired,
        "since": since,
    })
}

fn action_text(action: &Action, columns: usize, paint: Paint) -> String {
    let (sign, ink) = match action.verb {
        Verb::Create => ('+', "32"),
        Verb::Update => ('~', "33"),
        Verb::Delete => ('-', "31"),
        Verb::Keep => ('=', "2"),
    };
    let label = format!("{sign} {}", action.verb.name());
    let mut text = paint.ink(ink, &format!("{label:VERB_COLUMNS$}"));
    let object = &action.object;
    let line = format!("{} {}: {}", object.kind, clean(&object.name), clean(&action.reason));
    text.push_str(&wrap(&line, VERB_COLUMNS, VERB_COLUMNS + 2, columns));
    for difference in &action.differences {
        let indent = VERB_COLUMNS + 4;
        text.push_str(&" ".repeat(indent));
        text.push_str(&wrap(&difference_text(difference), indent, indent + 2, columns));
    }
    text
}

fn difference_text(difference: &Difference) -> String {
    let Difference { what, observed, desired } = difference;
    format!("{what}: {} -> {}", value_text(observed.as_deref()), value_text(desired.as_deref()))
}

fn value_text(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| cut(&clean(value), VALUE_CHARS_MAX))
}

/// One sentence of a drift.
pub fn drift_line(drift: &Drift) -> String {
    let Drift { object, difference, since } = drift;
    let Difference { what, observed, desired } = difference;
    // The object says what kind of thing it is a setting of.
    let what = what.split_once('.').map_or(what.as_str(), |(_, what)| what);
    let since =
        since.map_or_else(String::new, |since| format!(", since {} at the latest", since.short()));
    format!(
        "{} {}: {what} is {}, the release left {}{since}",
        object.kind,
        clean(&object.name),
        value_text(observed.as_deref()),
        value_text(desired.as_deref()),
    )
}
