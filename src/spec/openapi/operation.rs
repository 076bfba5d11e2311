//! One route as an operation: what it is called, what a request must have, and what answers.

use super::{Error, KEY_SCHEME, Place, SIGV4_SCHEME};
use crate::spec::gateway::Auth;
use crate::spec::route::{Operation, Parameter, Route};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Headers whose definition OpenAPI 3.0 says is ignored (section 4.7.12.2.1).
const IGNORED_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// What all operations of a document share.
pub(super) struct Operations<'a> {
    pub(super) auth: Auth,
    pub(super) models: &'a BTreeMap<String, Value>,
    pub(super) place: &'a Place,
    pub(super) timeout_ms: u64,
}

impl Operations<'_> {
    /// The operation of a route.
    pub(super) fn operation(&self, route: &Route) -> Result<Value, Error> {
        let Route {
            method: _, // The key of this operation in its path's item.
            path,
            operation,
            version,
            serves,
            api_key_required,
            request_models,
            required_parameters,
            throttle: _, // The stage's method settings.
        } = route;
        check_path(path, route)?;
        let (name, tag, summary) = words(*operation);
        let mut rendered = json!({
            "operationId": operation_id(name, version.as_deref()),
            "summary": summary,
            "tags": [tag],
            // The integration's replies go through as they are; a method must state one.
            "responses": { "200": { "description": "What the model's service replies" } },
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": self.place.integration_uri(serves)?,
                // A body whose content type has no model goes through unchecked.
                "passthroughBehavior": "when_no_match",
                "timeoutInMillis": self.timeout_ms,
            },
        });
        if let Some(validator) = Validator::of(route) {
            rendered["x-amazon-apigateway-request-validator"] = validator.name().into();
        }
        if !request_models.is_empty() {
            let content = self.content(route, request_models)?;
            // An absent body is judged as `{}`; no model of an inference takes that.
            rendered["requestBody"] = json!({ "required": true, "content": content });
        }
        if !required_parameters.is_empty() {
            rendered["parameters"] = parameters(route, required_parameters)?;
        }
        let mut security = Map::new();
        if self.auth == Auth::Iam {
            security.insert(SIGV4_SCHEME.to_owned(), json!([]));
        }
        if *api_key_required {
            security.insert(KEY_SCHEME.to_owned(), json!([]));
        }
        if !security.is_empty() {
            // One requirement with both: all that it names must be met.
            rendered["security"] = json!([security]);
        }
        Ok(rendered)
    }

    /// By reference alone: an import drops alternatives that stand in the operation itself, with the
    /// warning `Unsupported model type 'ComposedSchema'` (aws/aws-cdk#24844).
    fn content(
        &self,
        route: &Route,
        request_models: &BTreeMap<String, String>,
    ) -> Result<Value, Error> {
        let mut content = Map::new();
        for (content_type, model) in request_models {
            if !self.models.contains_key(model) {
                return Err(Error::UnknownModel { route: route.key(), model: model.clone() });
            }
            let reference = format!("#/components/schemas/{model}");
            content.insert(content_type.clone(), json!({ "schema": { "$ref": reference } }));
        }
        Ok(content.into())
    }
}

/// What a method's requests are checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Validator {
    All,
    Body,
    Parameters,
}

impl Validator {
    /// `None` when the route asks nothing of a request.
    fn of(route: &Route) -> Option<Self> {
        match (route.request_models.is_empty(), route.required_parameters.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Self::Body),
            (true, false) => Some(Self::Parameters),
            (false, false) => Some(Self::All),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Body => "body",
            Self::Parameters => "parameters",
        }
    }
}

/// The validators that some route uses.
pub(super) fn validators(routes: &[Arc<Route>]) -> Map<String, Value> {
    let used: BTreeSet<Validator> =
        routes.iter().filter_map(|route| Validator::of(route)).collect();
    let validator = |validator: Validator| {
        json!({
            "validateRequestBody": validator != Validator::Parameters,
            "validateRequestParameters": validator != Validator::Body,
        })
    };
    used.into_iter().map(|used| (used.name().to_owned(), validator(used))).collect()
}

/// The key of a route's method in a path item.
pub(super) fn verb(route: &Route) -> Result<&'static str, Error> {
    match route.method {
        Method::GET => Ok("get"),
        Method::PUT => Ok("put"),
        Method::POST => Ok("post"),
        Method::DELETE => Ok("delete"),
        Method::OPTIONS => Ok("options"),
        Method::HEAD => Ok("head"),
        Method::PATCH => Ok("patch"),
        _ => Err(Error::Method { route: route.key() }),
    }
}

/// Segments of characters that API Gateway takes; braces would make a template of one.
fn check_path(path: &str, route: &Route) -> Result<(), Error> {
    let taken = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b',' | b':' | b'-');
    let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(taken);
    let known = path == "/" || path.strip_prefix('/').is_some_and(|p| p.split('/').all(segment));
    if known { Ok(()) } else { Err(Error::Path { route: route.key() }) }
}

fn parameters(route: &Route, required: &[Parameter]) -> Result<Value, Error> {
    let mut parameters = Vec::new();
    for parameter in required.iter().collect::<BTreeSet<_>>() {
        let (place, name) = match parameter {
            Parameter::Header(name) => ("header", name),
            Parameter::Query(name) => ("query", name),
        };
        if place == "header" && IGNORED_HEADERS.iter().any(|one| one.eq_ignore_ascii_case(name)) {
            return Err(Error::Parameter { route: route.key(), name: name.clone() });
        }
        parameters.push(json!({
            "name": name, "in": place, "required": true, "schema": { "type": "string" },
        }));
    }
    Ok(parameters.into())
}

/// Unique in a document: tags have no capital letters, names no `_`.
fn operation_id(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}_{version}"))
}

/// An operation's name, the tag that it is listed under, and what it does.
fn words(operation: Operation) -> (&'static str, &'static str, &'static str) {
    const TENSORFLOW: &str = "TensorFlow Serving";
    const OPEN_INFERENCE: &str = "Open Inference Protocol";
    match operation {
        Operation::Predict => {
            ("predict", "Prediction", "Run the model on a request of either protocol")
        }
        Operation::TensorflowPredict => ("tensorflowPredict", TENSORFLOW, "Run the model"),
        Operation::TensorflowStatus => ("tensorflowStatus", TENSORFLOW, "The model's status"),
        Operation::TensorflowMetadata => {
            ("tensorflowMetadata", TENSORFLOW, "The model's inputs and outputs")
        }
        Operation::OpenInferenceInfer => ("openInferenceInfer", OPEN_INFERENCE, "Run the model"),
        Operation::OpenInferenceModel => {
            ("openInferenceModel", OPEN_INFERENCE, "The model's inputs and outputs")
        }
        Operation::OpenInferenceModelReady => {
            ("openInferenceModelReady", OPEN_INFERENCE, "Whether the model is ready")
        }
        Operation::OpenInferenceServer => {
            ("openInferenceServer", OPEN_INFERENCE, "What the server can do")
        }
        Operation::OpenInferenceLive => {
            ("openInferenceLive", OPEN_INFERENCE, "Whether the server is up")
        }
        Operation::OpenInferenceReady => {
            ("openInferenceReady", OPEN_INFERENCE, "Whether the server is ready")
        }
    }
}
