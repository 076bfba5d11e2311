//! One model version behind HTTP semantics: an operation and a request in, a reply out.
//!
//! The single place where payloads meet the runtime. Hosts (HTTP, later Lambda) call it with the
//! operation that the route table names.

use super::reply;
use crate::model::Signature;
use crate::model::payload::metadata::{self, VersionState};
use crate::model::payload::{self, ModelName, Protocol, RequestHead};
use crate::runtime::{InferError, Pool};
use crate::spec::Operation;
use crate::spec::route::tensorflow_version;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use std::fmt;
use std::time::Instant;

/// The deadline passed before there was a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed before the model answered")]
pub struct DeadlinePassed;

/// A loaded model version that answers requests.
pub struct ModelService {
    endpoint: String,
    version: String,
    signature: Signature,
    pool: Pool,
}

impl fmt::Debug for ModelService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelService({} {})", self.endpoint, self.version)
    }
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

    /// Answers one request.
    ///
    /// # Errors
    /// An inference was not done by `deadline`: what the client is told is its gateway's to say.
    pub async fn answer(
        &self,
        operation: Operation,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, DeadlinePassed> {
        let mut response = match operation {
            Operation::Predict => self.infer(Protocol::Auto, request, deadline).await?,
            Operation::TensorflowPredict => {
                self.infer(Protocol::Tensorflow, request, deadline).await?
            }
            Operation::OpenInferenceInfer => {
                self.infer(Protocol::OpenInference, request, deadline).await?
            }
            Operation::TensorflowStatus => reply::json(metadata::render_tensorflow_status(&[(
                self.tensorflow_version(),
                VersionState::Available,
            )])),
            Operation::TensorflowMetadata => reply::json(metadata::render_tensorflow_metadata(
                &self.endpoint,
                self.tensorflow_version(),
                &self.signature,
            )),
            Operation::OpenInferenceModel => reply::json(metadata::render_open_inference_model(
                &self.endpoint,
                &[self.version.as_str()],
                &self.signature,
            )),
            Operation::OpenInferenceServer => {
                reply::json(metadata::render_open_inference_server(env!("CARGO_PKG_VERSION")))
            }
            // A service that answers is live and ready; the documents are the protocol's.
            Operation::OpenInferenceModelReady => {
                reply::json(serde_json::json!({ "name": self.endpoint, "ready": true }).to_string())
            }
            Operation::OpenInferenceLive => reply::json("{\"live\":true}".to_owned()),
            Operation::OpenInferenceReady => reply::json("{\"ready\":true}".to_owned()),
        };
        reply::mark_version(&mut response, &self.version);
        Ok(response)
    }

    fn name(&self) -> ModelName<'_> {
        ModelName { name: &self.endpoint, version: &self.version }
    }

    /// The number of a `v<number>` tag, which is what TensorFlow Serving's documents hold.
    fn tensorflow_version(&self) -> &str {
        let tag = self.version.as_str();
        if tensorflow_version(tag).is_some() { &tag[1..] } else { tag }
    }

    async fn infer(
        &self,
        protocol: Protocol,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, DeadlinePassed> {
        if let Some(encoding) = foreign_encoding(request.headers()) {
            let message =
                format!("content-encoding `{encoding}` is not accepted; send the body as it is");
            return Ok(reply::error(protocol, StatusCode::UNSUPPORTED_MEDIA_TYPE, &message));
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
            Err(error) => return Ok(reply::refused(protocol, error.status(), &error.to_string())),
        };
        Ok(match self.pool.infer(parsed.inputs, &parsed.outputs, deadline).await {
            Ok(outputs) => match payload::render(&parsed.reply, self.name(), &outputs) {
                Ok(rendered) => reply::ok(rendered),
                Err(error) => reply::refused(protocol, error.status(), &error.to_string()),
            },
            Err(error) => infer_error(protocol, &error)?,
        })
    }
}

/// A content encoding other than `identity`, which nothing here decodes.
fn foreign_encoding(headers: &HeaderMap) -> Option<&str> {
    text(headers, "content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn infer_error(protocol: Protocol, error: &InferError) -> Result<Response<Bytes>, DeadlinePassed> {
    let status = match error {
        InferError::DeadlineExceeded => return Err(DeadlinePassed),
        InferError::Overloaded | InferError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        InferError::Run(run) if run.is_request_fault() => StatusCode::BAD_REQUEST,
        InferError::Run(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = reply::error(protocol, status, &crate::error::chain(error));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // The queue empties within the deadline of what is in it: a second is the least unit.
        reply::retry_after(&mut response, 1);
    }
    Ok(response)
}
