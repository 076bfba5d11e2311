//! From an endpoint's facts to its contract: routes, request models and limits in one place.

use super::gateway::{ANY_MEDIA_TYPE, ApiKey, Auth, Gateway, Integration, UsagePlan};
use super::limits;
use super::request_model::{model_name, request_model, request_models_for};
use super::route::{Operation, routes_of};
use super::throttle::Throttle;
use crate::error::{Exit, Explain};
use crate::model::Signature;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A kept version: its tag and what its model takes.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// What `--version` named (`v3`).
    pub tag: &'a str,
    /// The model's inputs and outputs.
    pub signature: &'a Signature,
}

/// The facts a contract is made from.
#[derive(Debug, Clone)]
pub struct Endpoint<'a> {
    /// The endpoint's name (`iris`).
    pub name: &'a str,
    /// The stage (`prod`).
    pub stage: &'a str,
    /// All versions that stay reachable.
    pub versions: Vec<Version<'a>>,
    /// Tag of the live version, one of `versions`.
    pub live: &'a str,
    /// Who may call.
    pub auth: Auth,
    /// The stage's limit per method.
    pub throttle: Option<Throttle>,
    /// The account's limit.
    pub account_throttle: Throttle,
    /// Usage plans.
    pub usage_plans: Vec<UsagePlan>,
    /// API keys.
    pub api_keys: Vec<ApiKey>,
    /// What kind of integration answers.
    pub integration: Integration,
    /// Media types whose bodies are handed on byte for byte. All of them by default: Triton's
    /// clients send tensors without a `Content-Type` and ask for them without an `Accept`, which no
    /// other entry matches.
    pub binary_media_types: Vec<String>,
    /// How long the integration may take.
    pub integration_timeout: Duration,
    /// Access-log format.
    pub access_log_format: Option<String>,
    /// Whether Open Inference paths check JSON bodies too. Off by default: Triton's clients send
    /// binary tensors without a Content-Type, which API Gateway takes for JSON and would refuse.
    pub check_open_inference_bodies: bool,
}

impl<'a> Endpoint<'a> {
    /// An endpoint with AWS's defaults: no keys, the account's limit alone, 29 s, no access log.
    pub fn new(name: &'a str, stage: &'a str, versions: Vec<Version<'a>>, live: &'a str) -> Self {
        Self {
            name,
            stage,
            versions,
            live,
            auth: Auth::None,
            throttle: None,
            account_throttle: Throttle {
                rate_rps: limits::ACCOUNT_RATE_RPS,
                burst: limits::ACCOUNT_BURST,
            },
            usage_plans: Vec::new(),
            api_keys: Vec::new(),
            integration: Integration::HttpProxy,
            binary_media_types: vec![ANY_MEDIA_TYPE.to_owned()],
            integration_timeout: limits::INTEGRATION_TIMEOUT_MAX,
            access_log_format: None,
            check_open_inference_bodies: false,
        }
    }
}

/// The live version is not among the versions of the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version `{tag}` of endpoint `{endpoint}` is not kept, so it cannot be live")]
pub struct UnknownLive {
    endpoint: String,
    tag: String,
}

impl Explain for UnknownLive {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

impl Gateway {
    /// The contract of an endpoint. Pinned routes use their version's request models, live routes
    /// the live version's; with [`Auth::ApiKey`] all but the health routes need a key.
    ///
    /// # Errors
    /// The live version is not one of the endpoint's versions.
    pub fn for_endpoint(endpoint: Endpoint<'_>) -> Result<Self, UnknownLive> {
        if !endpoint.versions.iter().any(|version| version.tag == endpoint.live) {
            return Err(UnknownLive {
                endpoint: endpoint.name.to_owned(),
                tag: endpoint.live.to_owned(),
            });
        }
        let checked = |operation: Operation| {
            operation != Operation::OpenInferenceInfer || endpoint.check_open_inference_bodies
        };
        let mut models = BTreeMap::new();
        for version in &endpoint.versions {
            for operation in INFERENCE.into_iter().filter(|operation| checked(*operation)) {
                let model = request_model(operation, version.signature);
                models.extend(model_name(operation, version.tag).zip(model));
            }
        }
        let tags: Vec<&str> = endpoint.versions.iter().map(|version| version.tag).collect();
        let routes = routes_of(endpoint.name, &tags).into_iter().map(|mut route| {
            if route.version.is_none() {
                endpoint.live.clone_into(&mut route.serves);
            }
            if checked(route.operation) {
                route.request_models = request_models_for(route.operation, &route.serves);
            }
            route.api_key_required = endpoint.auth == Auth::ApiKey && !is_health(route.operation);
            Arc::new(route)
        });
        Ok(Self {
            routes: routes.collect(),
            models,
            endpoint: endpoint.name.to_owned(),
            stage: endpoint.stage.to_owned(),
            auth: endpoint.auth,
            throttle: endpoint.throttle,
            account_throttle: endpoint.account_throttle,
            usage_plans: endpoint.usage_plans,
            api_keys: endpoint.api_keys,
            integration: endpoint.integration,
            binary_media_types: endpoint.binary_media_types,
            integration_timeout: endpoint.integration_timeout,
            access_log_format: endpoint.access_log_format,
        })
    }
}

const INFERENCE: [Operation; 3] =
    [Operation::Predict, Operation::TensorflowPredict, Operation::OpenInferenceInfer];

/// Whether this only says that the server is up; such routes stay open to monitors without a key.
fn is_health(operation: Operation) -> bool {
    matches!(operation, Operation::OpenInferenceLive | Operation::OpenInferenceReady)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(auth: Auth) -> Gateway {
        let (old, new) = (Signature::default(), Signature::default());
        let versions =
            vec![Version { tag: "v1", signature: &old }, Version { tag: "v2", signature: &new }];
        Gateway::for_endpoint(Endpoint { auth, ..Endpoint::new("iris", "prod", versions, "v2") })
            .unwrap()
    }

    fn model_of<'a>(contract: &'a Gateway, key: &str) -> Option<&'a str> {
        let route = contract.routes.iter().find(|route| route.key() == key).unwrap();
        route.request_models.get("application/json").map(String::as_str)
    }

    #[test]
    fn pinned_routes_use_their_versions_model_and_live_ones_the_live_versions() {
        let contract = contract(Auth::None);
        assert_eq!(model_of(&contract, "/predict/POST"), Some("Predictv2"));
        assert_eq!(model_of(&contract, "/v1/predict/POST"), Some("Predictv1"));
        assert_eq!(
            model_of(&contract, "/v1/models/iris/versions/1:predict/POST"),
            Some("TensorflowPredictv1")
        );
        assert_eq!(model_of(&contract, "/v2/models/iris/infer/POST"), None);
        assert_eq!(model_of(&contract, "/v2/models/iris/GET"), None);
        let named: Vec<&String> =
            contract.routes.iter().flat_map(|route| route.request_models.values()).collect();
        assert!(named.iter().all(|name| contract.models.contains_key(*name)));
        assert!(contract.models.keys().all(|name| named.contains(&name)), "no unused model");
    }

    #[test]
    fn keys_guard_all_but_health() {
        for route in &contract(Auth::ApiKey).routes {
            assert_eq!(route.api_key_required, !route.path.contains("/health/"), "{}", route.path);
        }
        assert!(contract(Auth::None).routes.iter().all(|route| !route.api_key_required));
    }

    #[test]
    fn refuses_a_live_version_that_is_not_kept() {
        let signature = Signature::default();
        let versions = vec![Version { tag: "v1", signature: &signature }];
        let error = Gateway::for_endpoint(Endpoint::new("iris", "prod", versions, "v9"));
        assert!(error.unwrap_err().to_string().contains("`v9`"));
    }
}
