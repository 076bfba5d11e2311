//! What a schema cannot say of `gwtf.toml`: forms of names, and keys that must agree.

use super::check::Places;
use super::complaint::Complaints;
use super::file::{Auth, File};
use crate::error::Explain;
use crate::load::assertion::Assertion;
use std::collections::BTreeMap;
use std::ops::Range;

/// Longest name of an endpoint, characters: it is a part of longer AWS names.
pub(super) const ENDPOINT_NAME_CHARS_MAX: usize = 31;
/// Longest name of an API key, characters.
const KEY_NAME_CHARS_MAX: usize = 64;
/// Longest name of a stage, characters (API Gateway's limit).
const STAGE_CHARS_MAX: usize = 128;

/// Notes every rule that the file breaks.
pub(super) fn check(file: &File, places: &Places, complaints: &mut Complaints) {
    let mut rules = Rules { places, complaints };
    rules.endpoint(file);
    rules.gateway(file);
    rules.usage_plans(file);
    rules.others(file);
}

struct Rules<'a> {
    places: &'a Places,
    complaints: &'a mut Complaints,
}

impl Rules<'_> {
    fn complain(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        const TOP: &Range<usize> = &(0..0);
        let span = self.places.get(path).unwrap_or(TOP);
        self.complaints.add(span, message, hint);
    }

    fn endpoint(&mut self, file: &File) {
        if let Some(name) = file.endpoint.name.as_deref().filter(|name| !is_endpoint_name(name)) {
            self.complain(
                "endpoint.name",
                format!("`endpoint.name` is {name:?}"),
                "write 1 to 31 small letters, digits and `-`, a letter first",
            );
        }
        let is_stage = |stage: &str| {
            (1..=STAGE_CHARS_MAX).contains(&stage.len())
                && stage.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if let Some(stage) = file.endpoint.stage.as_deref().filter(|stage| !is_stage(stage)) {
            self.complain(
                "endpoint.stage",
                format!("`endpoint.stage` is {stage:?}"),
                "write letters, digits, `-` and `_`",
            );
        }
        let is_region = |region: &str| {
            (1..=32).contains(&region.len())
                && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if let Some(region) = file.endpoint.region.as_deref().filter(|region| !is_region(region)) {
            self.complain(
                "endpoint.region",
                format!("`endpoint.region` is {region:?}"),
                "write a Region's code, for instance eu-west-1",
            );
        }
    }

    fn gateway(&mut self, file: &File) {
        if file.gateway.auth == Some(Auth::Jwt) && file.gateway.jwt.is_none() {
            self.complain(
                "gateway.auth",
                "`gateway.auth` is \"jwt\" and there is no [gateway.jwt]",
                "add [gateway.jwt] with `issuer` and `audience`",
            );
        }
        let Some(jwt) = &file.gateway.jwt else { return };
        let issuer = url::Url::parse(&jwt.issuer);
        if !issuer.is_ok_and(|url| url.scheme() == "https" && url.has_host()) {
            self.complain(
                "gateway.jwt.issuer",
                format!("`gateway.jwt.issuer` is {:?}", jwt.issuer),
                "write the issuer's https:// URL as it stands in the tokens",
            );
        }
        for (n, grant) in jwt.grant.iter().enumerate() {
            let is_arn = |role: &str| role.starts_with("arn:") && role.contains(":role/");
            if let Some(role) = grant.role.as_deref().filter(|role| !is_arn(role)) {
                self.complain(
                    &format!("gateway.jwt.grant[{n}].role"),
                    format!("`gateway.jwt.grant[{n}].role` is {role:?}"),
                    "write a role's ARN: arn:aws:iam::ACCOUNT:role/NAME",
                );
            }
        }
    }

    fn usage_plans(&mut self, file: &File) {
        let mut plans = BTreeMap::new();
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        for (n, plan) in file.usage_plan.iter().enumerate() {
            let path = format!("usage_plan[{n}]");
            if plan.name.trim().is_empty() {
                let message = format!("`{path}.name` is empty");
                self.complain(&format!("{path}.name"), message, "name the plan");
            } else if plans.insert(plan.name.clone(), n).is_some() {
                let message = format!("`{path}.name` is {:?} a second time", plan.name);
                self.complain(&format!("{path}.name"), message, "give each plan its own name");
            }
            for (k, key) in plan.keys.iter().enumerate() {
                let path = format!("{path}.keys[{k}]");
                if !is_key_name(key) {
                    self.complain(
                        &path,
                        format!("`{path}` is {key:?}"),
                        "write 1 to 64 small letters, digits, `-` and `_`, a letter first",
                    );
                } else if let Some(other) = keys.insert(key_variable(key), key.clone()) {
                    self.complain(
                        &path,
                        format!("`{path}` is {key:?} beside {other:?}"),
                        "a key is in one plan, and keys differ in more than `-` and `_`",
                    );
                }
            }
        }
    }

    fn others(&mut self, file: &File) {
        if let Some(tasks) = file.service.tasks.filter(|tasks| tasks.min > tasks.max) {
            self.complain(
                "service.tasks",
                format!("`service.tasks` is from {} to {}", tasks.min, tasks.max),
                "`min` is at most `max`",
            );
        }
        let expressions = [
            ("gate.assert", file.gate.as_ref().map(|gate| gate.assert.as_slice())),
            ("release.rollback_on", Some(file.release.rollback_on.as_slice())),
        ];
        for (path, texts) in expressions {
            for (n, text) in texts.into_iter().flatten().enumerate() {
                if let Err(error) = text.parse::<Assertion>() {
                    let path = format!("{path}[{n}]");
                    let hint = error.hint().unwrap_or_default();
                    self.complain(&path, format!("`{path}`: {error}"), &hint);
                }
            }
        }
    }
}

/// Whether a text is an endpoint's name: `[a-z][a-z0-9-]{0,30}`.
pub fn is_endpoint_name(text: &str) -> bool {
    text.len() <= ENDPOINT_NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_key_name(text: &str) -> bool {
    text.len() <= KEY_NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// The variable that sets the value of a key: `GWTF_KEY_ALICE`.
pub fn key_variable(name: &str) -> String {
    format!("GWTF_KEY_{}", name.to_ascii_uppercase().replace('-', "_"))
}
