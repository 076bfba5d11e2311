//! One model version on a pool of sessions: an operation and a request in, a reply out.
//!
//! The HTTP hosts and the twin call it with the operation that the route table names.

use super::answers::{Answers, DeadlinePassed, Head, Step};
use crate::model::Signature;
use crate::runtime::Pool;
use crate::spec::Operation;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use std::fmt;
use std::time::{Duration, Instant};

/// How long a reply's inference took, waiting for a session included: an extension of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InferenceTime(pub(super) Duration);

/// A loaded model version that answers requests.
pub struct ModelService {
    answers: Answers,
    pool: Pool,
}

impl fmt::Debug for ModelService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelService({:?})", self.answers)
    }
}

impl ModelService {
    /// A service of `pool`'s model, under the endpoint's name and a version tag.
    pub fn new(endpoint: impl Into<String>, version: impl Into<String>, pool: Pool) -> Self {
        let signature = pool.signature().clone();
        Self { answers: Answers::new(endpoint.into(), version.into(), signature), pool }
    }

    /// The version tag.
    pub fn version(&self) -> &str {
        self.answers.version()
    }

    /// Inputs and outputs.
    pub fn signature(&self) -> &Signature {
        self.answers.signature()
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
        let head = head(request.headers());
        match self.answers.begin(operation, &head, request.body()) {
            Step::Reply(response) => Ok(response),
            Step::Run { inputs, outputs, form } => {
                let begun = now();
                let result = self.pool.infer(inputs, &outputs, deadline).await;
                let took = InferenceTime(now() - begun);
                let mut response = self.answers.finish(&form, result)?;
                response.extensions_mut().insert(took);
                Ok(response)
            }
        }
    }
}

fn head(headers: &HeaderMap) -> Head<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Head {
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        inference_header_content_length: text("inference-header-content-length"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the service measures what its inferences take")]
fn now() -> Instant {
    Instant::now()
}
