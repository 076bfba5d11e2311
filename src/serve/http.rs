//! The HTTP host: sockets to whole requests, replies to sockets, and a graceful stop.
//!
//! Knows nothing of models or gateways: it hands each request, body included, to an [`Answer`].
//! HTTP/1.1 and HTTP/2 with prior knowledge, both by hyper.
//!
//! # Invariants
//! No body beyond [`HostOptions::body_bytes_max`] is held in memory, and all bodies together take at
//! most [`HostOptions::bodies_bytes_max`]; a body's room is given back once the reply is written. A connection that brings no request for
//! [`HostOptions::idle_timeout`] ends, whatever protocol it speaks or does not speak.

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much of an oversized body is read and thrown away before answering, as a multiple of the
/// limit: a client that is still writing then reads the reply instead of a reset.
const DISCARD_FACTOR: usize = 16;
/// What room for bodies is counted in, bytes.
const BODY_UNIT_BYTES: usize = 1024;
/// Longest reply that is written at once, into the socket's own buffer.
const SMALL_REPLY_BYTES: usize = 64 * 1024;
/// How long the host waits after `accept` fails for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the host bounds.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Largest body handed on, bytes.
    pub body_bytes_max: usize,
    /// Room for the bodies of all requests under way together, bytes; a request that finds none
    /// waits, up to [`HostOptions::body_timeout`].
    pub bodies_bytes_max: usize,
    /// Largest request head, bytes.
    pub head_bytes_max: usize,
    /// Connections open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take over a request head.
    pub head_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// How long a client may take over a request body.
    pub body_timeout: Duration,
    /// How long open requests may take once the host stops.
    pub drain: Duration,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            body_bytes_max: crate::spec::limits::PAYLOAD_BYTES_MAX,
            bodies_bytes_max: 256 << 20,
            head_bytes_max: 64 * 1024,
            connections_max: 4_096,
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

/// A request body as the host read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// More than the host holds; its bytes are gone.
    TooLarge,
}

/// Whatever answers requests. Cloned once a connection, so make it cheap to clone.
pub trait Answer: Clone + Send + Sync + 'static {
    /// Answers one request. Never fails: an error is a reply.
    fn answer(
        &self,
        request: Request<Body>,
        peer: IpAddr,
    ) -> impl Future<Output = Response<Bytes>> + Send;
}

/// Serves `answer` on `listener` until `stop` resolves, then drains.
///
/// Returns whether every open request ended within [`HostOptions::drain`].
pub async fn serve<A: Answer>(
    listener: TcpListener,
    answer: A,
    options: HostOptions,
    stop: impl Future<Output = ()>,
) -> bool {
    let room = Arc::new(Semaphore::new(options.connections_max));
    let bodies = options.bodies_bytes_max.div_ceil(BODY_UNIT_BYTES);
    let bodies = Arc::new(Semaphore::new(bodies));
    let host = Arc::new(Host { options, bodies });
    let options = &host.options;
    let graceful = GracefulShutdown::new();
    let builder = Arc::new(connection_builder(options));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        // Nagle's algorithm would hold small replies back; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let (answer, host) = (answer.clone(), Arc::clone(&host));
        let idle_timeout = host.options.idle_timeout;
        let seen = Arc::clone(&activity);
        let service = service_fn(move |request| {
            let (answer, host, activity) = (answer.clone(), Arc::clone(&host), Arc::clone(&seen));
            async move {
                let _open = activity.begin();
                Ok::<_, Infallible>(exchange(&answer, request, peer.ip(), &host).await)
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                // A connection that breaks is the client's affair; its requests had their replies.
                _ = connection => {}
                () = activity.idle(idle_timeout) => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    tokio::time::timeout(host.options.drain, graceful.shutdown()).await.is_ok()
}

/// What all connections share.
struct Host {
    options: HostOptions,
    /// Units of [`BODY_UNIT_BYTES`].
    bodies: Arc<Semaphore>,
}

/// What a connection has done and is doing: hyper's own timers know only HTTP/1 heads.
#[derive(Default)]
struct Activity {
    begun_count: AtomicU64,
    open_count: AtomicU64,
}

/// A request under way; dropping it is its end, also when the client goes away.
struct Open<'a>(&'a Activity);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open_count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Activity {
    fn begin(&self) -> Open<'_> {
        self.begun_count.fetch_add(1, Ordering::Relaxed);
        self.open_count.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// Resolves once no request has begun, and none was open, for `timeout` (up to twice as long).
    async fn idle(&self, timeout: Duration) {
        let mut before = u64::MAX;
        loop {
            tokio::time::sleep(timeout).await;
            let begun = self.begun_count.load(Ordering::Relaxed);
            let silent = begun == 0 || begun == before;
            if silent && self.open_count.load(Ordering::Relaxed) == 0 {
                return;
            }
            before = begun;
        }
    }
}

fn connection_builder(options: &HostOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_buf_size(options.head_bytes_max.max(16 * 1024));
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256);
    builder
}

/// The next connection with its place among [`HostOptions::connections_max`].
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(_) => {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn exchange<A: Answer>(
    answer: &A,
    request: Request<Incoming>,
    peer: IpAddr,
    host: &Host,
) -> Response<Full<Bytes>> {
    let (parts, incoming) = request.into_parts();
    if incoming.is_end_stream() {
        let request = Request::from_parts(parts, Body::Whole(Bytes::new()));
        return answer.answer(request, peer).await.map(Full::new);
    }
    let read = read_in_its_room(incoming, host);
    let (body, room) = match tokio::time::timeout(host.options.body_timeout, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the request body ended early"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request body took too long"),
    };
    let response = answer.answer(Request::from_parts(parts, body), peer).await;
    response.map(|reply| {
        Full::new(match room {
            // A slow reader keeps no more large replies in memory than there is room for requests.
            Some(room) if reply.len() > SMALL_REPLY_BYTES => {
                Bytes::from_owner(Roomed { reply, _room: room })
            }
            _ => reply,
        })
    })
}

/// A reply that gives its request's room back when it has been written.
struct Roomed {
    reply: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Roomed {
    fn as_ref(&self) -> &[u8] {
        &self.reply
    }
}

/// Waits for room for all that the body may hold, then reads it: a body that has begun never waits
/// for another, so that no two can wait for each other.
async fn read_in_its_room(
    incoming: Incoming,
    host: &Host,
) -> Result<(Body, Option<OwnedSemaphorePermit>), hyper::Error> {
    let bytes_max = host.options.body_bytes_max;
    let hint = incoming.size_hint();
    let most = hint.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(bytes_max);
    let units = most.min(bytes_max).div_ceil(BODY_UNIT_BYTES);
    // Only a closed semaphore refuses, and nothing closes it.
    let units = u32::try_from(units).unwrap_or(u32::MAX);
    let room = Arc::clone(&host.bodies).acquire_many_owned(units).await.ok();
    Ok((read_body(incoming, bytes_max).await?, room))
}

/// Reads a body up to `bytes_max`; one frame, the usual case, is handed on without a copy.
async fn read_body(mut incoming: Incoming, bytes_max: usize) -> Result<Body, hyper::Error> {
    let declared = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut seen = 0usize;
    let mut too_large = declared > bytes_max;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        too_large |= seen > bytes_max;
        if too_large {
            (first, rest) = (None, BytesMut::new());
            if seen > bytes_max.saturating_mul(DISCARD_FACTOR) {
                break;
            }
        } else if first.is_none() && rest.is_empty() {
            first = Some(data);
        } else {
            if let Some(head) = first.take() {
                rest.reserve(declared.max(head.len() + data.len()));
                rest.extend_from_slice(&head);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(match (too_large, first) {
        (true, _) => Body::TooLarge,
        (false, Some(whole)) => Body::Whole(whole),
        (false, None) => Body::Whole(rest.freeze()),
    })
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}
