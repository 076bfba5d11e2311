//! What a loaded model says in each protocol, apart from running: requests in, replies out.
//!
//! ```text
//! begin ── a document ──> Step::Reply
//!   └───── inputs ──> Step::Run ── whoever has a session runs it ──> finish
//! ```
//!
//! The single place where payloads meet HTTP semantics. [`super::ModelService`] runs the inputs on
//! a pool, the Lambda host on its one session.

use super::reply;
use crate::model::Signature;
use crate::model::payload::metadata::{self, VersionState};
use crate::model::payload::{self, ModelName, Protocol, ReplyForm, RequestHead};
use crate::runtime::{InferError, Tensors};
use crate::spec::Operation;
use crate::spec::route::tensorflow_version;
use bytes::Bytes;
use http::{Response, StatusCode};
use std::fmt;

/// The deadline passed before there was a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed before the model answered")]
pub struct DeadlinePassed;

/// The request headers that a reply depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    pub(super) content_type: Option<&'a str>,
    pub(super) content_encoding: Option<&'a str>,
    pub(super) inference_header_content_length: Option<&'a str>,
}

/// What a request comes to.
pub(super) enum Step {
    /// It is answered.
    Reply(Response<Bytes>),
    /// The model has to run.
    Run {
        inputs: Tensors,
        /// Those wanted; empty stands for all.
        outputs: Vec<String>,
        form: Form,
    },
}

/// How to answer once the model has run.
pub(super) struct Form {
    protocol: Protocol,
    reply: ReplyForm,
}

/// One version of an endpoint's model, as its clients know it.
pub(super) struct Answers {
    endpoint: String,
    version: String,
    signature: Signature,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.endpoint, self.version)
    }
}

impl Answers {
    pub(super) fn new(endpoint: String, version: String, signature: Signature) -> Self {
        Self { endpoint, version, signature }
    }

    /// The version tag.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Inputs and outputs.
    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Answers what needs no run, and reads the inputs of what does.
    pub(super) fn begin(&self, operation: Operation, head: &Head<'_>, body: &[u8]) -> Step {
        let document = match operation {
            Operation::Predict => return self.read(Protocol::Auto, head, body),
            Operation::TensorflowPredict => return self.read(Protocol::Tensorflow, head, body),
            Operation::OpenInferenceInfer => return self.read(Protocol::OpenInference, head, body),
            Operation::TensorflowStatus => metadata::render_tensorflow_status(&[(
                self.tensorflow_version(),
                VersionState::Available,
            )]),
            Operation::TensorflowMetadata => metadata::render_tensorflow_metadata(
                &self.endpoint,
                self.tensorflow_version(),
                &self.signature,
            ),
            Operation::OpenInferenceModel => metadata::render_open_inference_model(
                &self.endpoint,
                &[self.version.as_str()],
                &self.signature,
            ),
            Operation::OpenInferenceServer => {
                metadata::render_open_inference_server(env!("CARGO_PKG_VERSION"))
            }
            // A service that answers is live and ready; the documents are the protocol's.
            Operation::OpenInferenceModelReady => {
                serde_json::json!({ "name": self.endpoint, "ready": true }).to_string()
            }
            Operation::OpenInferenceLive => "{\"live\":true}".to_owned(),
            Operation::OpenInferenceReady => "{\"ready\":true}".to_owned(),
        };
        self.reply(reply::json(document))
    }

    /// The reply to a request whose run ended so.
    ///
    /// # Errors
    /// The deadline passed: what the client is told is its gateway's to say.
    pub(super) fn finish(
        &self,
        form: &Form,
        result: Result<Tensors, InferError>,
    ) -> Result<Response<Bytes>, DeadlinePassed> {
        let response = match result {
            Ok(outputs) => match payload::render(&form.reply, self.name(), &outputs) {
                Ok(rendered) => reply::ok(rendered),
                Err(error) => reply::refused(form.protocol, error.status(), &error.to_string()),
            },
            Err(error) => infer_error(form.protocol, &error)?,
        };
        Ok(self.marked(response))
    }

    fn read(&self, protocol: Protocol, head: &Head<'_>, body: &[u8]) -> Step {
        if let Some(encoding) = foreign_encoding(head) {
            let message =
                format!("content-encoding `{encoding}` is not accepted; send the body as it is");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return self.reply(reply::error(protocol, status, &message));
        }
        let head = RequestHead {
            content_type: head.content_type,
            inference_header_content_length: head.inference_header_content_length,
        };
        match payload::parse(protocol, &head, body, &self.signature) {
            Ok(payload::Request { inputs, outputs, reply }) => {
                Step::Run { inputs, outputs, form: Form { protocol, reply } }
            }
            Err(error) => self.reply(reply::refused(protocol, error.status(), &error.to_string())),
        }
    }

    fn reply(&self, response: Response<Bytes>) -> Step {
        Step::Reply(self.marked(response))
    }

    fn marked(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        reply::mark_version(&mut response, &self.version);
        response
    }

    fn name(&self) -> ModelName<'_> {
        ModelName { name: &self.endpoint, version: &self.version }
    }

    /// The number of a `v<number>` tag, which is what TensorFlow Serving's documents hold.
    fn tensorflow_version(&self) -> &str {
        let tag = self.version.as_str();
        if tensorflow_version(tag).is_some() { &tag[1..] } else { tag }
    }
}

/// A content encoding other than `identity`, which nothing here decodes.
fn foreign_encoding<'a>(head: &Head<'a>) -> Option<&'a str> {
    head.content_encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
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
