//! The Lambda Runtime API of one sandbox, over a connection.
//!
//! Statuses and bodies are those of AWS's Runtime Interface Emulator, with which tests compare;
//! Lambda developer guide, "Using the Lambda runtime API".

use super::fault::Fault;
use super::station::{Delivery, Misstep, Said, Station};
use crate::gateway::Clock as _;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;

const VERSION: &str = "/2018-06-01";
/// Header in which a runtime names an error.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// How much is read of an answer that is too large, so that the process hears so, bytes.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
/// Longest body of a reported error, bytes; what is longer says nothing.
const ERROR_BYTES_MAX: usize = 256 << 10;

type Reply = Response<Full<Bytes>>;

/// Answers a connection of the process until it is closed.
pub(super) async fn serve(stream: TcpStream, station: Arc<Station>) {
    // A socket that refuses still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let station = Arc::clone(&station);
        async move { Ok::<_, Infallible>(answer(&station, request).await) }
    });
    // A connection that breaks, or says what is no HTTP, ends; the process can open another.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What a path asks for.
enum Call<'p> {
    Ping,
    Next,
    Response(&'p str),
    Error(&'p str),
    InitError,
}

fn call(path: &str) -> Option<(Call<'_>, Method)> {
    let path = path.strip_prefix(VERSION)?;
    Some(match path {
        "/ping" => (Call::Ping, Method::GET),
        "/runtime/invocation/next" => (Call::Next, Method::GET),
        "/runtime/init/error" => (Call::InitError, Method::POST),
        _ => {
            let (id, what) = path.strip_prefix("/runtime/invocation/")?.split_once('/')?;
            match what {
                "response" => (Call::Response(id), Method::POST),
                "error" => (Call::Error(id), Method::POST),
                _ => return None,
            }
        }
    })
}

async fn answer(station: &Station, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let (call, method) = match call(head.uri.path()) {
        Some(found) => found,
        None => return text(StatusCode::NOT_FOUND, "404 page not found\n"),
    };
    if head.method != method {
        let mut reply = Response::new(Full::default());
        *reply.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return reply;
    }
    let error_type = || head.headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    match call {
        Call::Ping => text(StatusCode::OK, "pong"),
        Call::Next => match station.next().await {
            Some(delivery) => event(station, delivery),
            None => refused(Misstep::From("Ready"), "Ready"),
        },
        Call::Response(id) => {
            let (said, is_too_large) = match read(body, LAMBDA_PAYLOAD_BYTES_MAX).await {
                Ok(Some(payload)) => (Said::Response(payload), false),
                Ok(None) => (Said::TooLarge, true),
                Err(_) => return text(StatusCode::BAD_REQUEST, "the body was cut off\n"),
            };
            match station.answer(id, said) {
                Err(misstep) => refused(misstep, "InvocationResponse"),
                Ok(()) if is_too_large => too_large(),
                Ok(()) => accepted(),
            }
        }
        Call::Error(id) => {
            let body = read(body, ERROR_BYTES_MAX).await.ok().flatten().unwrap_or_default();
            match station.answer(id, Said::Error(Fault::reported(&body, error_type()))) {
                Err(misstep) => refused(misstep, "InvocationErrorResponse"),
                Ok(()) => accepted(),
            }
        }
        Call::InitError => {
            let body = read(body, ERROR_BYTES_MAX).await.ok().flatten().unwrap_or_default();
            match station.fail_init(Fault::reported(&body, error_type())) {
                Err(misstep) => refused(misstep, "InitError"),
                Ok(()) => accepted(),
            }
        }
    }
}

/// The body; `None` when it is longer than that. The rest is read and forgotten.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Option<Bytes>, hyper::Error> {
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length > DISCARDED_BYTES_MAX {
            break;
        }
        if length > bytes_max {
            joined = BytesMut::new();
        } else if whole.is_empty() && joined.is_empty() {
            whole = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut whole));
            joined.extend_from_slice(&data);
        }
    }
    Ok((length <= bytes_max).then(|| if joined.is_empty() { whole } else { joined.freeze() }))
}

/// What `next` gives.
fn event(station: &Station, delivery: Delivery) -> Reply {
    let left_ms = u64::try_from(delivery.left.as_millis()).unwrap_or(u64::MAX);
    let deadline_ms = station.shared.clock.utc_ms().saturating_add(left_ms);
    let mut reply = json(StatusCode::OK, delivery.event);
    let headers = reply.headers_mut();
    let mut set = |name: &'static str, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    set("lambda-runtime-aws-request-id", HeaderValue::try_from(delivery.request_id));
    set("lambda-runtime-deadline-ms", Ok(HeaderValue::from(deadline_ms)));
    set("lambda-runtime-invoked-function-arn", Ok(station.shared.arn.clone()));
    if !delivery.trace_id.is_empty() {
        set("lambda-runtime-trace-id", HeaderValue::try_from(delivery.trace_id));
    }
    reply
}

fn accepted() -> Reply {
    json(StatusCode::ACCEPTED, "{\"status\":\"OK\"}\n")
}

fn too_large() -> Reply {
    let message =
        format!("Exceeded maximum allowed payload size ({LAMBDA_PAYLOAD_BYTES_MAX} bytes).");
    json(StatusCode::PAYLOAD_TOO_LARGE, error_body(&message, "RequestEntityTooLarge"))
}

fn refused(misstep: Misstep, to: &str) -> Reply {
    match misstep {
        Misstep::InvalidId => {
            let body = error_body("Invalid request ID", "InvalidRequestID");
            json(StatusCode::BAD_REQUEST, body)
        }
        Misstep::From(from) => {
            let message = format!(
                "State transition from {from} to {to} failed for runtime. \
                 Error: State transition is not allowed"
            );
            json(StatusCode::FORBIDDEN, error_body(&message, "InvalidStateTransition"))
        }
    }
}

fn error_body(message: &str, error_type: &str) -> String {
    format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"{error_type}\"}}\n")
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(status, "application/json", body)
}

fn text(status: StatusCode, body: &'static str) -> Reply {
    reply(status, "text/plain; charset=utf-8", body)
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
