//! The HTTP host of an artefact: what runs in a container behind a load balancer.
//!
//! It listens at once, loads the model beside that, and drains on SIGTERM. `/v2/health/live` says
//! that the process lives, `/v2/health/ready` that a request would be answered.
//!
//! Loading and a run cannot be broken off, so whoever calls [`serve`] ends the process afterwards
//! without waiting for threads.

use super::artefact::{Artefact, StartError};
use super::http::{Answer, Body, HostOptions};
use super::log::{ErrorClass, EventLine, RequestLine};
use super::reply;
use super::routes::RouteTable;
use super::service::{InferenceTime, ModelService};
use super::{Direct, Versions};
use crate::model::payload::Protocol;
use crate::runtime::available_bytes;
use crate::spec::Operation;
use crate::spec::limits::INTEGRATION_TIMEOUT_MAX;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long open requests may take after SIGTERM. ECS kills after 30 s unless told otherwise
/// (`stopTimeout`).
const DRAIN: Duration = Duration::from_secs(25);

/// Memory to be had for each byte of the bodies under way. Measured: 10 MB of small numbers take
/// 100 to 150 MB up to a reply in text, and as much stays in the arenas of ONNX Runtime.
const MEMORY_PER_BODY_BYTES: u64 = 32;

/// What the host starts from.
#[derive(Debug)]
pub(super) struct HttpStart {
    /// When the program started.
    pub(super) started: Instant,
    /// Cores that the process may use.
    pub(super) cores: usize,
    /// Where to listen, on all interfaces; 0 takes any free port.
    pub(super) port: u16,
}

/// Loads the artefact and serves it until SIGTERM. Lines go to stdout.
///
/// Returns whether every request had its reply.
///
/// # Errors
/// The port is taken, or the artefact cannot be loaded.
pub(super) fn serve(artefact: Artefact, start: &HttpStart) -> Result<bool, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(start.cores)
        .enable_all()
        .build()
        .map_err(|source| StartError::System { action: "starting threads".into(), source })?;
    let container = Container::new(artefact);
    let ended = runtime.block_on(host(container.clone(), start));
    // Both would wait for a run that serves nobody any more.
    runtime.shutdown_background();
    std::mem::forget(container);
    ended
}

async fn host(container: Container, start: &HttpStart) -> Result<bool, StartError> {
    let listener = bind(start.port).await?;
    let of = |kind| {
        let action = "waiting for signals".to_owned();
        signal(kind).map_err(|source| StartError::System { action, source })
    };
    let (mut terminate, mut interrupt) =
        (of(SignalKind::terminate())?, of(SignalKind::interrupt())?);
    if let Ok(address) = listener.local_addr() {
        let message = address.to_string();
        let event = "listening";
        EventLine { level: "info", event, error: None, message: &message }.emit(&mut io::stdout());
    }
    let (loading, started, cores) = (container.clone(), start.started, start.cores);
    let loading = tokio::task::spawn_blocking(move || loading.load(cores, started));
    let mut failed = None;
    let stop = async {
        let told = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            container.0.is_draining.store(true, Ordering::Relaxed);
        };
        let mut told = pin!(told);
        tokio::select! {
            loaded = loading => match loaded {
                Ok(Ok(())) => told.await,
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(StartError::Panicked),
            },
            () = &mut told => {}
        }
    };
    let options = options(available_bytes());
    let is_drained = super::http::serve(listener, container.clone(), options, stop).await;
    failed.map_or(Ok(is_drained), Err)
}

/// What the host bounds with this much memory, bytes.
fn options(memory_bytes: Option<u64>) -> HostOptions {
    let defaults = HostOptions::default();
    let share = memory_bytes.map(|bytes| bytes / MEMORY_PER_BODY_BYTES);
    let share = share.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
    let bodies_bytes_max = share.clamp(defaults.body_bytes_max, defaults.bodies_bytes_max);
    HostOptions { drain: DRAIN, bodies_bytes_max, ..defaults }
}

/// All interfaces, of both families where the system has both.
async fn bind(port: u16) -> Result<TcpListener, StartError> {
    let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await;
    let bound = match both {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    };
    bound.map_err(|source| StartError::System { action: format!("port {port}"), source })
}

/// The endpoint while it loads, serves and drains.
#[derive(Clone)]
struct Container(Arc<State>);

struct State {
    artefact: Artefact,
    routes: RouteTable,
    loaded: OnceLock<Loaded>,
    is_draining: AtomicBool,
    /// Whether the first reply, health checks aside, is still to come.
    is_cold: AtomicBool,
}

struct Loaded {
    direct: Direct,
    init: Duration,
}

impl Container {
    fn new(artefact: Artefact) -> Self {
        Self(Arc::new(State {
            routes: RouteTable::new(artefact.endpoint(), "", &[artefact.version()]),
            artefact,
            loaded: OnceLock::new(),
            is_draining: AtomicBool::new(false),
            is_cold: AtomicBool::new(true),
        }))
    }

    fn load(&self, cores: usize, started: Instant) -> Result<(), StartError> {
        let (endpoint, version) = (self.0.artefact.endpoint(), self.0.artefact.version());
        let pool = self.0.artefact.open_pool(cores)?;
        let service = Arc::new(ModelService::new(endpoint, version, pool));
        let versions = Versions::new(vec![service], None);
        let direct = Direct::new(endpoint, "", versions, version, INTEGRATION_TIMEOUT_MAX);
        let init = now() - started;
        let loaded = Loaded { direct, init };
        assert!(self.0.loaded.set(loaded).is_ok(), "a container is loaded once");
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.0.loaded.get().is_some() && !self.0.is_draining.load(Ordering::Relaxed)
    }

    async fn reply(
        &self,
        operation: Option<Operation>,
        request: Request<Body>,
        peer: IpAddr,
    ) -> Response<Bytes> {
        let asks_ready = matches!(
            operation,
            Some(Operation::OpenInferenceReady | Operation::OpenInferenceModelReady)
        );
        match (operation, self.0.loaded.get()) {
            (Some(Operation::OpenInferenceLive), _) => reply::json("{\"live\":true}".to_owned()),
            _ if asks_ready && !self.is_ready() => not_ready("{\"ready\":false}"),
            (_, Some(loaded)) => loaded.direct.answer(request, peer).await,
            (Some(_), None) => not_ready("{\"error\":\"the model is being loaded\"}"),
            (None, None) => reply::no_route(StatusCode::NOT_FOUND),
        }
    }
}

fn not_ready(document: &str) -> Response<Bytes> {
    let mut response = reply::json(document.to_owned());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    reply::retry_after(&mut response, 1);
    response
}

impl Answer for Container {
    async fn answer(&self, request: Request<Body>, peer: IpAddr) -> Response<Bytes> {
        let (begun, timestamp_ms) = (now(), epoch_ms());
        let entry = self.0.routes.find(request.method().as_str(), request.uri().path()).ok();
        let operation = entry.map(|entry| entry.operation);
        let trace_id = trace_id(request.headers());
        let request_bytes = match request.body() {
            Body::Whole(body) => body.len(),
            Body::TooLarge => 0,
        };
        let answered = unless_it_panics(self.reply(operation, request, peer)).await;
        let is_panic = answered.is_none();
        let mut response = answered.unwrap_or_else(|| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            reply::error(Protocol::Auto, status, "internal server error")
        });
        let init = self.cold_start(operation);
        if let Some(init) = init {
            reply::mark_cold_start(&mut response, init);
        }
        let status = response.status().as_u16();
        let error = if is_panic { Some(ErrorClass::Panic) } else { ErrorClass::of_status(status) };
        let id = uuid::Uuid::new_v4().hyphenated();
        let mut line = Vec::with_capacity(512);
        RequestLine {
            timestamp_ms,
            endpoint: self.0.artefact.endpoint(),
            version: self.0.artefact.version(),
            request_id: id.encode_lower(&mut uuid::Uuid::encode_buffer()),
            trace_id: trace_id.as_deref(),
            route: entry.map(|entry| &*entry.label),
            status: Some(status),
            duration: now() - begun,
            inference: response.extensions().get().map(|InferenceTime(took)| *took),
            init,
            request_bytes,
            reply_bytes: response.body().len(),
            error,
            ..RequestLine::default()
        }
        .write(&mut line);
        // A log that takes nothing is no reason to stop serving.
        let _ = io::stdout().write_all(&line);
        response
    }
}

impl Container {
    /// What the start took, for the first reply that is no health check.
    fn cold_start(&self, operation: Option<Operation>) -> Option<Duration> {
        let is_health = matches!(
            operation,
            Some(
                Operation::OpenInferenceLive
                    | Operation::OpenInferenceReady
                    | Operation::OpenInferenceModelReady
            )
        );
        let loaded = self.0.loaded.get().filter(|_| !is_health)?;
        self.0.is_cold.swap(false, Ordering::Relaxed).then_some(loaded.init)
    }
}

/// The reply, or `None` where making it panicked: hyper would cut the connection.
async fn unless_it_panics<T>(reply: impl Future<Output = T>) -> Option<T> {
    let mut reply = pin!(reply);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| reply.as_mut().poll(context))) {
            Ok(Poll::Ready(reply)) => Poll::Ready(Some(reply)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// The trace id that API Gateway and load balancers send, if it has the form of one.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    const CHARS_MAX: usize = 256;
    let text = headers.get("x-amzn-trace-id")?.to_str().ok()?;
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '=' | ';' | ':');
    let is_trace = (text.starts_with("Root=1-") || text.starts_with("Self=1-"))
        && text.len() <= CHARS_MAX
        && text.chars().all(inside);
    is_trace.then(|| text.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the host is where a request's time begins")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "log lines are in wall time")]
fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
