//! A twin of a small endpoint, and requests to it without a socket.

use bytes::Bytes;
use gwtf::gateway::access_log::MemorySink;
use gwtf::gateway::{
    Body, Call, IntegrationResult, Invocation, ManualClock, Options, Twin, Upstream,
};
use gwtf::model::{DType, Dim, Signature, TensorSpec};
use gwtf::spec::{ApiKey, Auth, Endpoint, Gateway, Secret, UsagePlan, Version};
use http::Response;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A key of the plan `gold` of [`keyed`].
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz";
/// 2024-08-02T23:34:43Z.
const NOW_UTC_MS: u64 = 1_722_641_683_000;
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

/// One batched float input of four numbers.
pub(crate) fn signature() -> Signature {
    let shape = Some(vec![Dim::Symbol("n".into()), Dim::Fixed(4)]);
    let input = TensorSpec { name: "x".into(), dtype: DType::Float32, shape };
    Signature { inputs: vec![input], outputs: Vec::new() }
}

/// Endpoint `iris`, stage `prod`, version `v1`, changed by `change`.
pub(crate) fn contract(change: impl FnOnce(&mut Endpoint<'_>)) -> Gateway {
    let signature = signature();
    let versions = vec![Version { tag: "v1", signature: &signature }];
    let mut endpoint = Endpoint::new("iris", "prod", versions, "v1");
    change(&mut endpoint);
    Gateway::for_endpoint(endpoint).expect("v1 is there")
}

pub(crate) fn plan(name: &str) -> UsagePlan {
    UsagePlan { name: name.into(), throttle: None, method_throttles: [].into(), quota: None }
}

pub(crate) fn key(id: &str, value: &str, usage_plan: Option<&str>) -> ApiKey {
    ApiKey {
        id: id.into(),
        name: id.into(),
        value: Secret::new(value),
        enabled: true,
        usage_plan: usage_plan.map(str::to_owned),
    }
}

/// The same with API keys on: [`KEY`], with the id `k1`, in plan `gold`.
pub(crate) fn keyed(gold: UsagePlan) -> Gateway {
    contract(|endpoint| {
        endpoint.auth = Auth::ApiKey;
        endpoint.api_keys = vec![key("k1", KEY, Some("gold"))];
        endpoint.usage_plans = vec![UsagePlan { name: "gold".into(), ..gold }];
    })
}

/// A twin on a clock that stands, with its access log in memory.
pub(crate) struct Bench {
    pub(crate) twin: Twin,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<MemorySink>,
}

impl Bench {
    pub(crate) fn new(contract: &Gateway, options: Options) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_UTC_MS));
        let log = Arc::new(MemorySink::default());
        let twin = Twin::new(contract, options, clock.clone(), log.clone())
            .unwrap_or_else(|error| panic!("{error}"));
        Self { twin, clock, log }
    }

    pub(crate) async fn send(
        &self,
        request: http::Request<Body>,
        upstream: &impl Upstream,
    ) -> Response<Bytes> {
        self.twin.call(Call { request, peer: PEER }, upstream).await
    }

    /// Status and limiter of a good request, with [`KEY`], to `path`.
    pub(crate) async fn predict(&self, path: &str) -> (u16, String) {
        let response = self.send(good(path), &answer).await;
        let limiter = response.headers().get("x-gwtf-limiter");
        let limiter = limiter.map_or("", |name| name.to_str().expect("a name"));
        (response.status().as_u16(), limiter.to_owned())
    }
}

/// Strict, with the debug header on.
pub(crate) fn debug() -> Options {
    Options { debug_header: true, ..Options::new(1) }
}

pub(crate) fn full(body: impl Into<Bytes>) -> Body {
    Body::Full(body.into())
}

/// A request that nothing but a limit refuses.
pub(crate) fn good(path: &str) -> http::Request<Body> {
    http::Request::post(path)
        .header("x-api-key", KEY)
        .header("content-type", "application/json")
        .body(full(r#"{"instances":[[1,2,3,4]]}"#))
        .expect("a request")
}

/// An integration that answers at once.
pub(crate) async fn answer(_: Invocation) -> IntegrationResult {
    Ok(Response::new(Bytes::from_static(b"{\"predictions\":[1]}")))
}
