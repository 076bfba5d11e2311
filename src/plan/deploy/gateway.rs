//! The REST API: its definition as one document, and the deployment that snapshots it.

use super::super::action::Verb;
use super::super::change::{Change, placeholder};
use super::super::record::{DESCRIPTION_CHARS_MAX, NewRecord, Record};
use super::super::settings;
use super::function::{PlannedFunction, configuration};
use super::{DEPLOYMENT, Planner, REST_API, Refused};
use crate::model::{Digest, Signature};
use crate::spec::limits;
use crate::spec::version::Version;
use crate::spec::{self, Endpoint, Gateway, Integration, openapi};
use std::collections::BTreeSet;

/// The deployment that the stage shall point to.
pub(super) struct Snapshot {
    /// Its id, or its placeholder.
    pub(super) id: String,
    /// The action that makes it.
    pub(super) made: Option<usize>,
}

impl Planner<'_> {
    /// The id of the REST API, or its placeholder.
    pub(super) fn rest_api_id(&self) -> String {
        self.observed.rest_api.as_ref().map_or_else(|| placeholder(REST_API), |api| api.id.clone())
    }

    pub(super) fn rest_api(&mut self) -> Result<Option<usize>, Refused> {
        let names = &self.wanted.names;
        let object = ("rest api", names.endpoint.as_str());
        if let Some(api) = &self.observed.rest_api {
            self.keep(object, format!("it is there, id {}", api.id));
            return Ok(None);
        }
        let count = self.observed.rest_api_count;
        if count >= limits::REST_APIS_MAX {
            return Err(Refused::Limit {
                object: names.endpoint.clone(),
                complaint: format!("the account has {count} REST APIs in this Region already"),
                fix: "delete one, or ask for a higher quota `Regional APIs per Region`".to_owned(),
            });
        }
        let create = Change::CreateRestApi {
            name: names.endpoint.clone(),
            description: format!("Model endpoint {}", names.endpoint),
            tags: names.tags(),
        };
        let action = self.act(Verb::Create, object, "it is not there", create, []);
        self.gives(action, REST_API);
        Ok(Some(action))
    }

    /// The contract of every kept version, the wanted one live.
    fn contract(&self) -> Result<Gateway, Refused> {
        let Self { wanted, ledger, .. } = self;
        let mut versions: Vec<(&Version, &Signature)> = ledger
            .kept
            .iter()
            .filter(|kept| kept.record.version != wanted.version)
            .map(|kept| (&kept.record.version, &kept.record.signature))
            .collect();
        versions.push((&wanted.version, &wanted.signature));
        // The same versions give the same document, whichever was deployed first.
        versions.sort_by_key(|(tag, _)| *tag);
        contract(wanted, &versions, &wanted.version)
    }

    /// Everything that the deployment snapshots, and the deployment if there is none of it.
    pub(super) fn deployment(
        &mut self,
        api: Option<usize>,
        function: &PlannedFunction,
        permissions: &[usize],
    ) -> Result<Snapshot, Refused> {
        let wanted = self.wanted;
        let gateway = self.contract()?;
        let document = openapi::document(&gateway, wanted.names.place())?.to_string();
        check_limits(&gateway, &document)?;
        let snapshot_sha256 = snapshot_sha256(&document, wanted, function);
        let object = ("deployment", wanted.version.as_str());
        let same = self.ledger.entries.iter().rev().find(|entry| {
            entry.record.snapshot_sha256 == snapshot_sha256
                && entry.record.version == wanted.version
        });
        if let Some(entry) = same {
            let id = entry.deployment.clone();
            self.keep(object, format!("deployment {id} is a snapshot of just this"));
            return Ok(Snapshot { id, made: None });
        }
        let rest_api = self.rest_api_id();
        let put = Change::PutRestApi { rest_api: rest_api.clone(), document };
        let reason = self.why_deploy();
        let imported = self.act(
            Verb::Update,
            ("definition", &wanted.names.endpoint),
            reason.clone(),
            put,
            api,
        );
        let pinned: BTreeSet<&str> =
            gateway.routes.iter().filter_map(|route| route.version.as_deref()).collect();
        let record = Record::new(
            NewRecord {
                number: self.ledger.next_number(),
                version: wanted.version.clone(),
                function_version: function.version.clone(),
                model_sha256: wanted.model_sha256,
                artefact_sha256: function.artefact_sha256,
                snapshot_sha256,
                pinned: pinned.into_iter().filter_map(|tag| tag.parse().ok()).collect(),
                settings: settings::wanted(wanted),
                signature: wanted.signature.clone(),
            },
            &wanted.stamp,
        );
        let description = record.text();
        if description.len() > DESCRIPTION_CHARS_MAX {
            return Err(Refused::Limit {
                object: format!("version {}", wanted.version),
                complaint: format!(
                    "its record in the ledger has {} characters, of {DESCRIPTION_CHARS_MAX} at most",
                    description.len()
                ),
                fix: "the model's signature is too long: shorten the names of its tensors"
                    .to_owned(),
            });
        }
        let create = Change::CreateDeployment { rest_api, description };
        // Whatever is in the ledger can be released: its alias and permissions are there.
        let function = [function.published, function.alias].into_iter().flatten();
        let after = function.chain(permissions.iter().copied()).chain([imported]);
        let made = self.act(Verb::Create, object, reason, create, after);
        let id = self.gives(made, DEPLOYMENT);
        Ok(Snapshot { id, made: Some(made) })
    }

    fn why_deploy(&self) -> String {
        let version = &self.wanted.version;
        match self.ledger.newest_of(version) {
            None => format!("version `{version}` has never been deployed"),
            Some(entry) => {
                let gone: Vec<&str> = entry
                    .record
                    .pinned
                    .iter()
                    .filter(|tag| **tag != *version && self.ledger.kept(tag).is_none())
                    .map(Version::as_str)
                    .collect();
                let new: Vec<&str> = self
                    .ledger
                    .kept
                    .iter()
                    .map(|kept| &kept.record.version)
                    .filter(|tag| !entry.record.pinned.contains(tag))
                    .map(Version::as_str)
                    .collect();
                match (new.as_slice(), gone.as_slice()) {
                    ([], []) => "routes, models, auth, the function or settings differ from its last snapshot".to_owned(),
                    ([], gone) => format!("versions {} are kept no more", gone.join(", ")),
                    (new, _) => format!("versions {} have come since its last snapshot", new.join(", ")),
                }
            }
        }
    }
}

/// The contract of these versions with one of them live.
pub(in crate::plan) fn contract(
    wanted: &super::Wanted,
    versions: &[(&Version, &Signature)],
    live: &Version,
) -> Result<Gateway, Refused> {
    let names = &wanted.names;
    let versions = versions
        .iter()
        .map(|(tag, signature)| spec::endpoint::Version { tag: tag.as_str(), signature })
        .collect();
    Ok(Gateway::for_endpoint(Endpoint {
        auth: wanted.gateway.auth,
        throttle: wanted.gateway.throttle,
        usage_plans: wanted.gateway.usage_plans.clone(),
        integration: Integration::LambdaProxy,
        integration_timeout: wanted.gateway.integration_timeout,
        access_log_format: wanted.gateway.access_log_format.clone(),
        ..Endpoint::new(&names.endpoint, &names.stage, versions, live.as_str())
    })?)
}

/// Over all that the snapshot holds, over what its function is and over the settings beside it: a
/// change of any of them is released by a deployment of its own, whose record then names it.
fn snapshot_sha256(document: &str, wanted: &super::Wanted, function: &PlannedFunction) -> Digest {
    let configuration = configuration(wanted);
    let text = serde_json::json!({
        "document": document,
        "endpoint_type": "REGIONAL",
        "artefact_sha256": function.artefact_sha256,
        "role": configuration.role,
        "memory_mib": configuration.memory_mib,
        "timeout_s": configuration.timeout_s,
        "environment": configuration.environment,
        "tracing": configuration.tracing,
        "settings": settings::wanted(wanted),
    });
    Digest::of(text.to_string().as_bytes())
}

/// What API Gateway would refuse, before anything is made.
fn check_limits(gateway: &Gateway, document: &str) -> Result<(), Refused> {
    let endpoint = &gateway.endpoint;
    let mut resources: BTreeSet<&str> = BTreeSet::new();
    for route in &gateway.routes {
        let mut path = route.path.as_str();
        while let Some(end) = path.rfind('/') {
            resources.insert(path);
            path = &path[..end];
        }
    }
    // The root is one too.
    let resources = resources.len() + 1;
    let refuse = |complaint: String, fix: &str| {
        Err(Refused::Limit { object: endpoint.clone(), complaint, fix: fix.to_owned() })
    };
    if resources > limits::RESOURCES_MAX {
        let text =
            format!("{resources} resources, and a REST API has {} at most", limits::RESOURCES_MAX);
        return refuse(text, "`gwtf prune --keep N` removes old versions");
    }
    if document.len() > limits::DEFINITION_BYTES_MAX {
        let text = format!(
            "its OpenAPI document has {} bytes, and API Gateway imports {} at most",
            document.len(),
            limits::DEFINITION_BYTES_MAX
        );
        return refuse(text, "`gwtf prune --keep N` removes old versions");
    }
    for (name, model) in &gateway.models {
        let length = model.to_string().len();
        if length > limits::MODEL_BYTES_MAX {
            let max = limits::MODEL_BYTES_MAX;
            let text = format!("request model `{name}` has {length} bytes, of {max} at most");
            return refuse(text, "the model's signature is too large for a request model");
        }
    }
    Ok(())
}
