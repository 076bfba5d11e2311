//! One event answered: route, payload, one run on the session, proxy reply.

use super::event::Event;
use super::proxy;
use super::watchdog::Watchdog;
use crate::model::payload::Protocol;
use crate::runtime::{InferError, Interrupt, Session, Tensors};
use crate::serve::answers::{Answers, Head, Step};
use crate::serve::log::ErrorClass;
use crate::serve::reply;
use crate::serve::routes::{Entry, RouteTable};
use crate::spec::Operation;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Response, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What answers events: one session and the routes of its endpoint.
pub(super) struct Answerer {
    answers: Answers,
    routes: RouteTable,
    session: Session,
    /// Started with the first run that has a deadline.
    guard: Option<Guard>,
    document: Vec<u8>,
}

struct Guard {
    interrupt: Interrupt,
    watchdog: Watchdog,
}

/// What came of an event; the reply lies in [`Answerer::document`].
#[derive(Debug)]
pub(super) struct Answered {
    /// The route's label; `None` where there is no such route.
    pub(super) route: Option<Arc<str>>,
    /// `None` where there is no reply.
    pub(super) status: Option<u16>,
    pub(super) inference: Option<Duration>,
    pub(super) request_bytes: usize,
    pub(super) reply_bytes: usize,
    pub(super) error: Option<ErrorClass>,
}

/// The body says base64 and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event's body is no base64, though `isBase64Encoded` is true")]
pub(super) struct BodyError;

impl Answerer {
    pub(super) fn new(endpoint: &str, version: &str, session: Session) -> Self {
        let signature = session.signature().clone();
        Self {
            answers: Answers::new(endpoint.to_owned(), version.to_owned(), signature),
            routes: RouteTable::new(endpoint, "", &[version]),
            session,
            guard: None,
            document: Vec::new(),
        }
    }

    /// The reply that [`Answerer::answer`] wrote last.
    pub(super) fn document(&self) -> &[u8] {
        &self.document
    }

    /// Answers one event by `deadline`. `init` is given for the first reply of the process.
    ///
    /// # Errors
    /// The body is not what the event says it is.
    pub(super) fn answer(
        &mut self,
        event: &Event<'_>,
        deadline: Instant,
        init: Option<Duration>,
    ) -> Result<Answered, BodyError> {
        let body = body_of(event)?;
        let route = find(&self.routes, event);
        let label = route.as_ref().ok().map(|entry| Arc::clone(&entry.label));
        let operation = route.map(|entry| entry.operation);
        let (mut response, inference) = match operation {
            Ok(operation) => self.run(operation, event, &body, deadline),
            Err(status) => (reply::no_route(status), None),
        };
        let mut error = ErrorClass::of_status(response.status().as_u16());
        if let Some(init) = init {
            reply::mark_cold_start(&mut response, init);
        }
        if !proxy::write(&response, &mut self.document) {
            error = Some(ErrorClass::ReplyTooLarge);
            response = self.too_large(operation.ok(), response.body().len(), init);
            proxy::write(&response, &mut self.document);
        }
        Ok(Answered {
            route: label,
            status: Some(response.status().as_u16()),
            inference,
            request_bytes: body.len(),
            reply_bytes: response.body().len(),
            error,
        })
    }

    fn run(
        &mut self,
        operation: Operation,
        event: &Event<'_>,
        body: &[u8],
        deadline: Instant,
    ) -> (Response<Bytes>, Option<Duration>) {
        let headers = &event.headers;
        let head = Head {
            content_type: headers.content_type.as_deref(),
            content_encoding: headers.content_encoding.as_deref(),
            inference_header_content_length: headers.inference_header_content_length.as_deref(),
        };
        match self.answers.begin(operation, &head, body) {
            Step::Reply(response) => (response, None),
            Step::Run { inputs, outputs, form } => {
                let begun = now();
                let result = self.infer(inputs, &outputs, begun, deadline);
                let took = now() - begun;
                let response = self.answers.finish(&form, result).unwrap_or_else(|passed| {
                    let status = StatusCode::GATEWAY_TIMEOUT;
                    let mut response =
                        reply::error(protocol_of(operation), status, &passed.to_string());
                    reply::mark_version(&mut response, self.answers.version());
                    response
                });
                (response, Some(took))
            }
        }
    }

    fn infer(
        &mut self,
        inputs: Tensors,
        outputs: &[String],
        begun: Instant,
        deadline: Instant,
    ) -> Result<Tensors, InferError> {
        if deadline <= begun {
            return Err(InferError::DeadlineExceeded);
        }
        if self.guard.is_none() {
            self.guard = Guard::start();
        }
        let Some(guard) = &self.guard else {
            return Ok(self.session.run(inputs, outputs)?);
        };
        guard.watchdog.arm(deadline);
        let result = self.session.run_until(inputs, outputs, Some(&guard.interrupt));
        // A run that ended by itself while it was being ended has its outputs.
        match (guard.watchdog.disarm(), result) {
            (true, Err(_)) => Err(InferError::DeadlineExceeded),
            (_, result) => Ok(result?),
        }
    }

    fn too_large(
        &self,
        operation: Option<Operation>,
        reply_bytes: usize,
        init: Option<Duration>,
    ) -> Response<Bytes> {
        let message = format!(
            "the reply has {reply_bytes} bytes, more than fit into the \
             {LAMBDA_PAYLOAD_BYTES_MAX} that Lambda carries: ask for fewer rows, for fewer outputs, \
             or for binary ones"
        );
        let protocol = operation.map_or(Protocol::Auto, protocol_of);
        let mut response = reply::error(protocol, StatusCode::PAYLOAD_TOO_LARGE, &message);
        reply::mark_version(&mut response, self.answers.version());
        if let Some(init) = init {
            reply::mark_cold_start(&mut response, init);
        }
        response
    }
}

impl Guard {
    fn start() -> Option<Self> {
        let interrupt = Interrupt::new()?;
        let watchdog = Watchdog::start(interrupt.clone())?;
        Some(Self { interrupt, watchdog })
    }
}

/// The route of an event: by its path, or, where a custom domain's base path, a trailing slash or
/// an escape stands in that, by the resource that API Gateway matched.
fn find<'a>(routes: &'a RouteTable, event: &Event<'_>) -> Result<&'a Entry, StatusCode> {
    let by_path = routes.find(&event.method, &event.path);
    by_path.or_else(|status| routes.find(&event.method, &event.resource).map_err(|_| status))
}

fn body_of<'a>(event: &'a Event<'_>) -> Result<Cow<'a, [u8]>, BodyError> {
    if event.is_base64 {
        STANDARD.decode(event.body.as_bytes()).map(Cow::Owned).map_err(|_| BodyError)
    } else {
        Ok(Cow::Borrowed(event.body.as_bytes()))
    }
}

fn protocol_of(operation: Operation) -> Protocol {
    match operation {
        Operation::TensorflowPredict
        | Operation::TensorflowStatus
        | Operation::TensorflowMetadata => Protocol::Tensorflow,
        Operation::Predict => Protocol::Auto,
        _ => Protocol::OpenInference,
    }
}

#[expect(clippy::disallowed_methods, reason = "the host measures what its runs take")]
fn now() -> Instant {
    Instant::now()
}
