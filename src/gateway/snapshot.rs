//! A contract made ready to be enforced: looked up by path and key, models compiled.
//!
//! # Invariants
//! A snapshot never changes. A request is judged by the snapshot that was current when it came,
//! whatever is released meanwhile.

use super::call::Api;
use super::error::Error;
use super::limiter::{SharedBucket, SharedQuota};
use super::media::BinaryMediaTypes;
use super::schema::Schema;
use super::state::State;
use crate::spec::access_log::Format;
use crate::spec::{Auth, Gateway, Integration, Parameter, Route, Throttle, UsagePlan};
use http::Method;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The contract in force.
pub(super) struct Snapshot {
    pub(super) api: Arc<Api>,
    /// Methods by resource path.
    pub(super) resources: HashMap<String, Vec<(Method, Arc<CompiledRoute>)>>,
    /// Keys that are enabled and in a usage plan, by value. Not printed.
    pub(super) keys: HashMap<String, Arc<CompiledKey>>,
    pub(super) account: Arc<SharedBucket>,
    pub(super) integration: Integration,
    pub(super) integration_timeout: Duration,
    pub(super) access_log: Option<Format>,
}

/// A route with what its layers need.
pub(super) struct CompiledRoute {
    pub(super) route: Arc<Route>,
    /// Position in the contract, the key of per-method limits.
    pub(super) index: usize,
    /// Required parameters in the order in which AWS names missing ones.
    pub(super) parameters: Vec<Parameter>,
    /// Content types in lower case, and their models.
    pub(super) models: Vec<(String, Arc<Schema>)>,
    pub(super) throttle: Option<Arc<SharedBucket>>,
}

/// A key with its plan's limits.
pub(super) struct CompiledKey {
    pub(super) id: Arc<str>,
    pub(super) throttle: Option<Arc<SharedBucket>>,
    /// By the route's position.
    pub(super) method_throttles: Vec<(usize, Arc<SharedBucket>)>,
    pub(super) quota: Option<Arc<SharedQuota>>,
}

impl Snapshot {
    /// Compiles a contract; limiters are taken from `state`, or made there.
    pub(super) fn new(contract: &Gateway, state: &mut State, now_ns: u64) -> Result<Self, Error> {
        // Everything that can be refused is, before any limit of the contract in force is touched.
        let models = compile_models(contract)?;
        let access_log = contract.access_log_format.as_deref().map(Format::parse).transpose()?;
        check_names(contract)?;
        if contract.auth == Auth::Iam {
            return Err(Error::SignedRequests);
        }
        let binary_media_types = BinaryMediaTypes::new(&contract.binary_media_types);
        // An HTTP integration's bodies are never text here, so a contract cannot ask for that.
        if contract.integration == Integration::HttpProxy && !binary_media_types.is_any() {
            return Err(Error::TextBodies);
        }
        let mut resources: HashMap<String, Vec<(Method, Arc<CompiledRoute>)>> = HashMap::new();
        for (index, route) in contract.routes.iter().enumerate() {
            let throttle = route
                .throttle
                .or(contract.throttle)
                .map(|throttle| state.bucket(format!("stage {}", route.key()), throttle, now_ns));
            let compiled = compile_route(index, route, &models, throttle);
            let methods = resources.entry(route.path.clone()).or_default();
            methods.push((route.method.clone(), Arc::new(compiled)));
        }
        let keys = compile_keys(contract, state, now_ns);
        Ok(Self {
            api: Arc::new(Api { stage: contract.stage.clone(), binary_media_types }),
            resources,
            keys,
            account: state.bucket("account".to_owned(), contract.account_throttle, now_ns),
            integration: contract.integration,
            integration_timeout: contract.integration_timeout,
            access_log,
        })
    }
}

fn compile_models(contract: &Gateway) -> Result<BTreeMap<&str, Arc<Schema>>, Error> {
    let compile = |(name, schema): (&'_ String, &'_ serde_json::Value)| {
        Schema::compile(schema)
            .map(Arc::new)
            .map_err(|source| Error::Model { name: name.clone(), source })
    };
    contract
        .models
        .iter()
        .map(|(name, schema)| Ok((name.as_str(), compile((name, schema))?)))
        .collect()
}

fn check_names(contract: &Gateway) -> Result<(), Error> {
    let mut routes = HashSet::new();
    for route in &contract.routes {
        if !routes.insert(route.key()) {
            return Err(Error::RouteTwice { route: route.key() });
        }
        if let Some(model) =
            route.request_models.values().find(|m| !contract.models.contains_key(*m))
        {
            return Err(Error::UnknownModel { route: route.key(), model: model.clone() });
        }
    }
    for plan in &contract.usage_plans {
        if let Some(route) = plan.method_throttles.keys().find(|route| !routes.contains(*route)) {
            return Err(Error::UnknownRoute { plan: plan.name.clone(), route: route.clone() });
        }
    }
    let (mut ids, mut values) = (HashSet::new(), HashSet::new());
    for key in &contract.api_keys {
        if !ids.insert(&key.id) || !values.insert(&key.value) {
            return Err(Error::KeyTwice { key: key.id.clone() });
        }
        if let Some(plan) = &key.usage_plan
            && !contract.usage_plans.iter().any(|known| known.name == *plan)
        {
            return Err(Error::UnknownPlan { key: key.id.clone(), plan: plan.clone() });
        }
    }
    Ok(())
}

fn compile_route(
    index: usize,
    route: &Arc<Route>,
    models: &BTreeMap<&str, Arc<Schema>>,
    throttle: Option<Arc<SharedBucket>>,
) -> CompiledRoute {
    let mut parameters = route.required_parameters.clone();
    parameters.sort();
    let model = |(content_type, name): (&String, &String)| {
        Some((content_type.to_ascii_lowercase(), Arc::clone(models.get(name.as_str())?)))
    };
    CompiledRoute {
        route: Arc::clone(route),
        index,
        parameters,
        models: route.request_models.iter().filter_map(model).collect(),
        throttle,
    }
}

fn compile_keys(
    contract: &Gateway,
    state: &mut State,
    now_ns: u64,
) -> HashMap<String, Arc<CompiledKey>> {
    let plans: HashMap<&str, &UsagePlan> =
        contract.usage_plans.iter().map(|plan| (plan.name.as_str(), plan)).collect();
    let mut keys = HashMap::new();
    for key in contract.api_keys.iter().filter(|key| key.enabled) {
        let Some(plan) = key.usage_plan.as_deref().and_then(|plan| plans.get(plan)) else {
            continue;
        };
        let name = format!("plan {} key {}", plan.name, key.id);
        let mut bucket = |suffix: &str, throttle: Throttle| {
            state.bucket(format!("{name}{suffix}"), throttle, now_ns)
        };
        let throttle = plan.throttle.map(|throttle| bucket("", throttle));
        let method_throttles = contract.routes.iter().enumerate().filter_map(|(index, route)| {
            let throttle = plan.method_throttles.get(&route.key())?;
            Some((index, bucket(&format!(" {}", route.key()), *throttle)))
        });
        let method_throttles = method_throttles.collect();
        let quota = plan.quota.map(|quota| state.quota(name, quota));
        let id = Arc::from(key.id.as_str());
        let compiled = CompiledKey { id, throttle, method_throttles, quota };
        keys.insert(key.value.expose().to_owned(), Arc::new(compiled));
    }
    keys
}
