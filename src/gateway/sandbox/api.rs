//! Lambda's Runtime API, version 2018-06-01, for one sandbox, on a loopback port of its own.
//!
//! Statuses and bodies are those of AWS's runtime interface emulator.
//!
//! # Invariants
//! Never holds more than Lambda's payload limit of a body, nor more than [`CONNECTIONS_MAX`]
//! connections. Nobody but this machine reaches it; that a stranger here does not speak for the
//! sandbox rests on the port being random and known to the process alone.

use super::options::InvokeError;
use super::payload;
use super::sandbox::{Next, Sandbox, Unexpected};
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Most connections of one sandbox at once; a runtime needs one.
const CONNECTIONS_MAX: usize = 16;
/// How much of an oversized body is read to answer it, bytes.
const DISCARD_BYTES_MAX: usize = 64 << 20;
/// Pause after `accept` failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

const PREFIX: &str = "/2018-06-01/";
const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Serves a sandbox until it is dropped.
pub(super) async fn serve(listener: TcpListener, sandbox: Arc<Sandbox>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        // Nagle's algorithm would hold events back; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        let sandbox = Arc::clone(&sandbox);
        let service = service_fn(move |request| {
            let sandbox = Arc::clone(&sandbox);
            async move { answer(&sandbox, request).await }
        });
        connections.spawn(async move {
            // A connection that breaks is the runtime's affair: it opens another or ends.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

/// An error is a request that broke off: its connection ends.
async fn answer(
    sandbox: &Sandbox,
    request: Request<Incoming>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    // Read whatever becomes of it, so that the connection can be used again.
    let body = read(body).await?;
    Ok(answer_read(sandbox, &head, body).await)
}

/// The body is `None` if it is longer than Lambda takes.
async fn answer_read(
    sandbox: &Sandbox,
    head: &Parts,
    body: Option<Bytes>,
) -> Response<Full<Bytes>> {
    let Some(path) = head.uri.path().strip_prefix(PREFIX) else { return not_found() };
    let call = match path.strip_prefix("runtime/invocation/") {
        Some(rest) => rest.split_once('/'),
        None => None,
    };
    match (&head.method, path, call) {
        (&Method::GET, "runtime/invocation/next", _) => next(sandbox).await,
        (&Method::POST, "runtime/init/error", _) => {
            let error = reported(body, &head.headers);
            taken(sandbox.fail_init(error.0), error.1, "InitError")
        }
        (&Method::POST, _, Some((id, "response"))) => {
            let (reply, accepted) = match body {
                Some(bytes) => (Ok(bytes), accepted()),
                None => (Err(payload::response_too_large()), too_large()),
            };
            taken(sandbox.respond(id, reply), accepted, "InvocationResponse")
        }
        (&Method::POST, _, Some((id, "error"))) => {
            let (error, accepted) = reported(body, &head.headers);
            taken(sandbox.respond(id, Err(error)), accepted, "InvocationErrorResponse")
        }
        (&Method::GET, "ping", _) => document(StatusCode::OK, Bytes::from_static(b"pong")),
        _ => not_found(),
    }
}

/// An error that the function reports, and what it is told.
fn reported(body: Option<Bytes>, headers: &HeaderMap) -> (InvokeError, Response<Full<Bytes>>) {
    let error_type = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    match body {
        Some(bytes) => (payload::reported(bytes, error_type), accepted()),
        None => (payload::response_too_large(), too_large()),
    }
}

fn taken(
    result: Result<(), Unexpected>,
    accepted: Response<Full<Bytes>>,
    transition: &str,
) -> Response<Full<Bytes>> {
    match result {
        Ok(()) => accepted,
        Err(unexpected) => refuse(unexpected, transition),
    }
}

async fn next(sandbox: &Sandbox) -> Response<Full<Bytes>> {
    loop {
        let dispatched = sandbox.dispatched();
        tokio::pin!(dispatched);
        // From here on no dispatch is missed.
        dispatched.as_mut().enable();
        match sandbox.next() {
            Next::Event { request_id, trace_id, event, deadline_utc_ms } => {
                let mut response = document(StatusCode::OK, event);
                let headers = response.headers_mut();
                let arn = sandbox.fleet.arn.clone();
                headers.insert(REQUEST_ID, text(&request_id));
                headers.insert(DEADLINE_MS, HeaderValue::from(deadline_utc_ms));
                headers.insert(FUNCTION_ARN, arn);
                if !trace_id.is_empty() {
                    headers.insert(TRACE_ID, text(&trace_id));
                }
                return response;
            }
            Next::Wait(None) => dispatched.await,
            Next::Wait(Some(at)) => {
                // Either way there is something to look at.
                let _ = tokio::time::timeout_at(at, dispatched).await;
            }
        }
    }
}

/// A body; `None` if it is longer than Lambda takes.
async fn read(mut body: Incoming) -> hyper::Result<Option<Bytes>> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut whole = BytesMut::with_capacity(expected.min(LAMBDA_PAYLOAD_BYTES_MAX));
    let mut seen_bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen_bytes += data.len();
        if seen_bytes > DISCARD_BYTES_MAX {
            break;
        }
        if seen_bytes <= LAMBDA_PAYLOAD_BYTES_MAX {
            whole.extend_from_slice(&data);
        }
    }
    Ok((seen_bytes <= LAMBDA_PAYLOAD_BYTES_MAX).then(|| whole.freeze()))
}

fn document(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn accepted() -> Response<Full<Bytes>> {
    document(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

fn too_large() -> Response<Full<Bytes>> {
    let body = format!(
        "{{\"errorMessage\":\"Exceeded maximum allowed payload size ({LAMBDA_PAYLOAD_BYTES_MAX} \
         bytes).\",\"errorType\":\"RequestEntityTooLarge\"}}\n"
    );
    document(StatusCode::PAYLOAD_TOO_LARGE, Bytes::from(body))
}

fn not_found() -> Response<Full<Bytes>> {
    document(StatusCode::NOT_FOUND, Bytes::from_static(b"404 page not found\n"))
}

/// AWS's emulator names its own states; here the transition alone is named.
fn refuse(unexpected: Unexpected, transition: &str) -> Response<Full<Bytes>> {
    match unexpected {
        Unexpected::RequestId => document(
            StatusCode::BAD_REQUEST,
            Bytes::from_static(
                b"{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n",
            ),
        ),
        Unexpected::Transition => document(
            StatusCode::FORBIDDEN,
            Bytes::from(format!(
                "{{\"errorMessage\":\"State transition to {transition} failed for runtime. Error: \
                 State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}}\n"
            )),
        ),
    }
}

/// An id as a header; ids that are no header value were refused before.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}
