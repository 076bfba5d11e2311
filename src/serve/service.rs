//! One model version behind HTTP semantics: an operation and a request in, a reply out.
//!
//! The single place where payloads meet the runtime. Hosts (HTTP, later Lambda) call it with the
//! operation that the route table names.

use super::reply;
use crate::model::Signature;
use crate::model::payload::{self, ModelName, Protocol, RequestHead, metadata};
use crate::runtime::{InferError, Pool};
use crate::spec::Operation;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use std::time::Instant;

/// A loaded model version that answers requests.
#[derive(Debug)]
pub struct ModelService {
    endpoint: String,
    version: String,
    signature: Signature,
    pool: Pool,
}

impl ModelService {
    /// A service of `pool`'s model, under the endpoint's name and a version tag.
    pub fn new(endpoint: impl Into<String>, version: impl Into<String>, pool: Pool) -> Self {
        let signature = pool.signature().clone();
        Self { endpoint: endpoint.into(), version: version.into(), signature, pool }
    }

    /// The version tag.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The pool behind it.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Answers one request. An inference that is not done by `deadline` gets 504.
    pub async fn answer(
        &self,
        operation: Operation,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Response<Bytes> {
        let model = self.name();
        let mut response = match operation {
            Operation::Predict => self.infer(Protocol::Auto, request, deadline).await,
            Operation::TensorflowPredict => self.infer(Protocol::Tensorflow, request, deadline).await,
            Operation::OpenInferenceInfer => {
                self.infer(Protocol::OpenInference, request, deadline).await
            }
            Operation::TensorflowStatus => reply::json(metadata::tensorflow_status(model)),
            Operation::TensorflowMetadata => {
                reply::json(metadata::tensorflow_metadata(model, &self.signature))
            }
            Operation::OpenInferenceModel => {
                reply::json(metadata::open_inference_model(model, &self.signature))
            }
            Operation::OpenInferenceModelReady => reply::json(metadata::model_ready(model)),
            Operation::OpenInferenceServer => reply::json(metadata::open_inference_server()),
            Operation::OpenInferenceLive => reply::json(metadata::live()),
            Operation::OpenInferenceReady => reply::json(metadata::ready()),
        };
        reply::mark_version(&mut response, &self.version);
        response
    }

    fn name(&self) -> ModelName<'_> {
        ModelName { name: &self.endpoint, version: &self.version }
    }

    async fn infer(
        &self,
        protocol: Protocol,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Response<Bytes> {
        if let Some(encoding) = foreign_encoding(request.headers()) {
            let message = format!("content-encoding `{encoding}` is not accepted; send the body as it is");
            return reply::error(protocol, StatusCode::UNSUPPORTED_MEDIA_TYPE, &message);
        }
        let head = RequestHead {
            content_type: text(request.headers(), "content-type"),
            inference_header_content_length: text(
                request.headers(),
                "inference-header-content-length",
            ),
        };
        let parsed = match payload::parse(protocol, &head, request.body(), &self.signature) {
            Ok(parsed) => parsed,
            Err(error) => return reply::error(protocol, error.status(), &error.to_string()),
        };
        match self.pool.infer(parsed.inputs, parsed.outputs, deadline).await {
            Ok(outputs) => match payload::render(&parsed.reply, self.name(), &outputs) {
                Ok(rendered) => reply::ok(rendered),
                Err(error) => reply::error(protocol, error.status(), &error.to_string()),
            },
            Err(error) => infer_error(protocol, &error),
        }
    }
}

/// A content encoding other than `identity`, which nothing here decodes.
fn foreign_encoding(headers: &HeaderMap) -> Option<&str> {
    text(headers, "content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn infer_error(protocol: Protocol, error: &InferError) -> Response<Bytes> {
    let message = crate::error::chain(error);
    match error {
        InferError::Overloaded | InferError::Closed => {
            let mut response = reply::error(protocol, StatusCode::SERVICE_UNAVAILABLE, &message);
            // The queue empties within the deadline of what is in it: a second is the least unit.
            reply::retry_after(&mut response, 1);
            response
        }
        InferError::DeadlineExceeded => {
            reply::error(protocol, StatusCode::GATEWAY_TIMEOUT, &message)
        }
        InferError::Run(run) if run.is_request_fault() => {
            reply::error(protocol, StatusCode::BAD_REQUEST, &message)
        }
        InferError::Run(_) => reply::error(protocol, StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}
