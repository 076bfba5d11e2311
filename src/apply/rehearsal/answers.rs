//! What a rehearsed account's data plane would answer: stage, deployment, integration, alias,
//! version, and whether API Gateway may invoke it.

use super::{Rehearsal, State};
use crate::plan::Names;
use crate::plan::observed::Stage;
use serde_json::Value;

/// Who answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The deployment whose snapshot has the route.
    pub deployment: String,
    /// The function.
    pub function: String,
    /// The alias that the integration names.
    pub alias: String,
    /// The published version that the alias points to.
    pub version: String,
    /// That version's code.
    pub code_sha256: String,
}

/// Who answers a route, and who answers the canary's share of it; else why nobody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// By the live deployment.
    pub live: Result<Served, String>,
    /// By the canary's, while there is one.
    pub canary: Option<Result<Served, String>>,
}

impl Rehearsal {
    /// Who answers `VERB /path` of the endpoint's stage.
    ///
    /// # Errors
    /// The endpoint has no REST API or no stage: the URL is not there.
    pub fn answers(&self, names: &Names, verb: &str, path: &str) -> Result<Answers, String> {
        self.locked(|state| {
            let api = state.gateway.apis().find(|api| names.owns(&api.observed.tags));
            let api = api.ok_or("there is no REST API")?;
            let stage = api.stages.get(&names.stage).ok_or("there is no stage")?;
            let served = |deployment: &str| {
                let snapshot = api.deployments.get(deployment).ok_or("its deployment is gone")?;
                let id = &api.observed.id;
                let uri = integration_uri(&snapshot.document, verb, path)?;
                state.invoked(uri, &state.method_arn(id, stage, verb, path), deployment)
            };
            let canary = stage.canary.as_ref();
            Ok(Answers {
                live: served(&stage.deployment_id),
                canary: canary.map(|canary| served(&canary.deployment_id)),
            })
        })
    }
}

impl State {
    fn method_arn(&self, rest_api: &str, stage: &Stage, verb: &str, path: &str) -> String {
        let super::Place { partition, region, account_id } = &self.place;
        let (stage, path) = (&stage.name, path.trim_start_matches('/'));
        format!(
            "arn:{partition}:execute-api:{region}:{account_id}:{rest_api}/{stage}/{verb}/{path}"
        )
    }

    fn invoked(&self, uri: &str, method_arn: &str, deployment: &str) -> Result<Served, String> {
        let arn =
            uri.split_once("/functions/").and_then(|(_, rest)| rest.strip_suffix("/invocations"));
        let arn = arn.ok_or_else(|| format!("`{uri}` names no function"))?;
        let (function, alias, version) = self.functions.invoked(arn)?;
        if !alias.permissions.values().any(|pattern| matches(pattern, method_arn)) {
            return Err(format!("no permission on `{arn}` for `{method_arn}`"));
        }
        Ok(Served {
            deployment: deployment.to_owned(),
            function: function.to_owned(),
            alias: alias.name.clone(),
            version: version.version.clone(),
            code_sha256: version.code_sha256.clone(),
        })
    }
}

/// The integration of a route in an imported document.
fn integration_uri<'a>(document: &'a Value, verb: &str, path: &str) -> Result<&'a str, String> {
    let operation = &document["paths"][path][verb.to_ascii_lowercase()];
    if operation.is_null() {
        return Err(format!("there is no route {verb} {path}"));
    }
    let uri = operation["x-amazon-apigateway-integration"]["uri"].as_str();
    uri.ok_or_else(|| format!("{verb} {path} has no integration with a function"))
}

/// Whether an ARN fits a pattern of `ArnLike`: `*` is any text, `?` any character.
fn matches(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<char>, Vec<char>) = (pattern.chars().collect(), arn.chars().collect());
    let (mut p, mut a) = (0, 0);
    // Where the last `*` was, and how much it has taken.
    let mut star: Option<(usize, usize)> = None;
    while a < arn.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, a));
                p += 1;
            }
            Some(c) if *c == '?' || *c == arn[a] => {
                p += 1;
                a += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                a = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_of_arns() {
        let arn = "arn:aws:execute-api:eu-west-1:1:abc/prod/POST/v1/predict";
        for (pattern, fits) in [
            ("arn:aws:execute-api:eu-west-1:1:abc/prod/POST/v1/predict", true),
            ("arn:aws:execute-api:eu-west-1:1:abc/*/POST/v1/predict", true),
            ("arn:aws:execute-api:eu-west-1:1:abc/*", true),
            ("arn:aws:execute-api:eu-west-1:1:ab?/*/*/*", true),
            ("arn:aws:execute-api:eu-west-1:1:abd/*", false),
            ("arn:aws:execute-api:eu-west-1:1:abc/prod/GET/*", false),
            ("arn:aws:execute-api:eu-west-1:1:abc/prod/POST/v1/predict?", false),
            ("", false),
        ] {
            assert_eq!(matches(pattern, arn), fits, "{pattern}");
        }
    }
}
