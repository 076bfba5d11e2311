//! The routes of an endpoint: which paths exist, what each does, and which version it is pinned to.
//!
//! One grammar for everybody: the twin matches requests against [`Route`]s, the inference service
//! reads its operation from the same table, and the OpenAPI document is written from it.

use super::throttle::Throttle;
use http::Method;
use std::collections::BTreeMap;

/// What an endpoint can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Inference; the request's own form says which protocol it speaks.
    Predict,
    /// Inference in TensorFlow Serving's REST format.
    TensorflowPredict,
    /// TensorFlow Serving's model status.
    TensorflowStatus,
    /// TensorFlow Serving's model metadata.
    TensorflowMetadata,
    /// Inference in the Open Inference Protocol.
    OpenInferenceInfer,
    /// Open Inference model metadata.
    OpenInferenceModel,
    /// Open Inference model readiness.
    OpenInferenceModelReady,
    /// Open Inference server metadata.
    OpenInferenceServer,
    /// Open Inference server liveness.
    OpenInferenceLive,
    /// Open Inference server readiness.
    OpenInferenceReady,
}

impl Operation {
    /// Whether the operation takes a body and runs the model.
    pub fn is_inference(self) -> bool {
        matches!(self, Self::Predict | Self::TensorflowPredict | Self::OpenInferenceInfer)
    }
}

/// A request parameter that must be present and not blank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parameter {
    /// A header, by name.
    Header(String),
    /// A query-string parameter, by name.
    Query(String),
}

/// One method on one resource path.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The HTTP method.
    pub method: Method,
    /// The resource path without the stage, `/v1/models/iris:predict`; no templates.
    pub path: String,
    /// What it does.
    pub operation: Operation,
    /// The version it is pinned to; `None` follows live.
    pub version: Option<String>,
    /// The version that its integration invokes: the pinned one, or the one that was live when the
    /// contract was made. Empty until a contract holds the route.
    pub serves: String,
    /// Whether a request needs an API key (and so counts against a usage plan).
    pub api_key_required: bool,
    /// Request models by content type; no entry for a content type means no body check.
    pub request_models: BTreeMap<String, String>,
    /// Parameters that must be present.
    pub required_parameters: Vec<Parameter>,
    /// The method's own stage limit; `None` takes the stage's.
    pub throttle: Option<Throttle>,
}

impl Route {
    /// A route without key, models, parameters or limit of its own.
    pub fn new(
        method: Method,
        path: impl Into<String>,
        operation: Operation,
        version: Option<&str>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            operation,
            version: version.map(str::to_owned),
            serves: version.unwrap_or_default().to_owned(),
            api_key_required: false,
            request_models: BTreeMap::new(),
            required_parameters: Vec::new(),
            throttle: None,
        }
    }

    /// The key of this method in a usage plan's and a stage's settings: `/predict/POST`, root `//GET`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.path, self.method)
    }
}

/// All routes of an endpoint: live ones, then those of each kept version.
///
/// A version tag of the form `v<number>` has TensorFlow Serving's numbered paths too; a tag of any
/// other form can only be pinned through `/<tag>/predict` and the Open Inference paths.
pub fn routes_of(endpoint: &str, versions: &[&str]) -> Vec<Route> {
    use Operation as Op;
    let (get, post) = (Method::GET, Method::POST);
    let mut routes = vec![
        Route::new(post.clone(), "/predict", Op::Predict, None),
        Route::new(get.clone(), "/v2", Op::OpenInferenceServer, None),
        Route::new(get.clone(), "/v2/health/live", Op::OpenInferenceLive, None),
        Route::new(get.clone(), "/v2/health/ready", Op::OpenInferenceReady, None),
    ];
    let mut model = |tensorflow: Option<String>, open_inference: String, version: Option<&str>| {
        if let Some(base) = tensorflow {
            routes.extend([
                Route::new(post.clone(), format!("{base}:predict"), Op::TensorflowPredict, version),
                Route::new(get.clone(), base.clone(), Op::TensorflowStatus, version),
                Route::new(
                    get.clone(),
                    format!("{base}/metadata"),
                    Op::TensorflowMetadata,
                    version,
                ),
            ]);
        }
        let base = open_inference;
        routes.extend([
            Route::new(post.clone(), format!("{base}/infer"), Op::OpenInferenceInfer, version),
            Route::new(get.clone(), base.clone(), Op::OpenInferenceModel, version),
            Route::new(get.clone(), format!("{base}/ready"), Op::OpenInferenceModelReady, version),
        ]);
    };
    let (v1, v2) = (format!("/v1/models/{endpoint}"), format!("/v2/models/{endpoint}"));
    model(Some(v1.clone()), v2.clone(), None);
    for version in versions {
        let number = tensorflow_version(version);
        model(
            number.map(|number| format!("{v1}/versions/{number}")),
            format!("{v2}/versions/{version}"),
            Some(version),
        );
    }
    routes.extend(versions.iter().map(|version| {
        Route::new(Method::POST, format!("/{version}/predict"), Op::Predict, Some(version))
    }));
    routes
}

/// The number TensorFlow Serving's paths use for a version tag: `v3` is 3.
pub fn tensorflow_version(tag: &str) -> Option<u64> {
    tag.strip_prefix('v')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_routes_share_a_method_and_path() {
        let routes = routes_of("iris", &["v1", "v2", "v3", "2024-06"]);
        let keys: BTreeSet<String> = routes.iter().map(Route::key).collect();
        assert_eq!(keys.len(), routes.len());
    }

    #[test]
    fn pins_each_version_in_each_protocol() {
        let keys: Vec<String> = routes_of("iris", &["v3"]).iter().map(Route::key).collect();
        for key in [
            "/predict/POST",
            "/v3/predict/POST",
            "/v1/models/iris:predict/POST",
            "/v1/models/iris/versions/3:predict/POST",
            "/v1/models/iris/metadata/GET",
            "/v2/models/iris/infer/POST",
            "/v2/models/iris/versions/v3/infer/POST",
            "/v2/health/live/GET",
            "/v2/GET",
        ] {
            assert!(keys.contains(&key.to_owned()), "{key} not in {keys:?}");
        }
    }
}
